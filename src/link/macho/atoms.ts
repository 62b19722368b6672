/**
 * Takes the sections of Mach-O objects apart at their symbols (MH_SUBSECTIONS_VIA_SYMBOLS): the part from one symbol
 * to the next is the unit that stays or goes. Labels of the assembler and alternative entries divide nothing.
 *
 * Code with debug information stays whole: line programs and lists of ranges count on the distances between functions.
 */
import { SectionFlag, SectionType } from "../../os/elf.ts";
import type { ElfSection } from "../elf/symbols.ts";
import { NO_SECTION } from "../model_tables.ts";
import type { MachFile, MachSection } from "./file.ts";
import { SectionKind, SymbolFlag } from "./format.ts";
import { checkSection, debugName, isCodeSection, isDivided, isLoaded, shapeOf } from "./sections.ts";
import { isLabel, type MachSymbol } from "./symbols.ts";

/** A part of a section. */
export interface Atom {
  readonly section: MachSection;
  /** Its index among the sections of the model. */
  readonly index: number;
  /** The offset in the section at which its first symbol is. */
  readonly start: number;
  /** The offset at which its bytes begin: at `start`, or before, where an alignment needs it. */
  readonly from: number;
  readonly end: number;
}

/** The parts of all sections of an object. */
export class Atoms {
  /** The sections of the model. */
  readonly model: ElfSection[] = [NO_SECTION];
  /** The parts of each section, in order; by section number. */
  readonly #bySection: Atom[][] = [[]];

  constructor({ file, sections, hasSubsections }: MachFile, symbols: readonly MachSymbol[]) {
    const bySection: MachSymbol[][] = Array.from({ length: sections.length + 1 }, () => []);
    for (const symbol of symbols) {
      if (symbol.section !== undefined) bySection[symbol.section.number].push(symbol);
    }
    const isDescribed = sections.some((section) => debugName(section) === ".debug_info");
    for (const section of sections) {
      if (isLoaded(section)) checkSection(file.name, section);
      const inside = bySection[section.number];
      const divides = hasSubsections && isLoaded(section) && isDivided(section) &&
        !(isDescribed && isCodeSection(section));
      const starts = divides ? startsOf(section, inside) : [0];
      const retained = new Set<number>();
      this.#bySection.push(
        starts.map((start, i) => this.#add(section, start, starts[i + 1] ?? section.size)),
      );
      for (const symbol of inside) {
        if ((symbol.flags & (SymbolFlag.NO_DEAD_STRIP | SymbolFlag.REFERENCED_DYNAMICALLY)) === 0) continue;
        retained.add(this.at(section, symbol.value).index);
      }
      for (const index of retained) {
        const { flags } = this.model[index];
        this.model[index] = { ...this.model[index], flags: flags | SectionFlag.GNU_RETAIN };
      }
    }
  }

  #add(section: MachSection, start: number, end: number): Atom {
    const index = this.model.length;
    const shape = shapeOf(section);
    // Assemblers do not align descriptors of thread-local variables, which are words.
    const isOfWords = section.kind === SectionKind.THREAD_LOCAL_VARIABLES;
    const alignment = isOfWords ? Math.max(8, section.alignment) : section.alignment;
    const behind = isOfWords ? 0 : start % alignment;
    // Constants without a name inside may count on the section's alignment.
    const keeps = behind > 0 && (shape.flags & SectionFlag.WRITE) === 0 && start - behind + alignment < end;
    const from = keeps ? start - behind : start;
    this.model.push({
      ...NO_SECTION,
      ...shape,
      index,
      offset: section.offset + (section.hasBytes ? from : 0),
      size: end - from,
      alignment: behind === 0 || keeps ? alignment : behind & -behind,
    });
    return { section, index, start, from, end };
  }

  /** Adds a section of read-only bytes at an offset of the object as the linker reads it. */
  append(name: string, offset: number, size: number): Pick<Atom, "index"> {
    const index = this.model.length;
    const [type, flags] = [SectionType.PROGBITS, SectionFlag.ALLOC];
    this.model.push({ ...NO_SECTION, index, name, type, flags, offset, size, alignment: 8 });
    return { index };
  }

  /** Returns the part that holds an offset of a section; one outside belongs to the nearest. */
  at({ number }: MachSection, offset: number): Atom {
    const parts = this.#bySection[number];
    let low = 0, high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (parts[middle].start <= offset) low = middle;
      else high = middle - 1;
    }
    return parts[low];
  }
}

function startsOf({ size }: MachSection, symbols: readonly MachSymbol[]): number[] {
  const starts = new Set([0]);
  for (const symbol of symbols) {
    const divides = !isLabel(symbol) && (symbol.flags & SymbolFlag.ALT_ENTRY) === 0;
    if (divides && (symbol.value < size || size === 0)) starts.add(symbol.value);
  }
  return [...starts].sort((a, b) => a - b);
}
