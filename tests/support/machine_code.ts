// Hand-made x86-64 machine code for tests.
import { addVariable, CODE, ElfWriter } from "./objects.ts";

/**
 * Builds an object with `int register(int *counter)`, which keeps the pointer
 * and registers with `atexit` a function that increments the counter.
 */
export function atexitObject(): Uint8Array {
  const writer = new ElfWriter();
  const place = addVariable(writer, "place", new Uint8Array(8));
  const handler = writer.section({
    name: ".text.handler",
    flags: CODE,
    alignment: 16,
    // mov place(%rip), %rax; incl (%rax); ret
    bytes: Uint8Array.of(0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xff, 0x00, 0xc3),
  });
  writer.relocation(handler, { offset: 3, symbol: writer.sectionSymbol(place), type: 2, addend: -4 });
  const register = writer.section({
    name: ".text.register",
    flags: CODE,
    alignment: 16,
    // mov %rdi, place(%rip); lea handler(%rip), %rdi; jmp atexit
    bytes: Uint8Array.of(0x48, 0x89, 0x3d, 0, 0, 0, 0, 0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0),
  });
  writer.symbol({ name: "register", section: register, kind: 2, size: 19 });
  writer.relocation(register, { offset: 3, symbol: writer.sectionSymbol(place), type: 2, addend: -4 });
  writer.relocation(register, { offset: 10, symbol: writer.sectionSymbol(handler), type: 2, addend: -4 });
  writer.relocation(register, { offset: 15, symbol: writer.symbol({ name: "atexit" }), type: 4, addend: -4 });
  return writer.build();
}
