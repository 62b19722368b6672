/**
 * Reads the symbol tables of objects (gABI, "Symbol Table"). Most symbols are used once, so they
 * are checked when the object is parsed, and read in place.
 */
import { MAX_NAME_LENGTH } from "../../smf/limits.ts";
import {
  RecordSize,
  SectionFlag,
  SectionIndex,
  SectionType,
  SHN_X86_64_LCOMMON,
  SymbolBinding,
  SymbolKind,
} from "../../os/elf.ts";
import { malformed } from "../problems.ts";
import { decodeText, type InputBytes, signed64 } from "./bytes.ts";

/** A section header, and the location of its relocations. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  /** The low 32 bits of sh_flags as a signed number, so test them with `&` only. */
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  /** At least 1. */
  readonly alignment: number;
  readonly entrySize: number;
  /** The file offset of the first Elf64_Rela that applies to this section. */
  relaOffset: number;
  /** The number of relocations that apply to this section. */
  relaCount: number;
}

/**
 * Where a symbol is defined. The numbers of the file that say so are not used elsewhere: those of
 * sections at and above 0xff00 are the same as the reserved ones.
 */
export const SymbolPlace = { UNDEFINED: 0, SECTION: 1, ABSOLUTE: 2, COMMON: 3 } as const;

export type SymbolPlace = typeof SymbolPlace[keyof typeof SymbolPlace];

/** A symbol table, read in place. All results have been checked. */
export class ElfSymbols {
  readonly length: number;
  /** The index of the first symbol that is not local. */
  readonly firstGlobal: number;
  readonly #file: InputBytes;
  readonly #offset: number;
  readonly #strings: number;
  readonly #extended: number;
  /** Where names end; 0 before somebody has asked, as for those of sections. */
  readonly #nameEnds: Uint32Array;
  /** The names that somebody has asked for. */
  readonly #names: (string | undefined)[] = [];

  constructor(
    file: InputBytes,
    offset: number,
    length: number,
    firstGlobal: number,
    strings: number,
    extended: number,
  ) {
    this.#file = file;
    this.#offset = offset;
    this.length = length;
    this.#nameEnds = new Uint32Array(length);
    this.firstGlobal = firstGlobal;
    this.#strings = strings;
    this.#extended = extended;
  }

  /** Returns the file offset of the name, which ends with a NUL. */
  nameStart(index: number): number {
    return this.#strings + this.#file.view.getUint32(this.#offset + index * RecordSize.SYM, true);
  }

  /** Returns the file offset of the NUL that ends the name. It is looked for once, however many links ask. */
  nameEnd(index: number): number {
    const ends = this.#nameEnds;
    if (ends[index] === 0) {
      ends[index] = this.#file.nameEnd(this.nameStart(index), this.#file.bytes.length);
    }
    return ends[index];
  }

  name(index: number): string {
    return this.#names[index] ??= this.#decodeName(index);
  }

  #decodeName(index: number): string {
    const start = this.nameStart(index);
    return decodeText(this.#file.bytes, start, this.nameEnd(index));
  }

  binding(index: number): number {
    return this.#file.bytes[this.#offset + index * RecordSize.SYM + 4] >>> 4;
  }

  kind(index: number): number {
    return this.#file.bytes[this.#offset + index * RecordSize.SYM + 4] & 15;
  }

  visibility(index: number): number {
    return this.#file.bytes[this.#offset + index * RecordSize.SYM + 5] & 3;
  }

  /** Returns where the symbol is defined. */
  place(index: number): SymbolPlace {
    const short = this.#file.view.getUint16(this.#offset + index * RecordSize.SYM + 6, true);
    if (short === SectionIndex.UNDEF) return SymbolPlace.UNDEFINED;
    if (short < SectionIndex.LORESERVE || short === SectionIndex.XINDEX) return SymbolPlace.SECTION;
    return short === SectionIndex.ABS ? SymbolPlace.ABSOLUTE : SymbolPlace.COMMON;
  }

  /**
   * Returns the index of the symbol's section, which may have any value of 32 bits; -1 if the symbol is
   * not in a section, as {@linkcode ElfSymbols.place} says.
   */
  section(index: number): number {
    const short = this.#file.view.getUint16(this.#offset + index * RecordSize.SYM + 6, true);
    // Indexes that do not fit are in a table of their own, where none of them is reserved.
    if (short === SectionIndex.XINDEX) return this.#file.view.getUint32(this.#extended + index * 4, true);
    return short === SectionIndex.UNDEF || short >= SectionIndex.LORESERVE ? -1 : short;
  }

  /** Returns st_value; `NaN` if a number cannot hold it, as may be for absolute symbols. */
  value(index: number): number {
    return signed64(this.#file.view, this.#offset + index * RecordSize.SYM + 8);
  }

  size(index: number): number {
    return signed64(this.#file.view, this.#offset + index * RecordSize.SYM + 16);
  }
}

/** Reads and checks an object's symbol table. */
export function readSymbols(file: InputBytes, sections: readonly ElfSection[]): ElfSymbols {
  const { view, bytes, name } = file;
  const tables = sections.filter((section) => section.type === SectionType.SYMTAB);
  if (tables.length === 0) return new ElfSymbols(file, 0, 0, 0, 0, 0);
  const table = tables[0];
  if (tables.length > 1) throw malformed(name, "the object has two symbol tables");
  const length = table.size / RecordSize.SYM;
  if (table.entrySize !== RecordSize.SYM || !Number.isInteger(length) || table.info > length) {
    throw malformed(name, "the symbol table's size or first global index is wrong", { section: table.name });
  }
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== SectionType.STRTAB) {
    throw malformed(name, "the symbol table has no string table", { section: table.name });
  }
  if (length > 0 && (strings.size === 0 || bytes[strings.offset + strings.size - 1] !== 0)) {
    throw malformed(name, "the string table does not end with a NUL", { section: strings.name });
  }
  const extended = sections.find((section) =>
    section.type === SectionType.SYMTAB_SHNDX && section.link === table.index
  );
  if (extended !== undefined && extended.size < length * 4) {
    throw malformed(name, "the table of extended section indexes is short", { section: extended.name });
  }
  const symbols = new ElfSymbols(
    file,
    table.offset,
    length,
    table.info,
    strings.offset,
    extended?.offset ?? -1,
  );
  for (let i = 0; i < length; i++) {
    const at = table.offset + i * RecordSize.SYM;
    const broken = (text: string) => malformed(name, text, { section: table.name, value: i, offset: at });
    if (view.getUint32(at, true) >= strings.size) {
      throw broken("a symbol's name lies outside the string table");
    }
    if (
      symbols.kind(i) !== SymbolKind.SECTION &&
      symbols.nameEnd(i) - symbols.nameStart(i) > MAX_NAME_LENGTH
    ) throw broken("a symbol's name is longer than 1 MiB");
    const short = view.getUint16(at + 6, true);
    if (short === SectionIndex.XINDEX && extended === undefined) {
      throw broken("a symbol needs a table of extended section indexes, which is missing");
    }
    if ((symbols.binding(i) === SymbolBinding.LOCAL) !== (i < table.info)) {
      throw broken("a symbol's binding contradicts its place in the table");
    }
    if (symbols.place(i) === SymbolPlace.SECTION) {
      const section = sections[symbols.section(i)];
      // Section 0 stands for none, so no symbol is in it.
      if (section === undefined || section.index === 0) throw broken("a symbol's section does not exist");
      // The condition is negated so that NaN, a value above 2^53, is refused too.
      if (
        (section.flags & SectionFlag.ALLOC) !== 0 &&
        !(symbols.value(i) >= 0 && symbols.value(i) <= section.size)
      ) {
        throw broken(`a symbol lies outside its section '${section.name}'`);
      }
    } else if (
      short !== SectionIndex.UNDEF && short !== SectionIndex.ABS && short !== SectionIndex.COMMON &&
      short !== SHN_X86_64_LCOMMON
    ) {
      throw broken(`a symbol's section index ${short} is reserved`);
    }
  }
  return symbols;
}
