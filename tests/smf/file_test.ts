import { assert, assertEquals } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { parseSmf, readSmf } from "../../src/smf/file.ts";
import { rawFile } from "../../fixtures/raw.ts";
import { assertLoadError, patched, randomFrom, stress } from "../support/testing.ts";
import { bytesOf, contentsOf, LAYOUT_NAMES, sample } from "../support/sample_files.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

Deno.test("the parser requests nothing outside the file, and little more than its size", () => {
  for (const layout of LAYOUT_NAMES) {
    const bytes = sample(layout);
    const reading = readSmf(bytes.length);
    let asked = 0;
    for (let step = reading.next(bytes); !step.done;) {
      const { offset, length, into = new Uint8Array(length) } = step.value;
      assert(offset >= 0 && offset + length <= bytes.length);
      asked += length;
      into.set(bytes.subarray(offset, offset + length));
      step = reading.next(into);
    }
    assert(asked <= bytes.length + 256);
  }
});

Deno.test("names end where the next part starts, so that nothing is read twice", () => {
  // Header, section table, symbols, names, then a large section.
  const source = sample("H72", {});
  const { header } = parseSmf(source);
  const grown = new Uint8Array(source.length + 100_000);
  grown.set(source);
  const file = patched(
    grown,
    [48, 8, 0], // no hash
    [72 + 8, 8, source.length], // code at the end, and large
    [72 + 16, 8, 100_000],
    [72 + 24, 8, 100_000],
  );
  const reading = readSmf(file.length);
  let largest = 0;
  for (let step = reading.next(file); !step.done;) {
    const { offset, length } = step.value;
    largest = Math.max(largest, length);
    step = reading.next(file.subarray(offset, offset + length));
  }
  assert(largest < 1000, `${largest} bytes at once`);
  assertEquals(parseSmf(file).symbols.length, header.symbolCount);
});

Deno.test("contents are copies, stored bytes are views", () => {
  const bytes = sample();
  const file = parseSmf(bytes);
  const [code] = file.sections;
  file.contents(code)[0] = 0;
  assertEquals(bytes[code.offset], 0xb8);
  assertEquals(file.storedBytes(code).buffer, bytes.buffer);
});

Deno.test("bytes at any offset of a larger buffer are read the same", () => {
  const bytes = sample();
  for (let shift = 0; shift < 9; shift++) {
    const buffer = new Uint8Array(bytes.length + 20).fill(0xff);
    buffer.set(bytes, shift);
    const file = parseSmf(buffer.subarray(shift, shift + bytes.length));
    assertEquals(contentsOf(file), contentsOf(parseSmf(bytes)));
  }
});

Deno.test("errors have the given path", () => {
  assertLoadError(() => parseSmf(bytesOf(1), { path: "dir/a.smf" }), "InvalidFormat", { path: "dir/a.smf" });
  assertEquals(assertLoadError(() => parseSmf(bytesOf(1)), "InvalidFormat").data.path, undefined);
});

Deno.test("random modules in all layouts are built, parsed and built again unchanged", () => {
  const next = randomFrom(4);
  const pick = (count: number) => next() % count;
  const name = (length: number) => String.fromCodePoint(...Array.from({ length }, () => 0x20 + pick(0x500)));
  for (let round = 0; round < stress(4000); round++) {
    const layout = LAYOUT_NAMES[round % LAYOUT_NAMES.length];
    const wide = layout !== "H72" && layout !== "H80";
    const builder = new SmfBuilder({
      layout,
      platform: pick(6),
      arch: pick(8),
      flags: pick(0x100) & ~0x10,
      entryPoint: pick(2) * next() * 1000,
      sourceHash: BigInt(next()) << BigInt(pick(33)),
      ...(wide && { appType: pick(256), windowWidth: pick(65536), compressionLevel: pick(256) }),
      ...(layout.length > 3 && layout !== "H72" && wide && layout !== "H96" && pick(2) && {
        stub: Uint8Array.from({ length: 1 + pick(50) }, () => 1 + pick(255)),
      }),
    });
    const expected: unknown[] = [];
    for (let i = 0, count = 1 + pick(6); i < count; i++) {
      const type = [1, 2, 3, 4, 8, 200][pick(6)];
      const bytes = Uint8Array.from({ length: type === 4 ? 0 : pick(60) }, () => next());
      if (type === 1 && bytes.length > 0) bytes[0] = 0x90;
      const section = {
        name: name(pick(5)),
        type,
        bytes,
        virtualSize: bytes.length + pick(20),
        alignment: 2 ** pick(8),
        ...(wide && type !== 4 && pick(4) === 0 && { compress: HAS_ZSTD }),
      };
      builder.section(section);
      expected.push([section.name, type, section.virtualSize, section.alignment]);
    }
    const symbols = pick(8);
    for (let i = 0; i < symbols; i++) {
      builder.symbol({
        name: `${i}${name(pick(10))}`,
        type: 1 + pick(6),
        flags: pick(256),
        typeId: next(),
        version: next(),
        ...(pick(3) === 0 ? { defined: false, binding: 1 + pick(2) } : {
          binding: pick(3),
          value: next() * (1 + pick(1000)),
          size: next(),
        }),
        ...(wide && { templateParamCount: pick(256), templateOffset: next() }),
      });
      if (pick(2)) {
        const addend = BigInt.asIntN(64, BigInt(next()) << BigInt(pick(33)));
        builder.relocation({ offset: next(), symbol: pick(i + 1), type: pick(256), addend });
      }
    }
    const bytes = builder.build();
    const file = parseSmf(bytes);
    assertEquals(file.header.layout, layout);
    assertEquals(
      file.sections.filter(({ type }) => type !== 5)
        .map((section) => [section.name, section.type, section.virtualSize, section.alignment]),
      expected,
    );
    assertEquals(SmfBuilder.from(file).build(), bytes);
  }
});

Deno.test("any bytes are accepted or refused with a LoadError", () => {
  const next = randomFrom(5);
  const files = [
    ...LAYOUT_NAMES.map((layout) => sample(layout)),
    ...LAYOUT_NAMES.map((layout) =>
      rawFile({
        layout,
        sections: [
          { name: "code", section_type: 1, flags: 5, alignment: 16, bytes: bytesOf(0x90, 0xc3) },
          { name: "r", section_type: 5, flags: 1, alignment: 8, bytes: new Uint8Array(48) },
        ],
        symbols: [{ name: "main", sym_type: 1, binding: 1 }, {
          name: "b",
          sym_type: 1,
          binding: 1,
          value: 1,
        }],
      })
    ),
  ];
  const values = [0, 1, 2, 5, 0x7f, 0x80, 0xff];
  let accepted = 0;
  for (let round = 0; round < stress(200_000); round++) {
    const source = files[next() % files.length];
    const length = next() % 8 === 0 ? next() % (source.length + 1) : source.length;
    const bytes = source.slice(0, length);
    for (let i = next() % 6; i >= 0; i--) {
      if (bytes.length === 0) break;
      const at = next() % 2 === 0 ? next() % Math.min(bytes.length, 400) : next() % bytes.length;
      bytes[at] = next() % 2 === 0 ? next() : values[next() % values.length];
    }
    try {
      const file = parseSmf(bytes);
      for (const symbol of file.symbols) file.symbols.find(symbol.name);
      for (const section of file.sections) if (section.virtualSize < 1 << 20) file.contents(section);
      file.imports();
      accepted++;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      assert(error.message.startsWith("Cannot "), error.message);
    }
  }
  assert(accepted > 0);
});
