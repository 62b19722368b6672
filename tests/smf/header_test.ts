import { assertEquals, assertMatch } from "@std/assert";
import { HeaderFlag } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { LAYOUTS } from "../../src/smf/layout.ts";
import { MAX_SECTIONS } from "../../src/smf/limits.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { assertLoadError } from "../support/testing.ts";
import { LAYOUT_NAMES, sample, withHeader } from "../support/sample_files.ts";

const FULL = {
  platform: 2,
  arch: 1,
  flags: HeaderFlag.Executable | HeaderFlag.Reloadable,
  entryPoint: 3,
  sourceHash: 0xfedc_ba98_7654_3210n,
};
const HINTS = {
  appType: 2,
  windowWidth: 800,
  windowHeight: 600,
  prefetchHint: 4,
  prefetchFileCount: 5,
  compressionLevel: 6,
};

for (const layout of LAYOUT_NAMES) {
  const wide = LAYOUTS[layout].header.fields.app_type !== undefined;
  const file = sample(layout);
  const headerAt = LAYOUTS[layout].trailer ? file.length - LAYOUTS[layout].header.size : 0;
  const where = (field: keyof typeof LAYOUTS.H72.header.fields) =>
    headerAt + LAYOUTS[layout].header.fields[field]![0];

  Deno.test(`${layout}: every field of the header is read`, () => {
    const options = { ...FULL, ...(wide && HINTS) };
    const { header } = parseSmf(sample(layout, options));
    assertEquals({ ...header, ...options }, header);
    assertEquals(header.layout, layout);
    assertEquals([header.versionMajor, header.versionMinor], [1, 1]);
    assertEquals([header.sectionCount, header.symbolCount, header.exportedCount], [6, 4, 2]);
    assertEquals([header.stubSize, header.smfDataOffset, header.base], [0, 0, 0]);
    assertEquals(header.moduleHash >> 32n, BigInt(file.length));
  });

  Deno.test(`${layout}: other versions, platforms, processors and flags are refused`, () => {
    assertLoadError(() => parseSmf(withHeader(file, "version_major", 2)), "Unsupported", {
      offset: headerAt + 4,
      value: "2.1",
    });
    assertLoadError(() => parseSmf(withHeader(file, "version_minor", 2)), "Unsupported", { value: "1.2" });
    assertLoadError(() => parseSmf(withHeader(file, "platform", 6)), "InvalidFormat", {
      offset: headerAt + 6,
      value: 6,
      range: [0, 6],
    });
    assertLoadError(() => parseSmf(withHeader(file, "arch", 8)), "InvalidFormat", {
      offset: headerAt + 7,
      value: 8,
    });
    assertLoadError(() => parseSmf(withHeader(file, "flags", 0x100)), "Unsupported", {
      offset: headerAt + 8,
      value: 0x100,
    });
  });

  Deno.test(`${layout}: a table offset above 2^53 is refused (row 5)`, () => {
    for (const field of ["section_table_offset", "symbol_table_offset"] as const) {
      for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
        assertLoadError(() => parseSmf(withHeader(file, field, value)), "InvalidFormat", {
          offset: where(field),
          value,
        });
      }
    }
    assertLoadError(() => parseSmf(withHeader(file, "entry_point", 2n ** 60n)), "InvalidFormat", {
      offset: where("entry_point"),
    });
  });

  Deno.test(`${layout}: a table that passes the end of the file is refused (row 6)`, () => {
    for (const field of ["section_table_offset", "symbol_table_offset"] as const) {
      for (const value of [file.length - 10, file.length, 2 ** 53 - 1]) {
        const error = assertLoadError(() => parseSmf(withHeader(file, field, value)), "InvalidFormat");
        assertMatch(error.message, /(past|pass) the end of the file/);
      }
    }
  });

  Deno.test(`${layout}: invalid counts are refused before they cause an allocation (row 8)`, () => {
    for (const field of ["section_count", "symbol_count"] as const) {
      const error = assertLoadError(() => parseSmf(withHeader(file, field, 2 ** 32 - 1)), "InvalidFormat");
      assertMatch(error.message, /4294967295 entries of \d+ bytes pass the end of the file/);
    }
    const none = assertLoadError(() => parseSmf(withHeader(file, "section_count", 0)), "InvalidFormat", {
      value: 0,
    });
    assertMatch(none.message, /no entries/);
  });

  Deno.test(`${layout}: tables that overlap are refused (row 7)`, () => {
    const { header } = parseSmf(file);
    const { sectionTableOffset } = header;
    for (const value of [sectionTableOffset, sectionTableOffset + 1, sectionTableOffset - 1]) {
      const error = assertLoadError(
        () => parseSmf(withHeader(file, "symbol_table_offset", value)),
        "InvalidFormat",
      );
      assertMatch(error.message, /overlaps the (section table|header)/);
    }
    if (LAYOUTS[layout].trailer) return;
    // Nothing tells the reader that the last eight bytes of H80's header belong to it.
    const size = layout === "H80" ? 72 : LAYOUTS[layout].header.size;
    for (const value of [1, 8, size - 1]) {
      assertLoadError(() => parseSmf(withHeader(file, "section_table_offset", value)), "InvalidFormat");
      const error = assertLoadError(
        () => parseSmf(withHeader(file, "symbol_table_offset", value)),
        "InvalidFormat",
      );
      assertMatch(error.message, /overlaps the header/);
    }
  });
}

Deno.test("a file without symbols needs no symbol table", () => {
  for (const layout of LAYOUT_NAMES) {
    const builder = new SmfBuilder({ layout });
    builder.section({ name: "code", type: 1, bytes: new Uint8Array([0xc3]) });
    const file = parseSmf(builder.build());
    assertEquals([file.symbols.length, file.header.symbolTableOffset], [0, 0]);
    assertEquals(file.symbols.find("main"), undefined);
  }
});

Deno.test("a section count over the limit is refused before the table is read", () => {
  const size = 96 + (MAX_SECTIONS + 1) * 56;
  const bytes = new Uint8Array(size);
  bytes.set(sample("H96").subarray(0, 96));
  bytes.fill(0, 88, 93); // no hash
  const view = new DataView(bytes.buffer);
  view.setUint32(16, MAX_SECTIONS + 1, true);
  view.setUint32(32, 0, true); // no symbols
  view.setUint32(40, 0, true);
  assertLoadError(() => parseSmf(bytes), "Unsupported", {
    value: MAX_SECTIONS + 1,
    range: [1, MAX_SECTIONS + 1],
  });
});

Deno.test("every offset is relative to the end of the stub, except in errors", () => {
  const stub = new TextEncoder().encode("#!/usr/bin/env simple\n");
  for (const layout of ["H96-trailer", "P128"] as const) {
    const plain = parseSmf(sample(layout));
    const file = parseSmf(sample(layout, { stub }));
    assertEquals([file.header.stubSize, file.header.smfDataOffset, file.header.base], [22, 22, 22]);
    assertEquals(file.header.flags, HeaderFlag.HasStub);
    assertEquals(file.header.symbolTableOffset, plain.header.symbolTableOffset + 22);
    assertEquals(file.header.sectionTableOffset, plain.header.sectionTableOffset + 22);
    assertEquals(file.sections.map(({ offset }) => offset), plain.sections.map(({ offset }) => offset + 22));
    assertEquals([...file.relocations], [...plain.relocations]);
    assertEquals(file.contents(file.sections[0]), plain.contents(plain.sections[0]));
    assertEquals(file.stub(), stub);
  }
});

Deno.test("H96 ignores a data offset without the stub flag, P128 does not", () => {
  const wrong = (layout: "H96" | "H96-trailer" | "P128") =>
    withHeader(withHeader(sample(layout), "module_hash", 0), "smf_data_offset", 8);
  assertEquals(parseSmf(wrong("H96")).header.base, 0);
  assertEquals(parseSmf(wrong("H96-trailer")).header.base, 0);
  assertLoadError(() => parseSmf(wrong("P128")), "InvalidFormat");
});

Deno.test("a data offset outside the file is refused", () => {
  const stub = new Uint8Array(16).fill(10);
  for (const layout of ["H96-trailer", "P128"] as const) {
    const file = sample(layout, { stub });
    assertLoadError(() => parseSmf(withHeader(file, "smf_data_offset", 0xffff_ffff)), "InvalidFormat");
    assertLoadError(() => parseSmf(withHeader(file, "smf_data_offset", 15)), "InvalidFormat");
  }
});

Deno.test("flag 0x10 is ignored in H72", () => {
  const file = withHeader(withHeader(sample("H72"), "module_hash", 0), "flags", 0x10);
  assertEquals(parseSmf(file).header.base, 0);
});
