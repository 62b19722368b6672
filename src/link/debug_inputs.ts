/**
 * The debug information of one object that goes into a module: which sections, their plain bytes, and their
 * relocations, checked before anything is done with them.
 */
import { RecordSize, SectionFlag, SectionType } from "../os/elf.ts";
import { DEBUG_SECTIONS } from "../smf/debug.ts";
import { damaged } from "../types/damaged.ts";
import { DEBUG_RELOCATIONS } from "./debug_relocations.ts";
import { contentsOf } from "./debug_sections.ts";
import type { ElfObject } from "./elf/object.ts";
import type { ElfSection } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";
import { MergePieces } from "./merge_pieces.ts";

/** One section of debug information of an object, as far as links do not change it. */
interface DebugSection {
  /** The section's name as compilers write it today: `.debug_info`. */
  readonly name: string;
  readonly elf: ElfSection;
  readonly relocations: ElfSection | undefined;
  /** Undefined before it is read: one that is left out may be damaged. */
  contents?: Pick<DebugInput, "bytes" | "alignment" | "pieces">;
}

/** One section of debug information of an object in one link. */
export interface DebugInput extends Omit<DebugSection, "contents"> {
  readonly bytes: Uint8Array;
  readonly alignment: number;
  /** The strings, if equal ones of all objects become one. */
  readonly pieces: MergePieces | undefined;
}

const known = new WeakMap<ElfObject, readonly DebugSection[]>();

/**
 * Returns the sections of debug information of an object.
 *
 * @param isDropped Whether a section belongs to a COMDAT group that another object has as well.
 * @throws {LoadError} `InvalidFormat` if they are damaged, or have relocations that the linker does not know.
 */
export function debugInputs(object: LinkObject, isDropped: (section: number) => boolean): DebugInput[] {
  let sections = known.get(object.elf);
  if (sections === undefined) known.set(object.elf, sections = findSections(object.elf));
  const inputs: DebugInput[] = [];
  for (const section of sections) {
    const { name, elf, relocations } = section;
    if (isDropped(elf.index)) continue;
    // Each link gives pieces their offsets anew, and all of them are live.
    const { bytes, alignment, pieces } = section.contents ??= readSection(object, elf, relocations);
    inputs.push({ name, elf, bytes, alignment, relocations, pieces });
  }
  return inputs;
}

function findSections({ sections }: ElfObject): DebugSection[] {
  const tables = new Map<number, ElfSection>();
  for (const section of sections) {
    if (section.type !== SectionType.RELA && section.type !== SectionType.REL) continue;
    if (sections[section.info]?.name.startsWith(".debug_") && section.type === SectionType.REL) {
      throw damaged("its relocations have no addends");
    }
    if (section.type === SectionType.RELA) tables.set(section.info, section);
  }
  const found: DebugSection[] = [];
  for (const elf of sections) {
    const name = elf.name.replace(/^\.zdebug_/, ".debug_");
    if ((elf.flags & (SectionFlag.ALLOC | SectionFlag.EXCLUDE)) !== 0 || !DEBUG_SECTIONS.includes(name)) {
      continue;
    }
    found.push({ name, elf, relocations: tables.get(elf.index) });
  }
  return found;
}

function readSection(
  object: LinkObject,
  elf: ElfSection,
  relocations: ElfSection | undefined,
): Pick<DebugInput, "bytes" | "alignment" | "pieces"> {
  const bytes = contentsOf(object, elf);
  if (relocations !== undefined) checkRelocations(object, relocations, bytes.length);
  const alignment = alignmentOf(object, elf);
  const isStrings = (elf.flags & SectionFlag.MERGE) !== 0 && (elf.flags & SectionFlag.STRINGS) !== 0 &&
    elf.entrySize === 1 && relocations === undefined && bytes.length > 0;
  const pieces = isStrings ? MergePieces.of(elf, bytes, bytes.length) : undefined;
  pieces?.live.fill(1);
  return { bytes, alignment, pieces };
}

/** Returns the alignment of a section's plain bytes: that of a compressed section is in its own header. */
function alignmentOf({ elf: { file } }: LinkObject, { flags, offset, alignment }: ElfSection): number {
  const isCompressed = (flags & SectionFlag.COMPRESSED) !== 0;
  const plain = isCompressed ? Math.max(1, file.view.getUint32(offset + 16, true)) : alignment;
  // Each section of an object could ask for as much room.
  if (plain > MOST_ALIGNMENT || (plain & (plain - 1)) !== 0) throw damaged("a section has a wrong alignment");
  return plain;
}

const MOST_ALIGNMENT = 64;

function checkRelocations(
  { elf: { file, machine, symbols } }: LinkObject,
  table: ElfSection,
  size: number,
): void {
  if (table.size % RecordSize.RELA !== 0) throw damaged("a table of relocations has another size");
  const known = DEBUG_RELOCATIONS[machine];
  const { view } = file;
  for (let at = table.offset; at < table.offset + table.size; at += RecordSize.RELA) {
    const type = view.getUint32(at + 8, true);
    const relocation = known.get(type);
    if (relocation === undefined && type !== 0) throw damaged(`a relocation has the unknown type ${type}`);
    if (view.getUint32(at + 12, true) >= symbols.length) {
      throw damaged("a relocation's symbol does not exist");
    }
    const end = view.getUint32(at, true) + (relocation?.width ?? 0);
    if (view.getUint32(at + 4, true) !== 0 || end > size) {
      throw damaged("a relocation lies outside its section");
    }
  }
}
