import { assertEquals, assertMatch } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { RelocationType, SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { rawFile, rawRelocations } from "../../fixtures/raw.ts";
import { assertLoadError, randomFrom } from "../support/testing.ts";
import { bytesOf, LAYOUT_NAMES, sample, withHeader, withRelocation } from "../support/sample_files.ts";
import { zstdTest } from "../support/deno_version.ts";

const CODE = { name: "code", section_type: 1, flags: 5, alignment: 1, bytes: new Uint8Array(64).fill(0xc3) };
const MAIN = { name: "main", sym_type: 1, binding: 1 };
const relocSection = (name: string, bytes: Uint8Array) => ({
  name,
  section_type: SectionType.Reloc,
  flags: 0,
  alignment: 8,
  bytes,
});

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: every field of a relocation is read`, () => {
    const { relocations } = parseSmf(sample(layout));
    assertEquals([...relocations], [
      { offset: 8192, symbol: 0, type: RelocationType.Abs64, addend: 0x1234_5678_9abc_def0n },
      { offset: 1, symbol: 1, type: RelocationType.Pc32, addend: -4n },
    ]);
    assertEquals([relocations.addendLow(0), relocations.addendHigh(0)], [0x9abc_def0, 0x1234_5678]);
    assertEquals([relocations.addendLow(1), relocations.addendHigh(1)], [0xffff_fffc, -1]);
    assertEquals(relocations.sectionName(1), ".reloc");
  });
}

Deno.test("a relocation's type is one byte, which padding follows", () => {
  const next = randomFrom(7);
  const list = [{ offset: 3, symbol_index: 0, reloc_type: 2, addend: -4n }];
  const bytes = rawRelocations(list, () => next());
  const file = rawFile({ layout: "H72", sections: [CODE, relocSection("rela", bytes)], symbols: [MAIN] });
  assertEquals([...parseSmf(file).relocations], [{ offset: 3, symbol: 0, type: 2, addend: -4n }]);
});

Deno.test("all Reloc sections are read, in table order", () => {
  const of = (...offsets: number[]) =>
    rawRelocations(offsets.map((offset) => ({ offset, symbol_index: 0, reloc_type: 1, addend: 0n })));
  const file = parseSmf(rawFile({
    layout: "H96",
    sections: [
      relocSection("b", of(5, 4)),
      CODE,
      relocSection("empty", of()),
      relocSection("a", of(1, 2, 3)),
    ],
    symbols: [MAIN],
  }));
  const { relocations } = file;
  assertEquals([...relocations].map(({ offset }) => offset), [5, 4, 1, 2, 3]);
  assertEquals([0, 1, 2, 3, 4].map((i) => relocations.sectionName(i)), ["b", "b", "a", "a", "a"]);
});

Deno.test("a symbol that does not exist is refused (row 26)", () => {
  const open = withHeader(sample(), "module_hash", 0);
  const { offset } = parseSmf(open).sections[5];
  for (const value of [4, 5, 2 ** 32 - 1]) {
    const error = assertLoadError(
      () => parseSmf(withRelocation(open, 1, "symbol_index", value)),
      "InvalidFormat",
      {
        section: ".reloc",
        offset: offset + 24 + 8,
        value,
        range: [0, 4],
      },
    );
    assertMatch(error.message, /relocation 1: its symbol does not exist/);
  }
  parseSmf(withRelocation(open, 1, "symbol_index", 3));
});

Deno.test("relocations without any symbols are refused (row 26)", () => {
  const bytes = rawRelocations([{ offset: 0, symbol_index: 0, reloc_type: 0, addend: 0n }]);
  const file = rawFile({ layout: "H72", sections: [CODE, relocSection("r", bytes)], symbols: [] });
  assertLoadError(() => parseSmf(file), "InvalidFormat", { section: "r", value: 0, range: [0, 0] });
});

Deno.test("an offset above 2^53 is refused (row 25)", () => {
  const open = withHeader(sample(), "module_hash", 0);
  for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
    assertLoadError(() => parseSmf(withRelocation(open, 0, "offset", value)), "InvalidFormat", {
      section: ".reloc",
      offset: parseSmf(open).sections[5].offset,
      value,
    });
  }
  assertEquals(parseSmf(withRelocation(open, 0, "offset", 2 ** 53 - 1)).relocations.offset(0), 2 ** 53 - 1);
});

Deno.test("unknown types are accepted by the parser", () => {
  const open = withHeader(sample(), "module_hash", 0);
  assertEquals(parseSmf(withRelocation(open, 0, "reloc_type", 200)).relocations.type(0), 200);
});

Deno.test("addends keep their whole range", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
  const symbol = builder.symbol({ name: "f", type: 1 });
  const addends = [2n ** 63n - 1n, -(2n ** 63n), -1n, 0n, 1n, 2n ** 31n, -(2n ** 31n) - 1n];
  for (const addend of addends) builder.relocation({ offset: 0, symbol, type: 1, addend });
  const { relocations } = parseSmf(builder.build());
  assertEquals([...relocations].map(({ addend }) => addend), addends);
  for (let i = 0; i < addends.length; i++) {
    assertEquals(BigInt(relocations.addendHigh(i)) << 32n | BigInt(relocations.addendLow(i)), addends[i]);
  }
});

zstdTest("compressed relocations are read", () => {
  const plain = rawRelocations([{ offset: 3, symbol_index: 0, reloc_type: 2, addend: -4n }]);
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
  builder.section({ name: "r", type: SectionType.Reloc, bytes: plain, compress: true });
  builder.symbol({ name: "f", type: 1 });
  assertEquals([...parseSmf(builder.build()).relocations], [{ offset: 3, symbol: 0, type: 2, addend: -4n }]);
});
