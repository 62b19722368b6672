/**
 * An object that takes part in a link, and its sections with what the link
 * decides about them.
 */
import type { ElfObject } from "./elf/object.ts";
import type { ElfSection } from "./elf/symbols.ts";
import { SectionFlag, SectionType } from "../os/elf.ts";
import { SectionType as SmfSectionType } from "../smf/enums.ts";
import { alignUp } from "../smf/offsets.ts";
import type { MergePieces } from "./merge_pieces.ts";
import { TLS_SECTION } from "./section_names.ts";

/** An allocated section of an object. Debug information and other unallocated sections have none. */
export class InputSection {
  readonly object: LinkObject;
  readonly elf: ElfSection;
  /** Reached from a root. */
  live = false;
  /** Lost to another COMDAT group, or marked to be left out. */
  discarded = false;
  /** Sections that stay together with this one (gABI, "Section Groups"). */
  group: readonly InputSection[] | undefined;
  /** Sections with SHF_LINK_ORDER that describe this one. */
  dependents: InputSection[] | undefined;
  /** Set while the section takes part in merging. */
  merge: MergePieces | undefined;
  /** Where it went; set by the layout. */
  output: OutputSection | undefined;
  /** Offset in `output`; meaningless for a merged section. */
  offset = 0;

  constructor(object: LinkObject, elf: ElfSection) {
    this.object = object;
    this.elf = elf;
  }

  get name(): string {
    return this.elf.name;
  }

  get isCode(): boolean {
    return (this.elf.flags & SectionFlag.EXECINSTR) !== 0;
  }

  get isWritable(): boolean {
    return (this.elf.flags & SectionFlag.WRITE) !== 0;
  }

  get hasBytes(): boolean {
    return this.elf.type !== SectionType.NOBITS;
  }

  /** The section's bytes in the object file. */
  bytes(): Uint8Array {
    return this.object.elf.file.bytes.subarray(this.elf.offset, this.elf.offset + this.elf.size);
  }
}

/** An object that takes part in the link. */
export class LinkObject {
  readonly name: string;
  readonly elf: ElfObject;
  /** Place in link order. */
  readonly index: number;
  /** Named on the command line, rather than pulled out of an archive. */
  readonly direct: boolean;
  /** By section index; only allocated sections. */
  readonly sections: readonly (InputSection | undefined)[];
  /** For each symbol from `firstGlobal` on, the number of its name. */
  readonly globals: Int32Array;

  constructor(elf: ElfObject, index: number, direct: boolean) {
    this.name = elf.name;
    this.elf = elf;
    this.index = index;
    this.direct = direct;
    this.sections = elf.sections.map((section) =>
      (section.flags & SectionFlag.ALLOC) !== 0 ? new InputSection(this, section) : undefined
    );
    this.globals = new Int32Array(elf.symbols.length - elf.symbols.firstGlobal);
  }

  /** The name number of a symbol, or -1 for a local one. */
  globalOf(symbol: number): number {
    const { firstGlobal } = this.elf.symbols;
    return symbol < firstGlobal ? -1 : this.globals[symbol - firstGlobal];
  }

  /** The allocated section that a symbol is defined in, if there is one. */
  sectionOf(symbol: number): InputSection | undefined {
    const { symbols } = this.elf;
    return symbols.inSection(symbol) ? this.sections[symbols.section(symbol)] : undefined;
  }
}

/** One section of the SMF file. */
export class OutputSection {
  readonly name: string;
  type: number;
  alignment = 1;
  size = 0;
  /** Offset in the file's image. */
  address = 0;
  /** Index in the SMF file. */
  index = 0;
  /** What `size` was before it was rounded up; `__stop_NAME` is here. */
  contentSize = 0;
  readonly inputs: InputSection[] = [];

  constructor(name: string, type: number) {
    this.name = name;
    this.type = type;
  }

  /** The bytes that the file holds; behind them are zeros. */
  get storedSize(): number {
    if (this.type === SmfSectionType.Bss) return 0;
    if (this.name !== TLS_SECTION) return this.size;
    const last = this.inputs.findLast((section) => section.hasBytes);
    return last === undefined ? 0 : last.offset + last.elf.size;
  }

  /** Makes room at the end. */
  reserve(size: number, alignment: number): number {
    const offset = alignUp(this.size, alignment);
    this.alignment = Math.max(this.alignment, alignment);
    this.size = offset + size;
    return offset;
  }
}

/** A place in an output section. */
export interface Place {
  readonly output: OutputSection;
  readonly offset: number;
}
