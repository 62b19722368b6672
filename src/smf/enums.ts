/**
 * The enumerations and flag bits of the format.
 */

import { hex } from "../errors/load_error.ts";

/** The operating system that a file is for. */
export const Platform = { Any: 0, Linux: 1, Windows: 2, MacOS: 3, FreeBSD: 4, None: 5 } as const;
/** The operating system that a file is for. */
export type Platform = (typeof Platform)[keyof typeof Platform];

/** The processor that a file is for. */
export const Arch = {
  X86_64: 0,
  Aarch64: 1,
  X86: 2,
  Arm: 3,
  Riscv64: 4,
  Riscv32: 5,
  Wasm32: 6,
  Wasm64: 7,
} as const;
/** The processor that a file is for. */
export type Arch = (typeof Arch)[keyof typeof Arch];

/** Bits of the header's `flags`. */
export const HeaderFlag = {
  /** The file has an entry point. */
  Executable: 0x01,
  /** The module may be replaced while it runs. */
  Reloadable: 0x02,
  /** The file has debug information. */
  DebugInfo: 0x04,
  /** The code runs at any address. */
  Pic: 0x08,
  /** A stub precedes the data (H96, P128). H72 and H80 once called this bit COMPRESSED; it is ignored there. */
  HasStub: 0x10,
  /** The file has a `note.sdn` section. */
  NoteSdn: 0x20,
  /** The file has an aspect pack. */
  AspectPack: 0x40,
  /**
   * The code depends on the distances within the file's own image, so that it can be placed with pages of 4096
   * bytes only. Defined by this package.
   */
  FixedLayout: 0x80,
} as const;
/** Bits of the header's `flags`. */
export type HeaderFlag = (typeof HeaderFlag)[keyof typeof HeaderFlag];

/** How sections with {@linkcode SectionFlag.Compressed} are compressed. */
export const Compression = { None: 0, Zstd: 1, Lz4: 2 } as const;
/** How sections with {@linkcode SectionFlag.Compressed} are compressed. */
export type Compression = (typeof Compression)[keyof typeof Compression];

/** The kind of application that an executable is; a hint. */
export const AppType = { Cli: 0, Tui: 1, Gui: 2, Service: 3, Repl: 4 } as const;
/** The kind of application that an executable is; a hint. */
export type AppType = (typeof AppType)[keyof typeof AppType];

/** The content of a section. Readers skip types that are not listed here. */
export const SectionType = {
  Code: 1,
  Data: 2,
  RoData: 3,
  Bss: 4,
  Reloc: 5,
  SymTab: 6,
  StrTab: 7,
  Debug: 8,
  TypeInfo: 9,
  Version: 10,
  SrcMap: 11,
  TemplateCode: 12,
  TemplateMeta: 13,
  DrvManifest: 14,
  LaunchMeta: 15,
  AspectPackDirectory: 16,
  /** The host libraries that the module needs: names, each with a NUL behind it. Only this package writes it. */
  HostLibraries: 80,
  /** The places of variables that can stay where they are over reloads. Only this package writes it. */
  Homes: 81,
  /** The functions that a reload switches and that are not exported. Only this package writes it. */
  Entries: 82,
  /** Signatures of the whole file by Ed25519 keys. Only this package writes it. */
  Signatures: 83,
  /** Debug information, which loading never reads. Only this package writes it. */
  Dwarf: 88,
} as const;
/** The content of a section. */
export type SectionType = (typeof SectionType)[keyof typeof SectionType];

/** Bits of a section's flags. */
export const SectionFlag = { Read: 1, Write: 2, Exec: 4, Compressed: 8 } as const;
/** Bits of a section's flags. */
export type SectionFlag = (typeof SectionFlag)[keyof typeof SectionFlag];

/** The kind of thing that a symbol names. P128 files count from Function = 0; the parser adds 1 to their types. */
export const SymbolType = {
  None: 0,
  Function: 1,
  Data: 2,
  Type: 3,
  Trait: 4,
  Actor: 5,
  Constant: 6,
} as const;
/** The kind of thing that a symbol names. */
export type SymbolType = (typeof SymbolType)[keyof typeof SymbolType];

/** The scope in which a symbol is visible. */
export const Binding = { Local: 0, Global: 1, Weak: 2 } as const;
/** The scope in which a symbol is visible. */
export type Binding = (typeof Binding)[keyof typeof Binding];

/**
 * The flags of an undefined weak function that code calls without a test for 0: if it is not resolved, its
 * address is that of a stub which ends the process and says why. Only this package writes it.
 */
export const CALL_ENDS_PROCESS = 0x80;

/**
 * The flags of a defined variable whose size reaches to the next symbol, because its object tells no sizes (COFF,
 * Mach-O): the variable may be smaller. Only this package writes it.
 */
export const SIZE_REACHES = 0x40;

/**
 * How a relocation patches its place. A number may differ in meaning between
 * processors: 5 is `Abs32` on x86-64 and `Arm64Branch26` on aarch64. Only this
 * package writes numbers from 32 on.
 */
export const RelocationType = {
  None: 0,
  Abs64: 1,
  Pc32: 2,
  Plt32: 3,
  GotPcRel: 4,
  /** x86-64: S + A, four bytes. */
  Abs32: 5,
  /** aarch64: a branch offset, 26 bits, in words. */
  Arm64Branch26: 5,
  Arm64Page21: 6,
  Arm64PageOff12: 7,
  Arm64GotLoadPage21: 8,
  Arm64GotLoadPageOff12: 9,
  /** S + A - P, eight bytes. */
  Pc64: 32,
  /** x86-64: S + A, four bytes that the processor sign-extends. */
  Abs32Signed: 33,
  /** aarch64: the offset of a conditional branch, 19 bits, in words. */
  Arm64CondBranch19: 34,
  /** aarch64: the offset of a test-bit branch, 14 bits, in words. */
  Arm64TestBranch14: 35,
  /** aarch64: the offset of a PC-relative load, 19 bits, in words. */
  Arm64LoadPrel19: 36,
  /** aarch64: the offset of an ADR instruction, 21 bits, in bytes. */
  Arm64AdrPrel21: 37,
  /** The system's TLS module ID of a thread-local variable, eight bytes. */
  TlsModule64: 38,
  /** The offset of a thread-local variable in its module's TLS block, eight bytes. */
  TlsOffset64: 39,
  /** The offset of a thread-local variable from the thread pointer, the same in every thread, eight bytes. */
  TlsStatic64: 40,
  /** A TLS descriptor of a thread-local variable: a resolver and its argument, sixteen bytes. */
  TlsDescriptor: 41,
  /** The address that the ifunc resolver at S + A returns when the module is loaded, eight bytes. */
  Indirect64: 42,
  /** x86-64: as `TlsStatic64`, four bytes that the processor sign-extends. */
  TlsStatic32: 48,
  /** aarch64: as `TlsStatic64`, its bits 12 to 23 in an ADD instruction. */
  Arm64TlsStaticHigh12: 49,
  /** aarch64: as `TlsStatic64`, its low 12 bits in an ADD, load or store instruction. */
  Arm64TlsStaticLow12: 50,
} as const;
/** How a relocation patches its place. */
export type RelocationType = (typeof RelocationType)[keyof typeof RelocationType];

function nameOf(names: Readonly<Record<string, number>>, value: number, kind: string): string {
  for (const name of Object.keys(names)) if (names[name] === value) return name;
  return `${kind} ${value}`;
}

/** `Linux` for 1; `platform 9` for an unknown number. */
export function platformName(value: number): string {
  return nameOf(Platform, value, "platform");
}

/** `X86_64` for 0; `arch 9` for an unknown number. */
export function archName(value: number): string {
  return nameOf(Arch, value, "arch");
}

/** `Zstd` for 1; `compression 9` for an unknown number. */
export function compressionName(value: number): string {
  return nameOf(Compression, value, "compression");
}

/** `Cli` for 0; `app type 9` for an unknown number. */
export function appTypeName(value: number): string {
  return nameOf(AppType, value, "app type");
}

/** `Code` for 1; `section type 99` for an unknown number. */
export function sectionTypeName(value: number): string {
  return nameOf(SectionType, value, "section type");
}

/** `Function` for 1; `symbol type 9` for an unknown number. */
export function symbolTypeName(value: number): string {
  return nameOf(SymbolType, value, "symbol type");
}

/** `Global` for 1; `binding 9` for an unknown number. */
export function bindingName(value: number): string {
  return nameOf(Binding, value, "binding");
}

/** `Pc32` for 2; `Abs32` or `Arm64Branch26` for 5, depending on `arch`; `relocation type 99` for an unknown number. */
export function relocationTypeName(value: number, arch: number): string {
  if (value === RelocationType.Arm64Branch26 && arch === Arch.Aarch64) return "Arm64Branch26";
  return nameOf(RelocationType, value, "relocation type");
}

/** `Executable|Reloadable` for 3, `0` for 0; unknown bits in hexadecimal. */
export function headerFlagNames(flags: number): string {
  return bitNames(HeaderFlag, flags);
}

/** `Read|Exec` for 5, `0` for 0; unknown bits in hexadecimal. */
export function sectionFlagNames(flags: number): string {
  return bitNames(SectionFlag, flags);
}

function bitNames(names: Readonly<Record<string, number>>, flags: number): string {
  const found: string[] = [];
  let rest = flags;
  for (const name of Object.keys(names)) {
    if ((flags & names[name]) === 0) continue;
    found.push(name);
    rest &= ~names[name];
  }
  if (rest !== 0) found.push(hex(rest >>> 0));
  return found.length === 0 ? "0" : found.join("|");
}
