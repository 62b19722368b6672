import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { verifyModuleHash } from "../../src/smf/checksum.ts";
import { WRITER_MARK } from "../../src/smf/layout.ts";
import { readSection } from "../../src/smf/contents.ts";
import { parseSmf, readSmf } from "../../src/smf/file.ts";
import { xxh32 } from "../../src/smf/hash.ts";
import { LAYOUTS } from "../../src/smf/layout.ts";
import { isLoaded } from "../../src/smf/offsets.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { assertLoadError, patched } from "../support/testing.ts";
import { LAYOUT_NAMES, sample, withHeader } from "../support/sample_files.ts";
import { zstdTest } from "../support/deno_version.ts";

for (const layout of LAYOUT_NAMES) {
  const file = sample(layout);
  const { header: place } = LAYOUTS[layout];
  const headerAt = LAYOUTS[layout].trailer ? file.length - place.size : 0;

  Deno.test(`${layout}: the hash is the one that its definition gives`, () => {
    const { header, sections } = parseSmf(file);
    const zeroed = patched(file, [headerAt + place.fields.module_hash[0], 8, 0]);
    const slice = (from: number, length: number) => zeroed.subarray(from, from + length);
    const end = headerAt > 0 ? headerAt : file.length;
    const parts = [
      slice(headerAt, place.size),
      slice(header.sectionTableOffset, sections.length * LAYOUTS[layout].section.size),
      slice(header.symbolTableOffset, end - header.symbolTableOffset),
      ...sections.map(({ offset, size }) => slice(offset, size)),
    ];
    const list = Uint32Array.from(parts, (part) => xxh32(part));
    assertEquals(header.moduleHash, BigInt(file.length) << 32n | BigInt(xxh32(new Uint8Array(list.buffer))));
    assertEquals(new TextDecoder().decode(slice(headerAt + place.mark, 5)), WRITER_MARK);
  });

  Deno.test(`${layout}: a change of any byte that is read is detected`, () => {
    const { header, sections } = parseSmf(file);
    const padding = new Set<number>(file.keys());
    const covered = (from: number, length: number) => {
      for (let at = from; at < from + length; at++) padding.delete(at);
    };
    covered(headerAt, place.size);
    covered(header.sectionTableOffset, sections.length * LAYOUTS[layout].section.size);
    covered(header.symbolTableOffset, (headerAt > 0 ? headerAt : file.length) - header.symbolTableOffset);
    sections.forEach(({ offset, size }) => covered(offset, size));
    for (let at = 0; at < file.length; at++) {
      const change = patched(file, [at, 1, file[at] ^ 0x40]);
      const inMark = at >= headerAt + place.mark && at < headerAt + place.mark + 5;
      // Without the mark there is no hash to compare, and padding between the parts is not hashed.
      if (padding.has(at) || inMark) continue;
      assertThrows(() => parseSmf(change), LoadError, undefined, `byte ${at}`);
    }
  });
}

Deno.test("a changed byte is reported as a hash mismatch (row 43)", () => {
  const file = sample();
  const code = parseSmf(file).sections[0].offset;
  const error = assertLoadError(() => parseSmf(patched(file, [code + 1, 1, 8])), "InvalidFormat", {
    offset: 64,
  });
  assertMatch(error.message, /its bytes do not match the hash/);
});

Deno.test("a file that grew or shrank is reported as a size mismatch", () => {
  const file = sample();
  const grown = new Uint8Array([...file, 0]);
  assertMatch(
    assertLoadError(() => parseSmf(grown), "InvalidFormat", { value: file.length + 1 }).message,
    /its size does not match the size/,
  );
  assertMatch(
    assertLoadError(() => parseSmf(file.subarray(0, -1)), "InvalidFormat").message,
    /its size does not match the size/,
  );
});

Deno.test("without the mark, or with hash 0, nothing is compared", () => {
  const file = sample();
  const code = parseSmf(file).sections[0].offset;
  const changed = patched(file, [code + 1, 1, 8]);
  assertEquals(parseSmf(withHeader(changed, "module_hash", 0)).checksum, undefined);
  assertEquals(parseSmf(patched(changed, [88, 1, 0])).checksum, undefined);
  assertEquals(parseSmf(patched(changed, [88, 1, 0], [64, 8, 12345n])).header.moduleHash, 12345n);
});

zstdTest("sections can be read in any order, and the rest is read in small pieces", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, bytes: new Uint8Array(100).fill(0xc3) });
  builder.section({ name: "debug", type: 8, bytes: Uint8Array.from({ length: 200_001 }, (_, i) => i) });
  builder.section({ name: ".data", type: 2, bytes: new Uint8Array(5000).fill(3), compress: true });
  const bytes = builder.build();
  const file = readFrom(bytes, readSmf(bytes.length));
  for (const section of file.sections.filter(({ type }) => isLoaded(type)).reverse()) {
    readFrom(bytes, readSection(file, section, new Uint8Array(section.virtualSize)));
  }
  const asked: number[] = [];
  const reading = verifyModuleHash(file);
  for (let step = reading.next(bytes); !step.done;) {
    const { offset, length, into = new Uint8Array(length) } = step.value;
    asked.push(length);
    into.set(bytes.subarray(offset, offset + length));
    step = reading.next(into);
  }
  assertEquals(asked, [65_536, 65_536, 65_536, 200_001 - 3 * 65_536]);
});

Deno.test("the checksum accepts a section at once, in pieces or again, and no bytes beyond it", () => {
  const bytes = sample();
  const file = readFrom(bytes, readSmf(bytes.length));
  const checksum = file.checksum!;
  const [code, rodata] = file.sections;
  const stored = (section: typeof code) => bytes.subarray(section.offset, section.offset + section.size);
  assertThrows(() => checksum.finish(), TypeError, "was not read");
  checksum.section(code, stored(code).subarray(0, 2));
  assertEquals(checksum.seen(code), 2);
  assertThrows(() => checksum.section(code, stored(code)), RangeError);
  checksum.section(code, stored(code).subarray(2));
  checksum.section(code, new Uint8Array(6)); // the section is complete: ignored
  checksum.section(rodata, stored(rodata));
  readFrom(bytes, verifyModuleHash(file));
});
