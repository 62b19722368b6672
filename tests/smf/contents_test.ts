import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { readSection, refuseForeignCode } from "../../src/smf/contents.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { parseSmf, readSmf } from "../../src/smf/file.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { rawFile } from "../../fixtures/raw.ts";
import { assertLoadError } from "../support/testing.ts";
import { sample } from "../support/sample_files.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("a section is read into its memory, and no byte after or beside it is written", () => {
  const bytes = sample();
  const file = readFrom(bytes, readSmf(bytes.length));
  const data = file.sections[2];
  const memory = new Uint8Array(50).fill(0xee);
  readFrom(bytes, readSection(file, data, memory.subarray(9, 41)));
  assertEquals(memory.subarray(9, 9 + data.size), new Uint8Array(data.size));
  const untouched = [...memory.subarray(0, 9), ...memory.subarray(9 + data.size)];
  assertEquals(untouched, Array(50 - data.size).fill(0xee));
  const bss = new Uint8Array(64).fill(0xee);
  readFrom(bytes, readSection(file, file.sections[3], bss));
  assertEquals(bss, new Uint8Array(64).fill(0xee));
});

Deno.test("a section needs exactly its virtual size", () => {
  const bytes = sample();
  const file = readFrom(bytes, readSmf(bytes.length));
  for (const length of [0, 5, 7]) {
    assertThrows(
      () => readFrom(bytes, readSection(file, file.sections[0], new Uint8Array(length))),
      RangeError,
    );
  }
});

Deno.test("code that no processor can run is refused, compressed or not", () => {
  for (const [code, message] of [["BCOD\x01\0", /bytecode/], ["\x7fELF\x02", /whole ELF file/]] as const) {
    const file = rawFile({
      layout: "H72",
      sections: [{ name: "code", section_type: 1, flags: 5, alignment: 1, bytes: text(code) }],
      symbols: [{ name: "main", sym_type: 1, binding: 1 }],
    });
    const error = assertLoadError(() => parseSmf(file), "Unsupported", { section: "code", offset: 128 });
    assertMatch(error.message, message);
    const known = readFrom(file, readSmf(file.length));
    const into = new Uint8Array(code.length);
    assertLoadError(() => readFrom(file, readSection(known, known.sections[0], into)), "Unsupported");

    refuseForeignCode({ ...known.sections[0], type: SectionType.Data }, text(code));
    if (!HAS_ZSTD) continue;

    const builder = new SmfBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: text(code), compress: true });
    const packed = builder.build();
    const file2 = readFrom(packed, readSmf(packed.length)); // not visible before it is decompressed
    assertLoadError(() => readFrom(packed, readSection(file2, file2.sections[0], into)), "Unsupported");
  }
  refuseForeignCode(parseSmf(sample()).sections[0], text("BCO"));
});
