/**
 * The sections of one object's debug information, decompressed. Relocations are applied where a word is
 * read: most words never are.
 */

/** The relocations of a section. */
export interface Relocations {
  /**
   * Returns the word at an offset as its relocation computes it: an offset in the section that it refers to,
   * or in the image. Undefined if no relocation is there.
   */
  word(offset: number): number | undefined;
  /** Like {@linkcode word}, of a word that is only compared with the addresses that are looked for. */
  address(offset: number): number | undefined;
  /** Lists, in order, the offsets of the words of 8 bytes whose value is one of `addresses`. */
  wordsThatAre(addresses: ReadonlySet<number>): number[];
}

/** One section. */
export interface DwarfSection {
  readonly bytes: Uint8Array;
  readonly relocations: Relocations | undefined;
  /** Whether it is `.debug_types` of DWARF 4. */
  readonly isTypes: boolean;
}

/** The sections that types need. */
export interface DwarfSections {
  /** `.debug_info`, of type units too, and `.debug_types`. */
  readonly info: readonly DwarfSection[];
  readonly abbrev: Uint8Array;
  readonly str: Uint8Array | undefined;
  readonly lineStr: Uint8Array | undefined;
  readonly strOffsets: DwarfSection | undefined;
  readonly addr: DwarfSection | undefined;
}
