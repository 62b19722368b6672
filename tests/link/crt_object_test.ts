// The names that the linker defines for the C runtime: __dso_handle, atexit, pthread_atfork.
import { assertEquals } from "@std/assert";
import { SymbolBinding } from "../../src/os/elf.ts";
import { addFunction, ElfWriter, functionObject, link } from "../support/objects.ts";

Deno.test("nothing is added to modules that do not refer to these names", () => {
  const linked = link(functionObject("f", 1, ["malloc"]));
  assertEquals(linked.importNames(), ["malloc"]);
  assertEquals(linked.map.sections.map(({ name }) => name), [".text"]);
});

Deno.test("atexit registers with the module's handle, and registrations end with the module", () => {
  const linked = link(functionObject("f", 1, ["atexit"]));
  assertEquals(linked.map.imports.map(({ name, weak }) => [name, weak]), [["__cxa_atexit", false], [
    "__cxa_finalize",
    true,
  ]]);
  assertEquals(linked.exportNames(), ["f"]);
  const at = linked.at("atexit");
  assertEquals(linked.bytesAt(at, 3), [0x48, 0x8d, 0x15], "lea __dso_handle(%rip), %rdx");
  assertEquals(linked.settled(at + 3) + 4, linked.at("__dso_handle"));
  const { address, size } = linked.section(".fini_array");
  assertEquals(size, 8);
  assertEquals(linked.target(address), linked.at("__finalize_module"));
});

Deno.test("the finaliser comes only with a reference to the handle", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  writer.symbol({ name: "__dso_handle" });
  assertEquals(link(writer.build()).map.sections.map(({ name }) => name), [".text"]);
});

Deno.test("pthread_atfork passes the handle as its fourth argument", () => {
  const linked = link(functionObject("f", 1, ["pthread_atfork"]));
  assertEquals(linked.bytesAt(linked.at("pthread_atfork"), 3), [0x48, 0x8d, 0x0d]);
  assertEquals(linked.importNames().includes("__register_atfork"), true);
});

Deno.test("a handle that an input defines is used", () => {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 0, symbol: writer.symbol({ name: "atexit" }), type: 4, addend: -4 });
  const data = writer.section({ name: ".data", flags: 3, bytes: new Uint8Array(8) });
  writer.symbol({ name: "__dso_handle", section: data, visibility: 2 });
  const linked = link(writer.build());
  assertEquals(linked.importNames(), ["__cxa_atexit"]);
  assertEquals(linked.settled(linked.at("atexit") + 3) + 4, linked.section(".data").address);
});

Deno.test("a weak reference to the handle resolves too, as Rust's library makes it", () => {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(16));
  const handle = writer.symbol({ name: "__dso_handle", binding: SymbolBinding.WEAK });
  writer.relocation(f, { offset: 0, symbol: handle, type: 2, addend: -4 });
  const linked = link(writer.build());
  assertEquals(linked.importNames(), ["__cxa_finalize"]);
  assertEquals(linked.section(".fini_array").size, 8);
});

for (const name of ["atexit", "pthread_atfork"]) {
  Deno.test(`a weak reference to ${name} resolves too, as allocators make it`, () => {
    const writer = new ElfWriter();
    const f = addFunction(writer, "f", new Uint8Array(16));
    const weak = writer.symbol({ name, binding: SymbolBinding.WEAK });
    writer.relocation(f, { offset: 0, symbol: weak, type: 4, addend: -4 });
    const linked = link(writer.build());
    assertEquals(linked.importNames().includes(name), false);
    assertEquals(linked.settled(linked.at("f")) + 4, linked.at(name));
  });
}
