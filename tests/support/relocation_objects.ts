// Objects with one relocation each, for tests of the linker.
import { SymbolKind } from "../../src/os/elf.ts";
import { addFunction, addVariable, CODE, ElfWriter } from "./objects.ts";

/** R_X86_64_*: the types that tests use. */
export const R = {
  64: 1,
  PC32: 2,
  PLT32: 4,
  GOTPCREL: 9,
  32: 10,
  "32S": 11,
  PC64: 24,
  GOTPCRELX: 41,
  REX_GOTPCRELX: 42,
};

/** Makes `from`, which refers at offset 4 to `to`, behind it in the same group. */
export function pair(type: number, addend: number | bigint, flags = CODE): Uint8Array {
  const writer = new ElfWriter();
  const bytes = new Uint8Array(16).fill(0x90);
  const from = writer.section({ name: ".text.from", flags, bytes, alignment: 16 });
  writer.symbol({ name: "from", section: from, size: 16 });
  const to = writer.section({ name: ".text.to", flags, bytes: new Uint8Array(48).fill(0xc3), alignment: 32 });
  const symbol = writer.symbol({ name: "to", section: to, value: 8, size: 8 });
  writer.relocation(from, { offset: 4, symbol, type, addend });
  return writer.build();
}

/** Makes code that refers at offset 4 to `inner`, a variable in another group. */
export function across(type: number, addend: number, machine?: number): { object: Uint8Array } {
  const writer = new ElfWriter(machine);
  const from = addFunction(writer, "from", new Uint8Array(16).fill(0x90));
  const to = addVariable(writer, "to", new Uint8Array(24));
  const local = writer.symbol({
    name: "inner",
    section: to,
    value: 16,
    size: 8,
    binding: 0,
    kind: SymbolKind.OBJECT,
  });
  writer.relocation(from, { offset: 4, symbol: local, type, addend });
  return { object: writer.build() };
}
