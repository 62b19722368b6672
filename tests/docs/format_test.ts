// Compares docs/format.md with the code.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { relocationArch } from "../../src/image/relocation/mod.ts";
import { cpuNames } from "../../src/smf/cpu.ts";
import * as enums from "../../src/smf/enums.ts";
import {
  LAYOUTS,
  RELOCATION_FIELDS,
  RELOCATION_SIZE,
  SYMBOL_FIELDS,
  WRITER_MARK,
} from "../../src/smf/layout.ts";
import * as limits from "../../src/smf/limits.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";
import { KINDS, MAGIC } from "../../src/types/encoding.ts";
import { MAX_FILE_SIZE } from "../../src/load/file/source.ts";
import { Markdown } from "../support/markdown.ts";

const FORMAT = new Markdown("docs/format.md");

/** Parses `16`, `0x10`, `2^4` or `−2^4`. */
function number(text: string): bigint {
  const [, sign, base, exponent] = /^(−?)(\w+)(?:\^(\d+))?$/.exec(text) ?? [];
  assert(base !== undefined, `'${text}' is not a number`);
  return (sign === "" ? 1n : -1n) * BigInt(base) ** BigInt(exponent ?? 1);
}

const orDash = (value: number | undefined): string => value === undefined ? "–" : String(value);

Deno.test("the layouts are those of the code", () => {
  assertEquals(
    FORMAT.table("Layouts").map((row) => Object.values(row)),
    Object.values(LAYOUTS).map(({ name, header, trailer, section, symbolSize, symbolTypeBase }) => [
      name,
      String(header.size),
      trailer ? "at the end" : "at the start",
      String(section.size),
      String(symbolSize),
      String(symbolTypeBase),
    ]),
  );
});

Deno.test("the header's fields are those of the code", () => {
  const { H72, H80, H96, P128 } = LAYOUTS;
  assertEquals(H72.header.fields, H80.header.fields);
  assertEquals(LAYOUTS["H96-trailer"].header, H96.header);
  const fields = Object.entries(H96.header.fields);
  assertEquals(Object.keys(P128.header.fields).length, fields.length);
  const byName = (layout: typeof H72, name: string) =>
    (layout.header.fields as Record<string, readonly [number, number] | undefined>)[name];
  assertEquals(
    FORMAT.table("Header").map((row) => Object.values(row)),
    fields.map(([name, [offset, size]]) => {
      for (const layout of [H72, P128]) assertEquals(byName(layout, name)?.[1] ?? size, size, name);
      return [
        name,
        String(size),
        orDash(byName(H72, name)?.[0]),
        String(offset),
        orDash(byName(P128, name)?.[0]),
      ];
    }),
  );
});

Deno.test("the fields of sections, symbols and relocations are those of the code", () => {
  const { H96, P128 } = LAYOUTS;
  assertEquals(
    FORMAT.table("Sections").map((row) => Object.values(row)),
    Object.entries(H96.section.fields).map(([name, field]) => [
      name,
      field.join(", "),
      P128.section.fields[name as keyof typeof P128.section.fields].join(", "),
    ]),
  );
  assertStringIncludes(FORMAT.prose, `at offset ${H96.section.name} or ${P128.section.name}`);
  for (const [title, table] of [["Symbols", SYMBOL_FIELDS], ["Relocations", RELOCATION_FIELDS]] as const) {
    assertEquals(
      FORMAT.table(title).map((row) => Object.values(row)),
      Object.entries(table).map(([name, [offset, size]]) => [name, String(offset), String(size)]),
    );
  }
  assertStringIncludes(FORMAT.prose, `entries of ${RELOCATION_SIZE} bytes`);
});

for (
  const name of [
    "AppType",
    "Arch",
    "Binding",
    "Compression",
    "HeaderFlag",
    "Platform",
    "SectionFlag",
    "SectionType",
    "SymbolType",
  ] as const
) {
  Deno.test(`${name} has the numbers of the code`, () => {
    assertEquals(
      Object.fromEntries(FORMAT.table(name).map(({ value, name }) => [name, Number(number(value))])),
      { ...enums[name] },
    );
  });
}

Deno.test("the records of types have the numbers and names of the code", () => {
  const rows = FORMAT.table("Records of types");
  assertEquals(
    rows.map(({ kind, name }) => [Number(kind), name]),
    KINDS.slice(1).map((name, i) => [i + 1, name!]),
  );
  const bytes = [...MAGIC].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");
  assertStringIncludes(FORMAT.prose, bytes);
});

for (const [title, arch] of [["x86-64", enums.Arch.X86_64], ["AArch64", enums.Arch.Aarch64]] as const) {
  Deno.test(`the relocations of ${title} are those of the code`, () => {
    const { widths, range } = relocationArch(arch);
    const rows = [...FORMAT.table(title), ...FORMAT.table("Thread-local variables and ifuncs")]
      .toSorted((a, b) => Number(a.value) - Number(b.value));
    const known = [...widths.keys()].filter((type) => widths[type] >= 0);
    assertEquals(rows.map(({ value }) => Number(value)), known);
    for (const { value, name, bytes, lowest, below } of rows) {
      const type = Number(value);
      assertEquals(name, enums.relocationTypeName(type, arch));
      assertEquals(Number(bytes), widths[type], name);
      if (lowest) assertEquals([number(lowest), number(below)], [...range(type)], name);
    }
  });
}

Deno.test("the limits are those of the code", () => {
  const known = { ...limits, MAX_FILE_SIZE } as Record<string, number>;
  const rows = FORMAT.table("Limits");
  assertEquals(rows.map(({ limit }) => limit).toSorted(), Object.keys(known).toSorted());
  for (const { limit, value } of rows) assertEquals(Number(number(value)), known[limit], limit);
});

Deno.test("the image's groups are those of the code", () => {
  const rows = FORMAT.table("The image");
  const typeOf = (name: string) => enums.SectionType[name as keyof typeof enums.SectionType];
  const sections = rows.flatMap((row) => {
    const type = typeOf(row["section type"]);
    return [{ type, virtualSize: 10, alignment: 64 }, { type, virtualSize: 10, alignment: 64 }];
  });
  const { groups, offsets } = imageOffsets(sections);
  assertEquals(groups.map(({ kind }) => kind), rows.map(({ group }) => group as typeof groups[0]["kind"]));
  assertEquals(groups.map(({ start }) => start), [0, 4096, 8192, 12288]);
  // Code sections are packed; other sections keep their alignment.
  assertEquals(offsets.slice(0, 4), [0, 10, 4096, 4096 + 64]);
});

Deno.test("the levels of processors and the offsets of their byte are those of the code", () => {
  const [x86, arm] = [enums.Arch.X86_64, enums.Arch.Aarch64].map(cpuNames);
  assertEquals(
    FORMAT.table("Cpu").map((row) => Object.values(row)),
    x86.map((name, level) => [String(level), name, arm[level]]),
  );
  assertEquals(arm.length, x86.length);
  const at = (name: keyof typeof LAYOUTS): number => LAYOUTS[name].header.mark + WRITER_MARK.length;
  assertStringIncludes(
    FORMAT.prose,
    `at ${at("H72")} in H72, ${at("H80")} in H80, ${at("H96")} in H96, ${at("P128")} in P128`,
  );
});

Deno.test("the offsets of the hash mark are those of the code", () => {
  const { H72, H80, H96, P128 } = LAYOUTS;
  assertStringIncludes(
    FORMAT.prose.replaceAll("\n", " "),
    `at ${H72.header.mark} in H72, ${H80.header.mark} in H80, ${H96.header.mark} in H96, ${P128.header.mark} in P128`,
  );
});
