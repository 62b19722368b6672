/**
 * Constants of the ELF gABI (chapters 4 and 5) and of GNU's extensions: those of relocatable
 * objects, which the linker reads, and those of shared libraries, which the loader writes.
 */

/** e_machine. */
export const Machine = { X86_64: 62, AARCH64: 183 } as const;

/** e_type. */
export const ObjectType = { REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;

/** sh_type. */
export const SectionType = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  HASH: 5,
  DYNAMIC: 6,
  NOTE: 7,
  NOBITS: 8,
  DYNSYM: 11,
  REL: 9,
  INIT_ARRAY: 14,
  FINI_ARRAY: 15,
  PREINIT_ARRAY: 16,
  GROUP: 17,
  SYMTAB_SHNDX: 18,
  RELR: 19,
  CREL: 0x40000014,
  X86_64_UNWIND: 0x70000001,
} as const;

/** sh_flags: the low 32 bits. */
export const SectionFlag = {
  WRITE: 0x1,
  ALLOC: 0x2,
  EXECINSTR: 0x4,
  MERGE: 0x10,
  STRINGS: 0x20,
  LINK_ORDER: 0x80,
  GROUP: 0x200,
  TLS: 0x400,
  COMPRESSED: 0x800,
  /** GNU: a root of garbage collection. */
  GNU_RETAIN: 0x200000,
  /** Excluded from every link. Bit 31, the sign bit of 32-bit arithmetic. */
  EXCLUDE: 0x80000000,
} as const;

/** st_shndx: the reserved section indexes. */
export const SectionIndex = {
  UNDEF: 0,
  LORESERVE: 0xff00,
  ABS: 0xfff1,
  COMMON: 0xfff2,
  XINDEX: 0xffff,
} as const;

/** st_shndx of the x86-64 psABI: COMMON of the medium and large code models. */
export const SHN_X86_64_LCOMMON = 0xff02;

/** st_info >> 4. */
export const SymbolBinding = { LOCAL: 0, GLOBAL: 1, WEAK: 2, GNU_UNIQUE: 10 } as const;

/** st_info & 15. */
export const SymbolKind = {
  NOTYPE: 0,
  OBJECT: 1,
  FUNC: 2,
  SECTION: 3,
  FILE: 4,
  COMMON: 5,
  TLS: 6,
  GNU_IFUNC: 10,
} as const;

/** st_other & 3. The numbers are not ordered by constraint: HIDDEN constrains more than PROTECTED. */
export const SymbolVisibility = { DEFAULT: 0, INTERNAL: 1, HIDDEN: 2, PROTECTED: 3 } as const;

/** The first word of an SHT_GROUP section. */
export const GRP_COMDAT = 1;

/** Sizes of the ELF64 records, in bytes. */
export const RecordSize = { EHDR: 64, PHDR: 56, SHDR: 64, SYM: 24, RELA: 24, DYN: 16 } as const;

/** p_type. */
export const SegmentType = { LOAD: 1, DYNAMIC: 2, TLS: 7, GNU_STACK: 0x6474_e551 } as const;

/** p_flags. */
export const SegmentFlag = { EXECUTE: 1, WRITE: 2, READ: 4 } as const;

/** d_tag. */
export const DynamicTag = {
  NULL: 0,
  NEEDED: 1,
  HASH: 4,
  STRTAB: 5,
  SYMTAB: 6,
  RELA: 7,
  RELASZ: 8,
  RELAENT: 9,
  STRSZ: 10,
  SYMENT: 11,
  SONAME: 14,
  FLAGS: 30,
} as const;

/** The value of DT_FLAGS. */
export const DynamicFlag = { STATIC_TLS: 0x10 } as const;
