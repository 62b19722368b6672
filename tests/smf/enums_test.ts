import { assertEquals } from "@std/assert";
import * as enums from "../../src/smf/enums.ts";

Deno.test("every number has a name, and unknown numbers are described", () => {
  assertEquals(enums.platformName(1), "Linux");
  assertEquals(enums.platformName(9), "platform 9");
  assertEquals(enums.archName(0), "X86_64");
  assertEquals(enums.archName(200), "arch 200");
  assertEquals(enums.compressionName(1), "Zstd");
  assertEquals(enums.appTypeName(2), "Gui");
  assertEquals(enums.sectionTypeName(4), "Bss");
  assertEquals(enums.sectionTypeName(99), "section type 99");
  assertEquals(enums.symbolTypeName(1), "Function");
  assertEquals(enums.bindingName(2), "Weak");
});

Deno.test("relocation type 5 is named by processor", () => {
  assertEquals(enums.relocationTypeName(5, enums.Arch.X86_64), "Abs32");
  assertEquals(enums.relocationTypeName(5, enums.Arch.Aarch64), "Arm64Branch26");
  assertEquals(enums.relocationTypeName(2, enums.Arch.Aarch64), "Pc32");
  assertEquals(enums.relocationTypeName(77, enums.Arch.X86_64), "relocation type 77");
});

Deno.test("flags are listed by name, unknown bits in hexadecimal", () => {
  assertEquals(enums.headerFlagNames(3), "Executable|Reloadable");
  assertEquals(enums.headerFlagNames(0), "0");
  assertEquals(enums.sectionFlagNames(5), "Read|Exec");
  assertEquals(enums.sectionFlagNames(0x8000_0001 | 0), "Read|0x80000000");
});

Deno.test("properties of Object.prototype are not names of numbers", () => {
  assertEquals(enums.platformName(NaN), "platform NaN");
});
