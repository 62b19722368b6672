/**
 * The objects that take part in a link, their sections with the link's decisions about them, and
 * the output sections that these go to.
 */
import type { ElfObject } from "./elf/object.ts";
import { isCopiedOnly } from "./elf/partial_object.ts";
import type { ElfSection } from "./elf/symbols.ts";
import { SectionFlag, SectionType } from "../os/elf.ts";
import { SectionType as SmfSectionType } from "../smf/enums.ts";
import { alignUp } from "../smf/offsets.ts";
import type { MergePieces } from "./merge_pieces.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";

/** An allocated section of an object. Debug information and other unallocated sections are left out. */
export class InputSection {
  readonly object: LinkObject;
  readonly elf: ElfSection;
  /** Whether it is reached from a root as a whole. */
  live = false;
  /** Whether it belongs to a COMDAT group that is a duplicate, or is marked to be left out (SHF_EXCLUDE). */
  discarded = false;
  /** The sections that stay or go together with this one (gABI, "Section Groups"). */
  group: readonly InputSection[] | undefined;
  /** The sections with SHF_LINK_ORDER that describe this one. */
  dependents: InputSection[] | undefined;
  /** The elements of a mergeable section, unless it is kept whole. */
  merge: MergePieces | undefined;
  /** The output section that it goes to; set by the layout. */
  output: OutputSection | undefined;
  /** Offset in `output`; not used for a merged section. */
  offset = 0;
  /** The number of the home that it is; -1 in modules that are not reloadable, and for other sections. */
  home = -1;
  /** Whether it holds nothing but tables of C++ classes, and is a home of a hot module. */
  isClassTable = false;
  /** Whether distances from the start of the image lead to it, so that it is not a home. */
  isImageRelative = false;
  /** The bytes behind it that are reserved for more virtual functions. */
  spare = 0;
  /** Whether its bytes have not been loaded. */
  #isInFile: boolean;

  constructor(object: LinkObject, elf: ElfSection) {
    this.object = object;
    this.elf = elf;
    this.#isInFile = object.elf.file.partial !== undefined && isCopiedOnly(elf);
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
    const { file } = this.object.elf, start = this.elf.offset, end = start + this.elf.size;
    if (this.#isInFile) file.partial!.load(start, end);
    this.#isInFile = false;
    return file.bytes.subarray(start, end);
  }

  /** Copies the section's bytes. */
  copyTo(into: Uint8Array, at: number): void {
    if (this.#isInFile) {
      this.object.elf.file.partial!.copy(this.elf.offset, into.subarray(at, at + this.elf.size));
    } else into.set(this.bytes(), at);
  }
}

/** One object. */
export class LinkObject {
  readonly name: string;
  readonly elf: ElfObject;
  /** Position in link order. */
  readonly index: number;
  /** Whether it is an input itself, rather than pulled out of an archive. */
  readonly direct: boolean;
  /** Whether the names that it defines are kept out of the exports. */
  readonly excluded: boolean;
  /** Allocated sections, by section index. */
  readonly sections: readonly (InputSection | undefined)[];
  /** The name numbers of the symbols from `firstGlobal` on. */
  readonly globals: Int32Array;

  constructor(elf: ElfObject, index: number, direct: boolean, excluded: boolean) {
    this.name = elf.name;
    this.elf = elf;
    this.index = index;
    this.direct = direct;
    this.excluded = excluded;
    this.sections = elf.sections.map((section) =>
      (section.flags & SectionFlag.ALLOC) !== 0 ? new InputSection(this, section) : undefined
    );
    this.globals = new Int32Array(elf.symbols.length - elf.symbols.firstGlobal);
  }

  /** Returns the name number of a symbol, or -1 for a local one. */
  globalOf(symbol: number): number {
    const { firstGlobal } = this.elf.symbols;
    return symbol < firstGlobal ? -1 : this.globals[symbol - firstGlobal];
  }

  /** Returns the allocated section that a symbol is defined in, if there is one. */
  sectionOf(symbol: number): InputSection | undefined {
    const section = this.elf.symbols.section(symbol);
    return section === -1 ? undefined : this.sections[section];
  }
}

/** A section of the SMF file. */
export class OutputSection {
  readonly name: string;
  type: number;
  alignment = 1;
  size = 0;
  /** Offset in the file's image. */
  address = 0;
  /** Index in the SMF file. */
  index = 0;
  /** The size before padding, which is the address of `__stop_NAME` in the section. */
  contentSize = 0;
  readonly inputs: InputSection[] = [];

  constructor(name: string, type: number) {
    this.name = name;
    this.type = type;
  }

  /** The number of bytes that the file holds; the rest of the section is zero. */
  get storedSize(): number {
    if (this.type === SmfSectionType.Bss) return 0;
    if (this.name !== TLS_SECTION) return this.size;
    const last = this.inputs.findLast((section) => section.hasBytes);
    return last === undefined ? 0 : last.offset + last.elf.size;
  }

  /** Makes room at the end and returns its offset. */
  reserve(size: number, alignment: number): number {
    const offset = alignUp(this.size, alignment);
    this.alignment = Math.max(this.alignment, alignment);
    this.size = offset + size;
    return offset;
  }
}

/** An offset in an output section. */
export interface Location {
  readonly output: OutputSection;
  readonly offset: number;
}
