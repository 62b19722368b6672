import { assertEquals, assertThrows } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { HeaderFlag, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { rawFile } from "../../fixtures/raw.ts";
import { bytesOf, contentsOf, LAYOUT_NAMES } from "../support/sample_files.ts";
import { zstdTest } from "../support/deno_version.ts";

const CODE = { name: "code", type: SectionType.Code, bytes: bytesOf(0xc3) };

Deno.test("files of other writers keep everything that is read when they are built again", () => {
  for (const layout of LAYOUT_NAMES) {
    const file = parseSmf(rawFile({
      layout,
      header: { flags: HeaderFlag.Executable, exported_count: 1, entry_point: 2 },
      garbage: () => 0xaa,
      sections: [
        { name: "code", section_type: 1, flags: 5, alignment: 16, bytes: bytesOf(0x90, 0x90, 0xc3) },
        { name: "odd", section_type: 77, flags: 1, alignment: 4, bytes: bytesOf(1, 2) },
      ],
      symbols: [{ name: "main", sym_type: 1, binding: 1 }, { name: "l", sym_type: 1, binding: 0, value: 1 }],
    }));
    const again = parseSmf(SmfBuilder.from(file).build());
    assertEquals(again.header.layout, layout);
    assertEquals([again.header.flags, again.header.entryPoint], [1, 2]);
    const [main, local] = again.symbols;
    assertEquals([main.name, main.value, main.visibility, local.name, local.value], ["main", 0, 1, "l", 1]);
    assertEquals(again.isDefined(0), true);
    assertEquals(
      (contentsOf(again) as { sections: unknown }).sections,
      (contentsOf(file) as { sections: unknown }).sections,
    );
  }
});

Deno.test("a P128 file with its header at the start is built again with its header at the end", () => {
  const source = rawFile({
    layout: "P128",
    sections: [{ name: "code", section_type: 1, flags: 5, alignment: 1, bytes: bytesOf(0xc3) }],
    symbols: [{ name: "main", sym_type: 0, binding: 1, size: 1 }],
  });
  assertEquals(parseSmf(SmfBuilder.from(parseSmf(source)).build()).symbols.at(0).type, SymbolType.Function);
});

zstdTest(
  "a file with compressed sections is not built again in layouts without a field for the method",
  () => {
    const builder = new SmfBuilder();
    builder.section({ ...CODE, compress: true });
    const file = parseSmf(builder.build());
    for (const layout of ["H72", "H80"] as const) {
      assertThrows(() => SmfBuilder.from(file, { layout }), TypeError, "no field for the method");
      assertEquals(
        parseSmf(SmfBuilder.from(file, { layout, compression: "none" }).build()).header.layout,
        layout,
      );
    }
  },
);
