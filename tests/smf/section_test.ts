import { assertEquals, assertMatch } from "@std/assert";
import { parseSmf, SmfFile } from "../../src/smf/file.ts";
import { SectionFlag, SectionType } from "../../src/smf/enums.ts";
import { LAYOUTS } from "../../src/smf/layout.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE } from "../../src/smf/limits.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { assertLoadError } from "../support/testing.ts";
import {
  bytesOf,
  LAYOUT_NAMES,
  sample,
  withHeader,
  withSection,
  withSectionName,
} from "../support/sample_files.ts";
import { rawFile, rawRelocations } from "../../fixtures/raw.ts";

const CODE = 0, RODATA = 1, DATA = 2, BSS = 3, NOTE = 4, RELOC = 5;

/** A file without a hash, so that changes are not refused as such. */
const open = withHeader(sample(), "module_hash", 0);

/** Returns the file offset of a section's field. */
const field = (index: number, name: keyof typeof LAYOUTS.H96.section.fields) =>
  96 + index * 56 + LAYOUTS.H96.section.fields[name][0];

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: every field of a section is read`, () => {
    const { sections, size } = parseSmf(sample(layout));
    const [code, rodata, data, bss, note, reloc] = sections;
    assertEquals(sections.map(({ name }) => name), ["code", ".rodata", ".data", ".bss", "note", ".reloc"]);
    assertEquals(sections.map(({ index }) => index), [0, 1, 2, 3, 4, 5]);
    assertEquals(sections.map(({ type }) => type), [1, 3, 2, 4, 8, 5]);
    assertEquals(sections.map(({ flags }) => flags), [5, 1, 3, 3, 1, 1]);
    assertEquals(sections.map(({ alignment }) => alignment), [16, 16, 16, 16, 1, 8]);
    assertEquals([code.size, code.virtualSize], [6, 6]);
    assertEquals([rodata.size, data.size, data.virtualSize, bss.size, bss.virtualSize], [4, 24, 32, 0, 64]);
    assertEquals([note.size, reloc.size], [3, 48]);
    for (const { offset, size: length } of sections) assertEquals(offset + length <= size, true);
  });

  Deno.test(`${layout}: data past the end of the file is refused (row 9)`, () => {
    const file = sample(layout);
    for (const value of [file.length - 2, file.length, 2 ** 40, 2 ** 53 - 1]) {
      const error = assertLoadError(
        () => parseSmf(withSection(file, CODE, "offset", value)),
        "InvalidFormat",
        {
          section: "code",
          value,
        },
      );
      assertMatch(error.message, /passes the end of the file/);
    }
    for (const index of [RODATA, NOTE, RELOC]) {
      assertLoadError(() => parseSmf(withSection(file, index, "size", file.length)), "InvalidFormat");
    }
  });
}

Deno.test("a section's error has the offset of its record", () => {
  assertLoadError(() => parseSmf(withSection(open, DATA, "offset", 1 << 30)), "InvalidFormat", {
    section: ".data",
    offset: field(DATA, "offset"),
    value: 1 << 30,
  });
});

Deno.test("offsets and sizes above 2^53 are refused (row 5)", () => {
  for (const name of ["offset", "size", "virtual_size", "alignment"] as const) {
    for (const index of [CODE, NOTE]) {
      assertLoadError(() => parseSmf(withSection(open, index, name, 2n ** 63n)), "InvalidFormat", {
        section: index === CODE ? "code" : "note",
        offset: field(index, name),
        value: 2n ** 63n,
      });
    }
  }
});

Deno.test("data that lies in the header or in a table is refused (row 7)", () => {
  const { header } = parseSmf(open);
  const places = [[0, "header"], [95, "header"], [96, "section table"], [
    header.symbolTableOffset,
    "symbol table",
  ]];
  for (const [value, what] of places as [number, string][]) {
    for (const index of [CODE, RELOC]) {
      const file = withSection(withSection(open, index, "size", 0), index, "offset", value);
      parseSmf(file); // has no bytes
      const wrong = withSection(
        withSection(open, index, "offset", value),
        index,
        "size",
        index === CODE ? 6 : 24,
      );
      const error = assertLoadError(() => parseSmf(wrong), "InvalidFormat", { value });
      assertMatch(error.message, new RegExp(`overlaps the ${what}`));
    }
  }
  // Sections that are skipped may overlap the tables.
  parseSmf(withSection(open, NOTE, "offset", header.symbolTableOffset));
});

Deno.test("more bytes in the file than in memory are refused (row 10)", () => {
  for (const index of [CODE, RODATA, DATA]) {
    const error = assertLoadError(
      () => parseSmf(withSection(open, index, "virtual_size", 2)),
      "InvalidFormat",
      {
        offset: field(index, "size"),
      },
    );
    assertMatch(error.message, /more bytes in the file than in memory/);
  }
  assertEquals(parseSmf(withSection(open, NOTE, "virtual_size", 0)).sections[NOTE].virtualSize, 0);
});

Deno.test("a virtual size over the limit is refused, alone or in sum (row 11)", () => {
  for (const value of [MAX_IMAGE_SIZE + 1, 2 ** 40, 2 ** 53 - 1]) {
    const error = assertLoadError(
      () => parseSmf(withSection(open, BSS, "virtual_size", value)),
      "InvalidFormat",
      {
        section: ".bss",
        offset: field(BSS, "virtual_size"),
        value,
        range: [0, MAX_IMAGE_SIZE + 1],
      },
    );
    assertMatch(error.message, /virtual size is too large/);
  }
  const half = MAX_IMAGE_SIZE / 2;
  const both = withSection(withSection(open, BSS, "virtual_size", half), DATA, "virtual_size", half);
  assertMatch(assertLoadError(() => parseSmf(both), "InvalidFormat").message, /together they are too large/);
  const rest = MAX_IMAGE_SIZE - 3 * 4096;
  assertEquals(parseSmf(withSection(open, BSS, "virtual_size", rest)).sections[BSS].virtualSize, rest);
  assertLoadError(() => parseSmf(withSection(open, BSS, "virtual_size", rest + 1)), "InvalidFormat");
});

Deno.test("gaps due to alignment count towards the limit", () => {
  const builder = new SmfBuilder();
  for (let i = 0; i < 100; i++) {
    builder.section({ name: "d", type: SectionType.Data, virtualSize: 1, alignment: MAX_ALIGNMENT });
  }
  assertLoadError(() => parseSmf(builder.build()), "InvalidFormat");
});

Deno.test("alignment 0 means 1; other values that are not a power of two, or too large, are refused (row 12)", () => {
  assertEquals(parseSmf(withSection(open, DATA, "alignment", 0)).sections[DATA].alignment, 1);
  assertEquals(
    parseSmf(withSection(open, DATA, "alignment", MAX_ALIGNMENT)).sections[DATA].alignment,
    MAX_ALIGNMENT,
  );
  for (const value of [3, 24, 4097, MAX_ALIGNMENT + 1, MAX_ALIGNMENT * 2, 2 ** 31, 2 ** 31 + 1, 2 ** 52]) {
    assertLoadError(() => parseSmf(withSection(open, DATA, "alignment", value)), "InvalidFormat", {
      section: ".data",
      offset: field(DATA, "alignment"),
      value,
      range: [1, MAX_ALIGNMENT + 1],
    });
  }
  parseSmf(withSection(open, NOTE, "alignment", 3)); // never placed
});

Deno.test("a section that is both writable and executable is refused (row 13)", () => {
  const { Read, Write, Exec } = SectionFlag;
  for (const index of [CODE, RODATA, DATA, BSS]) {
    for (const flags of [Write | Exec, Read | Write | Exec]) {
      const file = withSection(open, index, "flags", flags);
      const error = assertLoadError(() => parseSmf(file), "InvalidFormat", {
        offset: field(index, "flags"),
        value: flags,
      });
      assertMatch(error.message, /writable and executable/);
    }
  }
  // Code is executable with or without the flag.
  assertLoadError(() => parseSmf(withSection(open, CODE, "flags", Read | Write)), "InvalidFormat");
  assertEquals(parseSmf(withSection(open, CODE, "flags", 0)).sections[CODE].flags, 0);
});

Deno.test("unknown flags are refused in sections that are used", () => {
  assertLoadError(() => parseSmf(withSection(open, DATA, "flags", 0x13)), "Unsupported", { value: 0x13 });
  parseSmf(withSection(open, NOTE, "flags", 0xffff_ffff & ~SectionFlag.Compressed));
});

Deno.test("sections of unknown types are skipped, with any other fields (row 14)", () => {
  for (const type of [0, 17, 99, 255]) {
    let file = withSection(open, NOTE, "section_type", type);
    file = withSection(withSection(file, NOTE, "flags", 0xffff_ffff), NOTE, "alignment", 77);
    const parsed = parseSmf(file);
    assertEquals(parsed.sections[NOTE].type, type);
    assertEquals(parsed.contents({ ...parsed.sections[NOTE], compressed: false }), bytesOf(9, 9, 9));
  }
});

Deno.test("a section type is one byte, which padding follows", () => {
  const garbage = open.slice();
  garbage.set([0xaa, 0xbb, 0xcc], field(CODE, "section_type") + 1);
  assertEquals(parseSmf(garbage).sections[CODE].type, SectionType.Code);
});

Deno.test("Bss has no bytes, with any stored size", () => {
  const file = withSection(withSection(open, BSS, "size", 1 << 20), BSS, "offset", 2 ** 40);
  assertEquals(parseSmf(file).sections[BSS].size, 0);
});

Deno.test("a name may have all 16 bytes, or none", () => {
  const name = "0123456789abcdef";
  const full = parseSmf(withSectionName(open, CODE, new TextEncoder().encode(name)));
  assertEquals(full.sections[CODE].name, name);
  const none = withSectionName(open, CODE, bytesOf());
  assertEquals(parseSmf(none).sections[CODE].name, "");
  assertLoadError(() => parseSmf(withSection(none, CODE, "alignment", 3)), "InvalidFormat", {
    section: "#0",
  });
});

Deno.test("a name that is not UTF-8 is refused", () => {
  for (const name of [bytesOf(0xff), bytesOf(0x61, 0xc3), bytesOf(0xed, 0xa0, 0x80)]) {
    assertLoadError(() => parseSmf(withSectionName(open, DATA, name)), "InvalidFormat", {
      section: "#2",
      offset: 96 + 2 * 56 + 40,
    });
  }
});

Deno.test("compressed sections need a supported method (row 15)", () => {
  const flagged = withSection(open, DATA, "flags", 3 | SectionFlag.Compressed);
  assertMatch(assertLoadError(() => parseSmf(flagged), "Unsupported").message, /names no method/);
  const lz4 = assertLoadError(() => parseSmf(withHeader(flagged, "compression", 2)), "Unsupported", {
    section: ".data",
    value: 2,
  });
  assertMatch(lz4.message, /lz4/);
  assertMatch(
    assertLoadError(() => parseSmf(withHeader(flagged, "compression", 3)), "Unsupported").message,
    /unknown method/,
  );
  parseSmf(withHeader(open, "compression", 2)); // no section uses the method
  const h72 = withSection(withHeader(sample("H72"), "module_hash", 0), DATA, "flags", 11);
  assertLoadError(() => parseSmf(h72), "Unsupported");
});

Deno.test("files with the section types of the first plan are refused with this reason", () => {
  for (
    const [name, type] of [[".rodata", 4], [".bss", 3], [".reloc", 6], ["rela", 6], [".symtab", 5]] as const
  ) {
    const file = rawFile({
      layout: "H72",
      sections: [
        { name: "code", section_type: 1, flags: 5, alignment: 1, bytes: bytesOf(0xc3) },
        { name, section_type: type, flags: 1, alignment: 8, bytes: new Uint8Array(48) },
      ],
      symbols: [{ name: "main", sym_type: 1, binding: 1 }],
    });
    assertMatch(
      assertLoadError(() => parseSmf(file), "Unsupported", { section: name }).message,
      /first plan/,
    );
  }
});

Deno.test("a Reloc section has a whole number of relocations", () => {
  for (const value of [1, 23, 25, 47]) {
    const error = assertLoadError(() => parseSmf(withSection(open, RELOC, "size", value)), "InvalidFormat", {
      section: ".reloc",
      value,
    });
    assertMatch(error.message, /not a multiple of 24/);
  }
  assertEquals(parseSmf(withSection(open, RELOC, "size", 24)).relocations.length, 1);
});

Deno.test("sections that share bytes cannot be larger in total than the file", () => {
  const bytes = rawRelocations([{ offset: 0, symbol_index: 0, reloc_type: 0, addend: 0n }]);
  const sections = Array.from({ length: 200 }, (_, i) => ({
    name: `r${i}`,
    section_type: SectionType.Reloc,
    flags: 1,
    alignment: 8,
    bytes: i === 0 ? new Uint8Array(24 * 50) : bytes.subarray(0, 0),
  }));
  const file = rawFile({ layout: "H72", sections, symbols: [{ name: "main", sym_type: 1, binding: 1 }] });
  parseSmf(file);
  const view = new DataView(file.buffer);
  for (let i = 1; i < 200; i++) {
    view.setBigUint64(72 + i * 56 + 8, view.getBigUint64(72 + 8, true), true);
    view.setBigUint64(72 + i * 56 + 16, BigInt(24 * 50), true);
  }
  const error = assertLoadError(() => parseSmf(file), "InvalidFormat");
  assertMatch(error.message, /together they are larger than the file/);
});

Deno.test("a file is an SmfFile, with its own size", () => {
  const file = parseSmf(open);
  assertEquals(file instanceof SmfFile, true);
  assertEquals(file.size, open.length);
});

/** A copy of a P128 file with the names of some sections at 40, behind an alignment of 64 bits. */
function withLongAlignments(file: Uint8Array, isLong: (index: number) => boolean): Uint8Array {
  const copy = file.slice();
  const start = new DataView(file.buffer).getUint32(file.length - 128 + 20, true);
  for (let index = 0; index <= RELOC; index++) {
    const record = start + 64 * index;
    if (!isLong(index)) continue;
    copy.copyWithin(record + 40, record + 36, record + 52);
    copy.fill(0, record + 36, record + 40);
  }
  return copy;
}

Deno.test("P128: names behind alignments of 64 bits are read, for each section by itself", () => {
  const file = withHeader(sample("P128"), "module_hash", 0);
  const plain = parseSmf(file);
  for (const isLong of [() => true, (index: number) => index % 2 === 1]) {
    const read = parseSmf(withLongAlignments(file, isLong));
    assertEquals(read.sections, plain.sections);
    assertEquals([...read.symbols], [...plain.symbols]);
    // Written again, the file is as this package writes it.
    assertEquals(
      parseSmf(SmfBuilder.from(read).build()).sections,
      parseSmf(SmfBuilder.from(plain).build()).sections,
    );
  }
});

Deno.test("P128: names of 16 bytes behind alignments of 64 bits, empty names and broken ones", () => {
  const file = withHeader(sample("P128"), "module_hash", 0);
  const start = new DataView(file.buffer).getUint32(file.length - 128 + 20, true);
  const named = (...changes: readonly (readonly [offset: number, bytes: Uint8Array])[]) => {
    const copy = file.slice();
    copy.fill(0, start + 36, start + 64);
    for (const [offset, bytes] of changes) copy.set(bytes, start + offset);
    return () => parseSmf(copy).sections[CODE].name;
  };
  const long = new TextEncoder().encode("abcdefghijklmnop");
  assertEquals(named([40, long])(), "abcdefghijklmnop");
  assertEquals(named([36, long])(), "abcdefghijklmnop");
  assertEquals(named()(), "");
  assertLoadError(named([40, bytesOf(0xff)]), "InvalidFormat", { offset: start + 40 });
});
