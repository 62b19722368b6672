import { assertEquals, assertThrows } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import type { SectionOptions, SmfBuilderOptions, SymbolOptions } from "../../src/smf/builder_options.ts";
import { Binding, HeaderFlag, SectionFlag, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { LAYOUTS, RELOCATION_FIELDS, SYMBOL_FIELDS } from "../../src/smf/layout.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE, MAX_NAME_LENGTH, MAX_SECTIONS } from "../../src/smf/limits.ts";
import { bytesOf, LAYOUT_NAMES, sample } from "../support/sample_files.ts";
import { zstdTest } from "../support/deno_version.ts";

const CODE = { name: "code", type: SectionType.Code, bytes: bytesOf(0xc3) };

function withCode(options: SmfBuilderOptions = {}): SmfBuilder {
  const builder = new SmfBuilder(options);
  builder.section(CODE);
  return builder;
}

Deno.test("H96, Linux and x86-64 are the defaults", () => {
  const { header } = parseSmf(withCode().build());
  assertEquals([header.layout, header.platform, header.arch, header.flags], ["H96", 1, 0, 0]);
});

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: the same calls make the same bytes`, () => {
    assertEquals(sample(layout), sample(layout));
  });

  Deno.test(`${layout}: every byte outside fields is zero`, () => {
    const file = sample(layout);
    const { header, sections } = parseSmf(file);
    const owned = new Uint8Array(file.length);
    const own = (at: number, size: number) => owned.fill(1, at, at + size);
    const { header: head, section: record, symbolSize } = LAYOUTS[layout];
    own(header.offset, 4);
    own(header.offset + head.mark, 5);
    for (const field of Object.values(head.fields)) if (field) own(header.offset + field[0], field[1]);
    for (const { index, offset, size } of sections) {
      const at = header.sectionTableOffset + index * record.size;
      own(at + record.name, 16);
      for (const [from, length] of Object.values(record.fields)) own(at + from, length);
      own(offset, size);
    }
    for (let i = 0; i < header.symbolCount; i++) {
      const at = header.symbolTableOffset + i * symbolSize;
      for (const [from, length] of Object.values(SYMBOL_FIELDS)) {
        if (from < symbolSize) own(at + from, length);
      }
    }
    const strings = header.symbolTableOffset + header.symbolCount * symbolSize;
    own(strings, (header.offset > 0 ? header.offset : file.length) - strings);
    file.forEach((byte, at) => assertEquals(owned[at] === 1 || byte === 0, true, `byte ${at}`));
    // The type of a relocation is one byte; three bytes of padding follow.
    const reloc = sections[5];
    for (let at = reloc.offset; at < reloc.offset + reloc.size; at += 24) {
      assertEquals(file.subarray(at + RELOCATION_FIELDS.reloc_type[0] + 1, at + 16), new Uint8Array(3));
    }
  });

  Deno.test(`${layout}: tables and contents are aligned`, () => {
    const { header, sections } = parseSmf(sample(layout));
    assertEquals([header.sectionTableOffset % 8, header.symbolTableOffset % 8], [0, 0]);
    for (const section of sections) {
      if (section.size > 0) assertEquals(section.offset % section.alignment, 0, section.name);
    }
  });

  Deno.test(`${layout}: parsing and building again gives the same bytes`, () => {
    const options = { flags: HeaderFlag.Executable, entryPoint: 3, sourceHash: 2n ** 64n - 1n };
    const wide = LAYOUTS[layout].header.fields.app_type !== undefined;
    for (
      const file of [
        sample(layout, options),
        ...(wide
          ? [sample(layout, { ...options, appType: 4, windowWidth: 1, windowHeight: 2, prefetchHint: 3 })]
          : []),
        ...(LAYOUTS[layout].trailer ? [sample(layout, { stub: bytesOf(1, 2, 3) })] : []),
      ]
    ) {
      assertEquals(SmfBuilder.from(parseSmf(file)).build(), file);
    }
  });
}

Deno.test("a builder can add more after it has built", () => {
  const builder = withCode();
  const first = builder.build();
  assertEquals(builder.build(), first);
  const f = builder.symbol({ name: "f", type: SymbolType.Function });
  builder.relocation({ offset: 0, symbol: f, type: 0 });
  assertEquals(parseSmf(builder.build()).sections.map(({ name }) => name), ["code", ".reloc"]);
  assertEquals(parseSmf(builder.build()).relocations.length, 1);
});

Deno.test("flags and alignment have defaults by type", () => {
  const builder = new SmfBuilder();
  for (const type of [1, 2, 3, 4, 8]) builder.section({ name: `s${type}`, type });
  builder.section({ name: "own", type: 2, flags: SectionFlag.Read, alignment: 0x1000 });
  const { sections } = parseSmf(builder.build());
  assertEquals(sections.map(({ flags }) => flags), [5, 3, 1, 3, 1, 1]);
  assertEquals(sections.map(({ alignment }) => alignment), [16, 16, 16, 16, 1, 4096]);
});

Deno.test("equal names share their bytes, and the empty name is at 0", () => {
  const builder = withCode();
  builder.symbol({ name: "f", type: 1, binding: Binding.Local });
  builder.symbol({ name: "", type: 1, binding: Binding.Local });
  builder.symbol({ name: "f", type: 1, binding: Binding.Local });
  const file = builder.build();
  const { symbols, header } = parseSmf(file);
  assertEquals([...symbols].map(({ name }) => name), ["f", "", "f"]);
  const strings = file.subarray(header.symbolTableOffset + 3 * 56);
  assertEquals(strings, bytesOf(0, 0x66, 0));
});

Deno.test("exported_count is the number of defined globals", () => {
  const builder = withCode();
  builder.symbol({ name: "a", type: 1 });
  builder.symbol({ name: "b", type: 1, binding: Binding.Weak });
  builder.symbol({ name: "c", type: 1, binding: Binding.Local });
  builder.symbol({ name: "d", type: 1, defined: false });
  const file = parseSmf(builder.build());
  assertEquals(file.header.exportedCount, 1);
  assertEquals(file.imports(), ["d"]);
});

Deno.test("header options that cannot be written are refused", () => {
  const wrong: [SmfBuilderOptions, new () => Error][] = [
    [{ layout: "H64" as "H72" }, TypeError],
    [{ layout: "__proto__" as "H72" }, TypeError],
    [{ stub: bytesOf(1) }, TypeError],
    [{ layout: "H72", stub: bytesOf(1) }, TypeError],
    [{ platform: 6 }, RangeError],
    [{ arch: 8 }, RangeError],
    [{ flags: 0x100 }, RangeError],
    [{ flags: HeaderFlag.HasStub }, TypeError],
    [{ entryPoint: -1 }, RangeError],
    [{ entryPoint: 1.5 }, RangeError],
    [{ entryPoint: 2 ** 53 }, RangeError],
    [{ compression: 2 }, RangeError],
  ];
  for (const [options, error] of wrong) assertThrows(() => new SmfBuilder(options), error);
  const late: [SmfBuilderOptions, new () => Error][] = [
    [{ sourceHash: 2n ** 64n }, RangeError],
    [{ sourceHash: -1n }, RangeError],
    [{ layout: "H72", appType: 1 }, TypeError],
    [{ layout: "H80", windowWidth: 1 }, TypeError],
    [{ windowWidth: 65536 }, RangeError],
    [{ appType: 256 }, RangeError],
  ];
  for (const [options, error] of late) assertThrows(() => withCode(options).build(), error);
  assertThrows(() => new SmfBuilder().build(), TypeError, "no sections");
});

Deno.test("sections that cannot be written are refused", () => {
  const wrong: [Partial<SectionOptions>, new () => Error][] = [
    [{ name: "0123456789abcdefg" }, RangeError],
    [{ name: "ééééééééé" }, RangeError],
    [{ name: "a\0b" }, TypeError],
    [{ name: "\ud800" }, TypeError],
    [{ type: 256 }, RangeError],
    [{ type: -1 }, RangeError],
    [{ alignment: 0 }, RangeError],
    [{ alignment: 3 }, RangeError],
    [{ alignment: MAX_ALIGNMENT * 2 }, RangeError],
    [{ alignment: NaN }, RangeError],
    [{ virtualSize: 0 }, RangeError],
    [{ virtualSize: MAX_IMAGE_SIZE + 1 }, RangeError],
    [{ virtualSize: 1.5 }, RangeError],
    [{ flags: SectionFlag.Write | SectionFlag.Exec }, TypeError],
    [{ flags: SectionFlag.Write }, TypeError],
    [{ flags: 16 }, RangeError],
    [{ flags: SectionFlag.Compressed }, TypeError],
    [{ compressed: true }, TypeError],
    [{ type: SectionType.Bss }, TypeError],
    [{ type: SectionType.Bss, bytes: bytesOf(), compress: true }, TypeError],
  ];
  for (const [options, error] of wrong) {
    assertThrows(
      () => new SmfBuilder().section({ ...CODE, ...options }),
      error,
      undefined,
      JSON.stringify(options),
    );
  }
  const full = new SmfBuilder();
  for (let i = 0; i < MAX_SECTIONS - 1; i++) full.section(CODE); // one place is reserved for relocations
  assertThrows(() => full.section(CODE), RangeError, "too many");
});

zstdTest("a section that is to be compressed in a file without compression is refused", () => {
  const none = new SmfBuilder({ compression: 0 });
  none.section({ ...CODE, compress: true });
  assertThrows(() => none.build(), TypeError, "compression is None");
});

Deno.test("symbols that cannot be written are refused", () => {
  const wrong: [Partial<SymbolOptions>, new () => Error][] = [
    [{ name: "a\0" }, TypeError],
    [{ name: "\udfff" }, TypeError],
    [{ name: "x".repeat(MAX_NAME_LENGTH + 1) }, RangeError],
    [{ type: 7 }, RangeError],
    [{ binding: 3 }, RangeError],
    [{ value: -1 }, RangeError],
    [{ value: 2 ** 53 }, RangeError],
    [{ size: 0.5 }, RangeError],
    [{ defined: false, value: 1 }, TypeError],
    [{ defined: false, size: 1 }, TypeError],
    [{ defined: false, visibility: 1 }, TypeError],
    [{ defined: false, binding: Binding.Local }, TypeError],
    [{ visibility: 0 }, TypeError],
    [{ name: "taken" }, TypeError],
  ];
  const builder = withCode();
  builder.symbol({ name: "taken", type: 1 });
  for (const [options, error] of wrong) {
    assertThrows(
      () => builder.symbol({ name: "s", type: 1, ...options }),
      error,
      undefined,
      JSON.stringify(options),
    );
  }
  assertEquals(parseSmf(builder.build()).symbols.length, 1); // refused symbols leave nothing behind
  const packed = withCode({ layout: "P128" });
  assertThrows(() => packed.symbol({ name: "s", type: SymbolType.None }), TypeError);
  const narrow = withCode({ layout: "H72" });
  narrow.symbol({ name: "s", type: 1, templateOffset: 5 });
  assertThrows(() => narrow.build(), TypeError, "template_offset");
});

Deno.test("relocations that cannot be written are refused", () => {
  const builder = withCode();
  const symbol = builder.symbol({ name: "f", type: 1 });
  const good = { offset: 0, symbol, type: 1 };
  for (
    const options of [
      { offset: -1 },
      { offset: 2 ** 53 },
      { symbol: 1 },
      { symbol: -1 },
      { symbol: 0.5 },
      { type: 256 },
      { addend: 2n ** 63n },
      { addend: -(2n ** 63n) - 1n },
      { addend: 0.5 },
      { addend: 2 ** 60 },
    ]
  ) {
    assertThrows(() => builder.relocation({ ...good, ...options }), RangeError);
  }
  assertEquals(parseSmf(builder.build()).relocations.length, 0);
});
