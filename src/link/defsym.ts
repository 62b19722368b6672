/**
 * Constants that an option defines: an object with nothing but absolute symbols.
 */
import { SectionIndex, SymbolVisibility } from "../os/elf.ts";
import { isArchive } from "./elf/archive.ts";
import { parseObject } from "./elf/object.ts";
import { ElfWriter } from "./elf/writer.ts";
import type { LinkInput } from "./resolve.ts";

/** Returns the inputs, behind an object that defines the constants. */
export function withConstants(
  inputs: readonly LinkInput[],
  constants: readonly (readonly [name: string, value: number])[],
): readonly LinkInput[] {
  const first = inputs.find(({ bytes }) => !isArchive(bytes));
  if (constants.length === 0 || first === undefined) return inputs;
  const writer = new ElfWriter(parseObject(first.name, first.bytes).machine);
  for (const [name, value] of constants) {
    writer.symbol({ name, value, section: SectionIndex.ABS, visibility: SymbolVisibility.HIDDEN });
  }
  return [{ name: "(defined by option)", bytes: writer.build() }, ...inputs];
}
