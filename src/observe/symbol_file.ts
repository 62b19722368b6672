/**
 * The symbol file of a module in memory, for debuggers: an ELF file with its symbols and its debug information, in
 * which every address is the one in memory.
 */
import { Machine, ObjectType, SectionFlag, SymbolBinding, SymbolKind } from "../os/elf.ts";
import { ElfWriter, nameBytes } from "../os/elf_writer.ts";
import { DEBUG_PLACES, decodePlaces, NOWHERE_HIGH } from "../smf/debug.ts";
import { Arch, Binding, SectionType, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { SmfSection } from "../smf/section.ts";

/** A section in memory. */
export interface SectionInMemory {
  readonly section: SmfSection;
  readonly address: bigint;
}

/** A module in memory. */
export interface ModuleInMemory {
  readonly file: SmfFile;
  /** The sections that are loaded. */
  readonly sections: readonly SectionInMemory[];
  /** Returns the address of an offset in the file's image; undefined for one outside. */
  addressOf(offset: number): bigint | undefined;
}

/**
 * Writes a symbol file.
 *
 * @param debug The sections of debug information by their whole names, and the list of places; may be empty.
 * @throws {LoadError} `InvalidFormat` if the list of places is damaged.
 */
export function writeSymbolFile(
  { file, sections, addressOf }: ModuleInMemory,
  debug: ReadonlyMap<string, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const machine = file.header.arch === Arch.Aarch64 ? Machine.AARCH64 : Machine.X86_64;
  const writer = new ElfWriter(machine, ObjectType.EXEC);
  const indexes = sections.map(({ section: { name, type, virtualSize, alignment }, address }) =>
    writer.section({ name: nameBytes(name), address, size: virtualSize, alignment, flags: flagsOf(type) })
  );
  for (const [name, bytes] of relocated(debug, addressOf)) writer.section({ name, bytes, flags: 0 });
  const inside = (address: bigint): number =>
    sections.findIndex(({ section: { virtualSize }, address: start }) =>
      address >= start && address < start + BigInt(virtualSize)
    );
  const { symbols } = file;
  for (let index = 0; index < symbols.length; index++) {
    const type = symbols.type(index);
    if (type !== SymbolType.Function && type !== SymbolType.Data || !symbols.isDefined(index)) continue;
    const value = addressOf(symbols.value(index));
    const section = value === undefined ? -1 : inside(value);
    if (section === -1) continue;
    writer.symbol({
      name: nameBytes(symbols.name(index)),
      section: indexes[section],
      value: value!,
      size: symbols.size(index),
      binding: symbols.binding(index) === Binding.Local ? SymbolBinding.LOCAL : SymbolBinding.GLOBAL,
      kind: type === SymbolType.Function ? SymbolKind.FUNC : SymbolKind.OBJECT,
    });
  }
  return writer.build() as Uint8Array<ArrayBuffer>;
}

function flagsOf(type: number): number {
  if (type === SectionType.Code) return SectionFlag.ALLOC | SectionFlag.EXECINSTR;
  return type === SectionType.RoData ? SectionFlag.ALLOC : SectionFlag.ALLOC | SectionFlag.WRITE;
}

/** Returns the sections with addresses in memory in place of offsets in the image. */
function relocated(
  debug: ReadonlyMap<string, Uint8Array>,
  addressOf: (offset: number) => bigint | undefined,
): Map<string, Uint8Array> {
  const sections = new Map(debug);
  const list = sections.get(DEBUG_PLACES);
  sections.delete(DEBUG_PLACES);
  if (list === undefined) return sections;
  for (const { name, offsets } of decodePlaces(list, (name) => sections.get(name)?.length)) {
    const bytes = sections.get(name)!.slice();
    const view = new DataView(bytes.buffer);
    for (const offset of offsets) {
      const address = view.getUint32(offset + 4, true) === 0
        ? addressOf(view.getUint32(offset, true))
        : undefined;
      // Where there is nothing in memory, there must not be anything for the debugger.
      view.setBigUint64(offset, address ?? BigInt(NOWHERE_HIGH) << 32n, true);
    }
    sections.set(name, bytes);
  }
  return sections;
}
