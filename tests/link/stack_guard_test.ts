// The guard value of stack frames for code that does not find it in the thread's block, as code for macOS.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../mod.ts";
import { Machine } from "../../src/os/elf.ts";
import { Platform } from "../../src/smf/enums.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { ElfWriter, functionObject, link } from "../support/objects.ts";

Deno.test("a module for Linux on x86-64 has a copy of the guard, which is made before other initialisers", () => {
  const linked = link(functionObject("f", 1, ["__stack_chk_guard"]));
  assertEquals(linked.importNames(), []);
  assertEquals(linked.target(linked.section(".preinit_array").address), linked.at("__copy_stack_guard"));
  const { map } = linkObjects([{ name: "f.o", bytes: functionObject("f", 1, ["__stack_chk_guard"]) }], {
    platform: Platform.FreeBSD,
  });
  assertEquals(map.imports.map(({ name }) => name), ["__stack_chk_guard"]);
});

Deno.test("on AArch64 the guard is that of the system", () => {
  const writer = new ElfWriter(Machine.AARCH64);
  const text = writer.section({ name: ".text", flags: 6, bytes: new Uint8Array(8), alignment: 4 });
  writer.symbol({ name: "f", section: text, size: 8, kind: 2 });
  const symbol = writer.symbol({ name: "__stack_chk_guard" });
  writer.relocation(text, { offset: 0, symbol, type: 257 });
  assertEquals(link(writer.build()).importNames(), ["__stack_chk_guard"]);
});

const SOURCE = `
#include <string.h>
extern unsigned long __stack_chk_guard;
unsigned long guard(void) { return __stack_chk_guard; }
int length(const char *text) { char copy[32]; strcpy(copy, text); return (int)strlen(copy); }
`;

testWithCompilers(["gcc"], "guarded functions run, with a guard that nobody can know", async (folder) => {
  Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
  const flags = ["-O1", "-fPIC", "-fstack-protector-all", "-mstack-protector-guard=global"];
  await compile("gcc", [...flags, "-c", "a.c", "-o", "a.o"], folder);
  using registry = new ModuleRegistry();
  const { bytes } = linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }]);
  const { symbols } = registry.loadBytes("a", bytes as Uint8Array<ArrayBuffer>).bind({
    guard: { parameters: [], result: "u64" },
    length: { parameters: ["buffer"], result: "i32" },
  });
  assertNotEquals(symbols.guard(), 0n);
  assert((symbols.guard() & 0xffn) === 0n, "its first byte ends a text");
  assertEquals(symbols.length(new TextEncoder().encode("text\0")), 4);
});
