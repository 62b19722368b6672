// The level of processors that a file needs: its names, and the byte of the header.
import { assertEquals, assertThrows } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { cpuLevel, cpuName, cpuNames } from "../../src/smf/cpu.ts";
import { Arch, SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { LAYOUTS, WRITER_MARK } from "../../src/smf/layout.ts";
import { bytesOf, LAYOUT_NAMES } from "../support/sample_files.ts";
import { H96_MODULE_HASH, patched } from "../support/testing.ts";

function fileWith(options: ConstructorParameters<typeof SmfBuilder>[0]): Uint8Array {
  const builder = new SmfBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes: bytesOf(0xc3) });
  return builder.build();
}

Deno.test("each level has a name, and each name its level", () => {
  for (const arch of [Arch.X86_64, Arch.Aarch64]) {
    cpuNames(arch).forEach((name, level) => {
      assertEquals([cpuName(arch, level), cpuLevel(arch, name)], [name, level]);
    });
  }
  assertEquals([cpuName(Arch.X86_64, 2), cpuName(Arch.Aarch64, 1)], ["x86-64-v3", "armv8.1-a"]);
  assertEquals([cpuName(Arch.X86_64, 9), cpuName(Arch.Riscv64, 0)], ["X86_64 level 9", "Riscv64"]);
});

Deno.test("a name of another architecture is refused, with the names that there are", () => {
  assertThrows(() => cpuLevel(Arch.X86_64, "armv8.1-a"), TypeError, "'x86-64-v4'");
  assertThrows(() => cpuLevel(Arch.Riscv64, "x86-64"), TypeError, "Riscv64 has no levels");
});

Deno.test("every layout keeps the level, also from one layout to another", () => {
  for (const layout of LAYOUT_NAMES) {
    const file = parseSmf(fileWith({ layout, cpu: 2 }));
    assertEquals([file.header.layout, file.header.cpu], [layout, 2]);
    for (const next of LAYOUT_NAMES) {
      assertEquals(parseSmf(SmfBuilder.from(file, { layout: next }).build()).header.cpu, 2, next);
    }
    assertEquals(parseSmf(fileWith({ layout })).header.cpu, 0);
  }
});

Deno.test("files of other writers need the baseline, whatever their unused bytes hold", () => {
  const { mark } = LAYOUTS.H96.header;
  const bytes = patched(fileWith({ cpu: 3 }), [mark, 1, 0], [H96_MODULE_HASH, 8, 0]);
  assertEquals(bytes[mark + WRITER_MARK.length], 3);
  assertEquals(parseSmf(bytes).header.cpu, 0);
});

Deno.test("a damaged level is found by the file's hash", () => {
  const { mark } = LAYOUTS.H96.header;
  const bytes = patched(fileWith({ cpu: 3 }), [mark + WRITER_MARK.length, 1, 0]);
  assertThrows(() => parseSmf(bytes), Error, "hash");
});

Deno.test("a level is a number of eight bits", () => {
  for (const cpu of [-1, 256, 1.5]) assertThrows(() => new SmfBuilder({ cpu }), RangeError, "processor");
});
