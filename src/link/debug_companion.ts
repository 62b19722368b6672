/**
 * The companion file: the debug information of a module, as an ELF file that other tools read, too. Its sections
 * of code and data have no bytes, only their offsets in the module's image for addresses.
 */
import { ObjectType, SectionFlag, SymbolBinding, SymbolKind } from "../os/elf.ts";
import { ElfWriter, nameBytes } from "../os/elf_writer.ts";
import { DEBUG_PLACES, encodePlaces } from "../smf/debug.ts";
import { SectionType, SymbolType } from "../smf/enums.ts";
import type { OutputSection } from "./input.ts";
import type { LinkedDebug } from "./debug_output.ts";

/** A function or a variable of the module. */
export interface CompanionSymbol {
  readonly name: string;
  /** A `SymbolType`. */
  readonly type: number;
  readonly address: number;
  readonly size: number;
  readonly isExported: boolean;
}

/**
 * Writes the companion file.
 *
 * @param machine An ELF machine number.
 */
export function writeCompanion(
  machine: number,
  outputs: readonly OutputSection[],
  symbols: readonly CompanionSymbol[],
  { sections, places }: LinkedDebug,
): Uint8Array {
  const writer = new ElfWriter(machine, ObjectType.DYN);
  const indexes = outputs.map(({ name, type, address, size, alignment }) =>
    writer.section({ name: nameBytes(name), address, size, alignment, flags: flagsOf(type) })
  );
  for (const { name, bytes } of sections) writer.section({ name, bytes, flags: 0 });
  writer.section({ name: DEBUG_PLACES, bytes: encodePlaces(places), flags: 0 });
  for (const { name, type, address, size, isExported } of symbols) {
    const output = outputs.findIndex((output) =>
      address >= output.address && address < output.address + output.size
    );
    if (output === -1) continue;
    writer.symbol({
      name: nameBytes(name),
      section: indexes[output],
      value: address,
      size,
      binding: isExported ? SymbolBinding.GLOBAL : SymbolBinding.LOCAL,
      kind: type === SymbolType.Function
        ? SymbolKind.FUNC
        : type === SymbolType.Data
        ? SymbolKind.OBJECT
        : SymbolKind.NOTYPE,
    });
  }
  return writer.build();
}

function flagsOf(type: number): number {
  switch (type) {
    case SectionType.Code:
      return SectionFlag.ALLOC | SectionFlag.EXECINSTR;
    case SectionType.RoData:
      return SectionFlag.ALLOC;
    default:
      return SectionFlag.ALLOC | SectionFlag.WRITE;
  }
}
