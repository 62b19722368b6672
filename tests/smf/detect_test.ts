import { assertEquals, assertMatch } from "@std/assert";
import { detect } from "../../src/smf/detect.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { type LayoutName, LAYOUTS } from "../../src/smf/layout.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { type RawFile, rawFile } from "../../fixtures/raw.ts";
import { assertLoadError, patched, randomFrom, stress } from "../support/testing.ts";
import { bytesOf, LAYOUT_NAMES, sample } from "../support/sample_files.ts";

const layoutOf = (bytes: Uint8Array): LayoutName => readFrom(bytes, detect(bytes.length)).layout.name;
const text = (value: string) => new TextEncoder().encode(value);

const CODE = {
  name: "code",
  section_type: 1,
  flags: 5,
  alignment: 16,
  bytes: bytesOf(0xb8, 7, 0, 0, 0, 0xc3),
};
const MAIN = { name: "main", sym_type: 1, binding: 1 };
const MAIN_FILE = { sections: [CODE], symbols: [MAIN], header: { flags: 1, exported_count: 1 } };

Deno.test("each layout is detected, with any version", () => {
  for (const layout of LAYOUT_NAMES) {
    for (const [version_major, version_minor] of [[0, 1], [1, 0], [1, 1]]) {
      const bytes = rawFile({
        ...MAIN_FILE,
        layout,
        header: { ...MAIN_FILE.header, version_major, version_minor },
      });
      assertEquals(layoutOf(bytes), layout);
      assertEquals(parseSmf(bytes).symbols.at(0).name, "main");
    }
  }
});

Deno.test("garbage in every padding byte changes nothing", () => {
  const next = randomFrom(1);
  for (const layout of LAYOUT_NAMES) {
    for (let round = 0; round < 50; round++) {
      assertEquals(layoutOf(rawFile({ ...MAIN_FILE, layout, garbage: () => next() })), layout);
    }
  }
});

Deno.test("20,000 files with counts that look like header sizes, stubs and random padding are detected", () => {
  const next = randomFrom(2);
  for (let round = 0; round < stress(20_000); round++) {
    const layout = LAYOUT_NAMES[next() % LAYOUT_NAMES.length];
    const count = [1, 2, 64, 72, 80, 96, 128][next() % 7];
    const symbols = [0, 1, 2, 72, 96][next() % 5];
    const versions = [[0, 1], [1, 0], [1, 1]][next() % 3];
    const raw: RawFile = {
      layout,
      sections: Array.from({ length: count }, (_, i) => ({ ...CODE, name: `s${i}` })),
      symbols: Array.from({ length: symbols }, (_, i) => ({ ...MAIN, name: `f${i}`, value: i })),
      header: {
        version_major: versions[0],
        version_minor: versions[1],
        exported_count: symbols * (next() % 2),
      },
      garbage: next() % 2 === 0 ? () => next() : undefined,
    };
    assertEquals(layoutOf(rawFile(raw)), layout, `round ${round}: ${count} sections, ${symbols} symbols`);
  }
});

Deno.test("an empty file and one shorter than a header are refused (row 1)", () => {
  assertMatch(assertLoadError(() => parseSmf(new Uint8Array(0)), "InvalidFormat").message, /empty/);
  for (const length of [1, 3, 4, 5, 12, 71]) {
    assertLoadError(() => parseSmf(sample("H72").subarray(0, length)), "InvalidFormat");
  }
  for (const length of [5, 71, 80, 95]) {
    const cut = sample("H96").subarray(0, length);
    const error = assertLoadError(() => parseSmf(cut), "InvalidFormat", { value: length });
    assertMatch(error.message, /header: the file ends inside it/);
  }
});

Deno.test("a bad magic number is refused, and the error has the bytes in its place (row 2)", () => {
  const error = assertLoadError(() => parseSmf(patched(sample(), [3, 1, 1])), "InvalidFormat", {
    value: "53 4d 46 01",
  });
  assertMatch(error.message, /no SMF header/);
  for (const bytes of [text("hello"), new Uint8Array(4096), text("\x7fELF...."), text("!<arch>\n")]) {
    assertLoadError(() => parseSmf(bytes), "InvalidFormat");
  }
});

Deno.test("if no layout fits, the error is about the most likely one (row 3)", () => {
  // The section table's offset is 72 or 96: right behind the header of the layout.
  const h72 = patched(sample("H72"), [24, 8, 1 << 30]);
  assertEquals(assertLoadError(() => parseSmf(h72), "InvalidFormat").data.value, 1 << 30);
  const h96 = patched(sample("H96"), [32, 8, 1 << 30]);
  assertEquals(assertLoadError(() => parseSmf(h96), "InvalidFormat").data.value, 1 << 30);
});

Deno.test("no truncated file is accepted", () => {
  for (const layout of LAYOUT_NAMES) {
    const file = sample(layout);
    for (let length = 0; length < file.length; length++) {
      assertLoadError(() => parseSmf(file.subarray(0, length)), "InvalidFormat");
    }
  }
});

Deno.test("truncated files of other writers are refused", () => {
  for (const layout of ["H72", "H80", "H96"] as const) {
    const file = rawFile({ ...MAIN_FILE, layout });
    for (let length = 0; length < file.length; length++) {
      try {
        parseSmf(file.subarray(0, length));
        throw new Error(`accepted ${length} of ${file.length} bytes`);
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
      }
    }
  }
});

Deno.test("a header at the start takes precedence over text that looks like one at the end", () => {
  for (const distance of [96, 128]) {
    for (const layout of ["H72", "H80", "H96"] as const) {
      // The magic number is a name and its NUL.
      const names = ["x".repeat(200), "SMF"];
      const file = rawFile({
        ...MAIN_FILE,
        layout,
        symbols: [...names, "y".repeat(distance - 5)].map((name, i) => ({ ...MAIN, name, value: i + 1 })),
      });
      assertEquals(text("SMF\0"), file.subarray(file.length - distance, file.length - distance + 4));
      assertEquals(layoutOf(file), layout);
    }
  }
});

Deno.test("a whole trailing header in a string table is ignored", () => {
  const inner = rawFile({ ...MAIN_FILE, layout: "H96-trailer" });
  const outer = rawFile({ ...MAIN_FILE, layout: "H72" });
  const both = new Uint8Array([...outer, ...inner]);
  assertEquals(layoutOf(both), "H72");
  assertEquals(parseSmf(both).symbols.length, 1);
});

Deno.test("a P128 trailer whose reserved bytes hold the magic at EOF-96 is P128", () => {
  const file = rawFile({ ...MAIN_FILE, layout: "P128", header: { symbol_count: 1, exported_count: 0 } });
  // Offset 32 of P128's header: the high half of the symbol table's offset, then the count.
  assertEquals(layoutOf(patched(file, [file.length - 128 + 104, 4, 0x00464d53])), "P128");
});

Deno.test("an H96 trailer with the magic at EOF-128 is H96", () => {
  const symbols = [MAIN, { ...MAIN, name: "SMF", value: 1 }, { ...MAIN, name: "z".repeat(27), value: 2 }];
  const file = rawFile({ ...MAIN_FILE, layout: "H96-trailer", symbols });
  assertEquals(file.subarray(file.length - 128, file.length - 124), text("SMF\0"));
  assertEquals(layoutOf(file), "H96-trailer");
});

Deno.test("a P128 header at the start of the file is read too", () => {
  const { fields, size } = LAYOUTS.P128.header;
  const trailing = rawFile({ ...MAIN_FILE, layout: "P128" });
  const bytes = new Uint8Array(trailing.length);
  bytes.set(trailing.subarray(trailing.length - size));
  bytes.set(trailing.subarray(0, trailing.length - size), size);
  const moved = (field: "section_table_offset" | "symbol_table_offset") => {
    const at = fields[field][0];
    return [at, 8, new DataView(bytes.buffer).getBigUint64(at, true) + BigInt(size)] as const;
  };
  const section = Number(moved("section_table_offset")[2]);
  const file = patched(bytes, moved("section_table_offset"), moved("symbol_table_offset"), [
    section + 8,
    8,
    size,
  ]);
  assertEquals(layoutOf(file), "P128");
  assertEquals(parseSmf(file).contents(parseSmf(file).sections[0]), CODE.bytes);
  assertEquals(parseSmf(file).symbols.at(0).name, "main");
});

Deno.test("H80 is told from H72 by the use of bytes 72 to 79", () => {
  // Tables elsewhere: the section table last, the code at 72 or at 80.
  const moved = (codeAt: number) => {
    const size = 80 + 6;
    const bytes = new Uint8Array(size + 56);
    const source = rawFile({ ...MAIN_FILE, layout: "H72", symbols: [] });
    bytes.set(source.subarray(0, 72));
    bytes.set(CODE.bytes, codeAt);
    bytes.set(source.subarray(72, 128), size);
    return patched(bytes, [16, 8, size], [24, 8, 0], [size + 8, 8, codeAt]);
  };
  assertEquals(layoutOf(moved(72)), "H72");
  assertEquals(layoutOf(moved(80)), "H80");
});

Deno.test("containers are refused with their name", () => {
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array([...text("LSMF"), 1, 0, ...new Uint8Array(200)]), /LSM library archive/],
    [new Uint8Array([...text("SSMF"), 1, 0, ...new Uint8Array(240)]), /settlement/],
    [new Uint8Array([...text("\x7fELF"), ...new Uint8Array(200), ...text("SSMFOFFS")]), /settlement/],
    [new Uint8Array([...text("#!/bin/sh\n"), ...new Uint8Array(80), ...text("SPK1")]), /SPK package/],
  ];
  for (const [bytes, message] of cases) {
    assertMatch(assertLoadError(() => parseSmf(bytes), "Unsupported").message, message);
  }
});

Deno.test("the old 64-byte header is refused with this reason", () => {
  const bytes = new Uint8Array(300);
  bytes.set(text("SMF\0"));
  const file = patched(bytes, [5, 1, 1], [12, 4, 2], [16, 8, 64], [24, 4, 1]);
  assertMatch(assertLoadError(() => parseSmf(file), "Unsupported").message, /64-byte header/);
});

Deno.test("64 sections in an H96 file are not taken for an old header", () => {
  const builder = new SmfBuilder();
  for (let i = 0; i < 64; i++) builder.section({ name: `s${i}`, type: 1, bytes: bytesOf(0xc3) });
  assertEquals(parseSmf(builder.build()).sections.length, 64);
});

Deno.test("bytecode files are refused with this reason", () => {
  const section = { ...CODE, bytes: text("BCOD\x01\0\x01\0\0\0") };
  const file = rawFile({
    ...MAIN_FILE,
    layout: "H96",
    sections: [section],
    symbols: [],
    header: { version_major: 1, platform: 0, flags: 1, symbol_table_offset: 0, symbol_count: 3 },
  });
  assertMatch(assertLoadError(() => parseSmf(file), "Unsupported").message, /bytecode/);
});

Deno.test("a file that fits two layouts equally is refused as ambiguous", () => {
  // H72: one section at 128, symbols (none) at 1000. H96: 128 sections at 1000, no symbols.
  const both = new Uint8Array(16384);
  both.set(text("SMF\0"));
  both[5] = 1;
  const v = new DataView(both.buffer);
  v.setUint32(12, 1, true);
  v.setBigUint64(16, 128n, true);
  v.setBigUint64(24, 1000n, true);
  assertMatch(assertLoadError(() => parseSmf(both), "InvalidFormat").message, /more than one fits/);
  // Valid records decide: now H72's table is valid, and H96's 128 zeroed records are not.
  both.set([9, 0, 0, 0], 128);
  both.set(text("dbg"), 128 + 40);
  assertEquals(layoutOf(both), "H80");
});
