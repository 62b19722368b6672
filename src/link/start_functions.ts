/**
 * The functions that the options `init` and `fini` name (DT_INIT and DT_FINI of a shared library): an object
 * whose initialiser runs before all others, and whose finaliser runs after all others.
 */
import { SectionFlag, SectionType } from "../os/elf.ts";
import { archOf } from "./arch/mod.ts";
import { machineOf } from "./defsym.ts";
import { ElfWriter } from "../os/elf_writer.ts";
import type { ReadInput } from "./resolve.ts";

/** Returns the inputs, behind an object that starts the functions. */
export function withStartFunctions(
  inputs: readonly ReadInput[],
  { init, fini }: { readonly init?: string; readonly fini?: string },
): readonly ReadInput[] {
  const machine = init === undefined && fini === undefined ? undefined : machineOf(inputs);
  if (machine === undefined) return inputs;
  const writer = new ElfWriter(machine);
  // Arrays of finalisers run from their end, so the smallest number is the last.
  const start = (function_: string | undefined, name: string, type: number): void => {
    if (function_ === undefined) return;
    const flags = SectionFlag.ALLOC | SectionFlag.WRITE;
    const array = writer.section({ name: `${name}.0`, type, flags, bytes: new Uint8Array(8), alignment: 8 });
    const symbol = writer.symbol({ name: function_ });
    writer.relocation(array, { offset: 0, symbol, type: archOf(machine).absolute64 });
  };
  start(init, ".init_array", SectionType.INIT_ARRAY);
  start(fini, ".fini_array", SectionType.FINI_ARRAY);
  return [{ name: "(started by option)", bytes: writer.build() }, ...inputs];
}
