/**
 * Every number of the format that has a name.
 */

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

/** Bits of the header's flags. */
export const HeaderFlag = {
  /** The file has an entry point. */
  Executable: 0x01,
  /** The file may be replaced while it runs. */
  Reloadable: 0x02,
  /** Debug information is there. */
  DebugInfo: 0x04,
  /** The code runs at any address. */
  Pic: 0x08,
  /** A stub precedes the data (H96, P128). H72 and H80 once called this bit COMPRESSED; it is ignored there. */
  HasStub: 0x10,
  /** A `note.sdn` section is there. */
  NoteSdn: 0x20,
  /** An aspect pack is there. */
  AspectPack: 0x40,
  /** Code counts on the distances of the file's own image; it fits pages of 4096 bytes only. This package's own. */
  FixedLayout: 0x80,
} as const;
/** Bits of the header's flags. */
export type HeaderFlag = (typeof HeaderFlag)[keyof typeof HeaderFlag];

/** How sections with {@linkcode SectionFlag.Compressed} are compressed. */
export const Compression = { None: 0, Zstd: 1, Lz4: 2 } as const;
/** How sections with {@linkcode SectionFlag.Compressed} are compressed. */
export type Compression = (typeof Compression)[keyof typeof Compression];

/** What kind of application an executable is; a hint. */
export const AppType = { Cli: 0, Tui: 1, Gui: 2, Service: 3, Repl: 4 } as const;
/** What kind of application an executable is; a hint. */
export type AppType = (typeof AppType)[keyof typeof AppType];

/** What a section holds. Types that are not here are skipped. */
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
} as const;
/** What a section holds. */
export type SectionType = (typeof SectionType)[keyof typeof SectionType];

/** Bits of a section's flags. */
export const SectionFlag = { Read: 1, Write: 2, Exec: 4, Compressed: 8 } as const;
/** Bits of a section's flags. */
export type SectionFlag = (typeof SectionFlag)[keyof typeof SectionFlag];

/** What a symbol names. P128 files count from Function = 0; readers here never see that. */
export const SymbolType = {
  None: 0,
  Function: 1,
  Data: 2,
  Type: 3,
  Trait: 4,
  Actor: 5,
  Constant: 6,
} as const;
/** What a symbol names. */
export type SymbolType = (typeof SymbolType)[keyof typeof SymbolType];

/** Who sees a symbol. */
export const Binding = { Local: 0, Global: 1, Weak: 2 } as const;
/** Who sees a symbol. */
export type Binding = (typeof Binding)[keyof typeof Binding];

/**
 * How a place is patched. The same number may mean another thing on another
 * processor: 5 is `Abs32` on x86-64 and `Arm64Branch26` on aarch64. Numbers
 * from 32 are written by this package only.
 */
export const RelocationType = {
  None: 0,
  Abs64: 1,
  Pc32: 2,
  Plt32: 3,
  GotPcRel: 4,
  /** x86-64: S + A, four bytes. */
  Abs32: 5,
  /** aarch64: the distance of a branch, 26 bits of words. */
  Arm64Branch26: 5,
  Arm64Page21: 6,
  Arm64PageOff12: 7,
  Arm64GotLoadPage21: 8,
  Arm64GotLoadPageOff12: 9,
  /** S + A - P, eight bytes. */
  Pc64: 32,
  /** x86-64: S + A, four bytes that the processor extends by sign. */
  Abs32Signed: 33,
  /** aarch64: the distance of a conditional branch, 19 bits of words. */
  Arm64CondBranch19: 34,
  /** aarch64: the distance of a branch on one bit, 14 bits of words. */
  Arm64TestBranch14: 35,
  /** aarch64: the distance of a load, 19 bits of words. */
  Arm64LoadPrel19: 36,
  /** aarch64: a distance of 21 bits. */
  Arm64AdrPrel21: 37,
  /** The number that the system gave the module of a thread-local variable, eight bytes. */
  TlsModule64: 38,
  /** Where a thread-local variable is in its module's block, eight bytes. */
  TlsOffset64: 39,
  /** Where a thread-local variable is from the thread pointer, the same in every thread, eight bytes. */
  TlsStatic64: 40,
  /** A TLS descriptor of a thread-local variable: a resolver and its argument, sixteen bytes. */
  TlsDescriptor: 41,
  /** What the function at S + A answers when the module is loaded, eight bytes. */
  Indirect64: 42,
} as const;
/** How a place is patched. */
export type RelocationType = (typeof RelocationType)[keyof typeof RelocationType];

function nameIn(names: Readonly<Record<string, number>>, value: number, what: string): string {
  for (const name of Object.keys(names)) if (names[name] === value) return name;
  return `${what} ${value}`;
}

/** `Linux` for 1; `platform 9` for what has no name. */
export function platformName(value: number): string {
  return nameIn(Platform, value, "platform");
}

/** `X86_64` for 0; `arch 9` for what has no name. */
export function archName(value: number): string {
  return nameIn(Arch, value, "arch");
}

/** `Zstd` for 1; `compression 9` for what has no name. */
export function compressionName(value: number): string {
  return nameIn(Compression, value, "compression");
}

/** `Cli` for 0; `app type 9` for what has no name. */
export function appTypeName(value: number): string {
  return nameIn(AppType, value, "app type");
}

/** `Code` for 1; `section type 99` for what has no name. */
export function sectionTypeName(value: number): string {
  return nameIn(SectionType, value, "section type");
}

/** `Function` for 1; `symbol type 9` for what has no name. */
export function symbolTypeName(value: number): string {
  return nameIn(SymbolType, value, "symbol type");
}

/** `Global` for 1; `binding 9` for what has no name. */
export function bindingName(value: number): string {
  return nameIn(Binding, value, "binding");
}

/** `Pc32` for 2; `Abs32` or `Arm64Branch26` for 5, by processor; `relocation type 99` for what has no name. */
export function relocationTypeName(value: number, arch: number): string {
  if (value === RelocationType.Arm64Branch26 && arch === Arch.Aarch64) return "Arm64Branch26";
  return nameIn(RelocationType, value, "relocation type");
}

/** `Executable|Reloadable` for 3, `0` for 0; bits without a name in hexadecimal. */
export function headerFlagNames(flags: number): string {
  return bitNames(HeaderFlag, flags);
}

/** `Read|Exec` for 5, `0` for 0; bits without a name in hexadecimal. */
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
  if (rest !== 0) found.push(`0x${(rest >>> 0).toString(16)}`);
  return found.length === 0 ? "0" : found.join("|");
}
