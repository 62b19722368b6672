/**
 * Constants of Mach-O object files (Apple, "OS X ABI Mach-O File Format Reference"; `mach-o/loader.h`, `nlist.h`,
 * `reloc.h` and `fat.h` of the Darwin kernel).
 */

/** The first word of a file, as a little-endian number. */
export const MachMagic = {
  OBJECT: 0xfeed_facf,
  OBJECT_32: 0xfeed_face,
  SWAPPED: 0xcffa_edfe,
  SWAPPED_32: 0xcefa_edfe,
} as const;

/** cputype. */
export const MachCpu = {
  I386: 7,
  ARM: 12,
  X86_64: 0x0100_0007,
  ARM64: 0x0100_000c,
  ARM64_32: 0x0200_000c,
} as const;

/** The cpusubtype of code with signed pointers (arm64e), in the low 24 bits. */
export const ARM64E = 2;

/** filetype. */
export const MachFileType = { OBJECT: 1, EXECUTE: 2, DYLIB: 6, BUNDLE: 8, DYLIB_STUB: 9, DSYM: 10 } as const;

/** The flag of files whose sections may be taken apart at symbols: MH_SUBSECTIONS_VIA_SYMBOLS. */
export const SUBSECTIONS_VIA_SYMBOLS = 0x2000;

/** cmd of a load command: LC_*. */
export const LoadCommand = {
  SYMTAB: 0x2,
  SEGMENT_64: 0x19,
  VERSION_MIN_IPHONEOS: 0x25,
  LINKER_OPTION: 0x2d,
  VERSION_MIN_TVOS: 0x2f,
  VERSION_MIN_WATCHOS: 0x30,
  BUILD_VERSION: 0x32,
} as const;

/** platform of LC_BUILD_VERSION. */
export const MachPlatform = { MACOS: 1, IOS: 2, TVOS: 3, WATCHOS: 4 } as const;

/** Sizes of the records, in bytes. */
export const MachSize = { HEADER: 32, SEGMENT: 72, SECTION: 80, SYMBOL: 16, RELOCATION: 8 } as const;

/** The low byte of a section's flags: S_*. */
export const SectionKind = {
  REGULAR: 0x0,
  ZEROFILL: 0x1,
  CSTRING_LITERALS: 0x2,
  LITERALS_4: 0x3,
  LITERALS_8: 0x4,
  LITERAL_POINTERS: 0x5,
  NON_LAZY_SYMBOL_POINTERS: 0x6,
  LAZY_SYMBOL_POINTERS: 0x7,
  SYMBOL_STUBS: 0x8,
  MOD_INIT_FUNC_POINTERS: 0x9,
  MOD_TERM_FUNC_POINTERS: 0xa,
  COALESCED: 0xb,
  GB_ZEROFILL: 0xc,
  INTERPOSING: 0xd,
  LITERALS_16: 0xe,
  THREAD_LOCAL_REGULAR: 0x11,
  THREAD_LOCAL_ZEROFILL: 0x12,
  THREAD_LOCAL_VARIABLES: 0x13,
  THREAD_LOCAL_POINTERS: 0x14,
  THREAD_LOCAL_INIT_FUNCTIONS: 0x15,
} as const;

/** The other bits of a section's flags: S_ATTR_*. */
export const SectionAttribute = {
  SOME_INSTRUCTIONS: 0x400,
  DEBUG: 0x0200_0000,
  NO_DEAD_STRIP: 0x1000_0000,
  /** Bit 31, the sign bit of 32-bit arithmetic. */
  PURE_INSTRUCTIONS: 0x8000_0000,
} as const;

/** n_type: bits, and the values under TYPE. */
export const SymbolType = {
  STAB: 0xe0,
  PRIVATE_EXTERNAL: 0x10,
  TYPE: 0x0e,
  EXTERNAL: 0x01,
  UNDEFINED: 0x0,
  ABSOLUTE: 0x2,
  INDIRECT: 0xa,
  SECTION: 0xe,
} as const;

/** n_desc. */
export const SymbolFlag = {
  REFERENCED_DYNAMICALLY: 0x10,
  NO_DEAD_STRIP: 0x20,
  WEAK_REFERENCE: 0x40,
  WEAK_DEFINITION: 0x80,
  ALT_ENTRY: 0x200,
} as const;

/** r_type of x86-64: X86_64_RELOC_*. */
export const X86Relocation = {
  UNSIGNED: 0,
  SIGNED: 1,
  BRANCH: 2,
  GOT_LOAD: 3,
  GOT: 4,
  SUBTRACTOR: 5,
  SIGNED_1: 6,
  SIGNED_2: 7,
  SIGNED_4: 8,
  TLV: 9,
} as const;

/** r_type of AArch64: ARM64_RELOC_*. */
export const ArmRelocation = {
  UNSIGNED: 0,
  SUBTRACTOR: 1,
  BRANCH26: 2,
  PAGE21: 3,
  PAGEOFF12: 4,
  GOT_LOAD_PAGE21: 5,
  GOT_LOAD_PAGEOFF12: 6,
  POINTER_TO_GOT: 7,
  TLVP_LOAD_PAGE21: 8,
  TLVP_LOAD_PAGEOFF12: 9,
  ADDEND: 10,
} as const;
