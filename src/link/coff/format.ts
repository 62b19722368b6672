/**
 * Constants of COFF object files (Microsoft, "PE Format": "COFF File Header", "Section Table", "COFF Relocations",
 * "COFF Symbol Table"), and of import libraries ("Import Library Format").
 */

/** Machine. */
export const CoffMachine = { UNKNOWN: 0, I386: 0x14c, ARMNT: 0x1c4, AMD64: 0x8664, ARM64: 0xaa64 } as const;

/** Sizes of the records, in bytes. Symbols of `/bigobj` files have section numbers of 32 bits. */
export const CoffSize = {
  HEADER: 20,
  BIG_HEADER: 56,
  SECTION: 40,
  RELOCATION: 10,
  SYMBOL: 18,
  BIG_SYMBOL: 20,
} as const;

/** Characteristics of a section: IMAGE_SCN_*. */
export const CoffFlag = {
  TYPE_NO_PAD: 0x8,
  CNT_CODE: 0x20,
  CNT_UNINITIALIZED_DATA: 0x80,
  LNK_INFO: 0x200,
  LNK_REMOVE: 0x800,
  LNK_COMDAT: 0x1000,
  LNK_NRELOC_OVFL: 0x0100_0000,
  MEM_DISCARDABLE: 0x0200_0000,
  MEM_EXECUTE: 0x2000_0000,
  /** Bit 31, the sign bit of 32-bit arithmetic. */
  MEM_WRITE: 0x8000_0000,
} as const;

/** SectionNumber of a symbol that is in no section. */
export const CoffPlace = { UNDEFINED: 0, ABSOLUTE: -1, DEBUG: -2 } as const;

/** StorageClass: IMAGE_SYM_CLASS_*. */
export const CoffClass = {
  EXTERNAL: 2,
  STATIC: 3,
  LABEL: 6,
  FILE: 103,
  SECTION: 104,
  WEAK_EXTERNAL: 105,
} as const;

/** The derived type of functions, in the second nibble of Type. */
export const CoffFunction = 0x20;

/** Selection of a COMDAT section: IMAGE_COMDAT_SELECT_*. */
export const CoffSelection = {
  NODUPLICATES: 1,
  ANY: 2,
  SAME_SIZE: 3,
  EXACT_MATCH: 4,
  ASSOCIATIVE: 5,
  LARGEST: 6,
} as const;

/** Characteristics of a weak external: archives are searched for it (IMAGE_WEAK_EXTERN_SEARCH_LIBRARY). */
export const WEAK_SEARCH_LIBRARY = 2;

/** Type of a relocation: IMAGE_REL_AMD64_*. */
export const CoffRelocation = {
  ABSOLUTE: 0,
  ADDR64: 1,
  ADDR32: 2,
  ADDR32NB: 3,
  REL32: 4,
  REL32_5: 9,
  SECTION: 10,
  SECREL: 11,
} as const;
