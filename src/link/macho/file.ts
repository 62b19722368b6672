/**
 * Reads the headers of Mach-O objects: the file header, the load commands, and the section table.
 */
import { Machine } from "../../os/elf.ts";
import { decodeText, InputBytes, textEnd } from "../elf/bytes.ts";
import { malformed, unsupported } from "../problems.ts";
import {
  ARM64E,
  LoadCommand,
  MachCpu,
  MachFileType,
  MachMagic,
  MachPlatform,
  MachSize,
  SectionKind,
  SUBSECTIONS_VIA_SYMBOLS,
} from "./format.ts";

/** A section header, checked: its bytes and its relocations lie in the file. */
export interface MachSection {
  /** Its number, which counts from 1. */
  readonly number: number;
  /** Segment and section, such as `__TEXT,__text`. */
  readonly name: string;
  readonly segment: string;
  readonly section: string;
  /** Where the assembler put it; references that name a section count from here. */
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly alignment: number;
  /** The low byte of its flags: a `SectionKind`. */
  readonly kind: number;
  readonly flags: number;
  readonly hasBytes: boolean;
  readonly relocations: number;
  readonly relocationCount: number;
}

/** The headers of an object. */
export interface MachFile {
  readonly file: InputBytes;
  /** A `Machine`. */
  readonly machine: number;
  /** Whether sections may be taken apart at symbols. */
  readonly hasSubsections: boolean;
  readonly sections: readonly MachSection[];
  readonly symbols: number;
  readonly symbolCount: number;
  readonly strings: number;
  readonly stringsEnd: number;
  /** The options for the linker, each a list of arguments. */
  readonly options: readonly (readonly string[])[];
}

const MAGICS: ReadonlySet<number> = new Set(Object.values(MachMagic));

/** Whether the bytes begin as a Mach-O file for one processor does. */
export function isMachO(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const magic = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return MAGICS.has(magic);
}

const COMPILE_FOR = "compile for 64-bit x86-64 or AArch64: cc --target=arm64-apple-macos11 -c";

const CPU_NAMES: Readonly<Record<number, string>> = {
  [MachCpu.I386]: "32-bit x86",
  [MachCpu.ARM]: "32-bit ARM",
  [MachCpu.ARM64_32]: "AArch64 with 32-bit pointers",
};

const LINK_OBJECTS = "link the objects of which it was made";

const TYPE_NAMES: Readonly<Record<number, readonly [name: string, hint: string]>> = {
  [MachFileType.EXECUTE]: ["an executable", LINK_OBJECTS],
  [MachFileType.DYLIB]: ["a dynamic library", `${LINK_OBJECTS}, or give its name with --needed`],
  [MachFileType.DYLIB_STUB]: ["the stub of a dynamic library", "give the name of the library with --needed"],
  [MachFileType.BUNDLE]: ["a bundle", LINK_OBJECTS],
  [MachFileType.DSYM]: ["a file of debug information", LINK_OBJECTS],
};

/** Returns the processor, a `Machine`; undefined for one that the linker does not know. */
export function machineOfCpu(cpu: number): number | undefined {
  return cpu === MachCpu.X86_64 ? Machine.X86_64 : cpu === MachCpu.ARM64 ? Machine.AARCH64 : undefined;
}

function checkHeader({ name, view }: InputBytes): number {
  const magic = view.getUint32(0, true);
  if (magic !== MachMagic.OBJECT) {
    const kind = magic === MachMagic.OBJECT_32 ? "32-bit" : "big-endian";
    throw unsupported(name, `it is a ${kind} Mach-O file`, { hint: COMPILE_FOR });
  }
  const cpu = view.getUint32(4, true), type = view.getUint32(12, true);
  const machine = machineOfCpu(cpu);
  if (machine === undefined) {
    const processor = CPU_NAMES[cpu] ?? `another processor, cputype 0x${cpu.toString(16)}`;
    throw unsupported(name, `it is a Mach-O file for ${processor}`, { value: cpu, hint: COMPILE_FOR });
  }
  if (machine === Machine.AARCH64 && (view.getUint32(8, true) & 0xff_ffff) === ARM64E) {
    throw unsupported(name, "its pointers are signed (arm64e)", { hint: "compile for arm64" });
  }
  if (type !== MachFileType.OBJECT) {
    const [kind, hint] = TYPE_NAMES[type] ?? [`a Mach-O file of type ${type}`, LINK_OBJECTS];
    throw unsupported(name, `it is ${kind}`, { value: type, hint });
  }
  return machine;
}

/** The systems that older compilers tell by the command alone. */
const OLD_PLATFORMS: ReadonlyMap<number, number> = new Map([
  [LoadCommand.VERSION_MIN_IPHONEOS, MachPlatform.IOS],
  [LoadCommand.VERSION_MIN_TVOS, MachPlatform.TVOS],
  [LoadCommand.VERSION_MIN_WATCHOS, MachPlatform.WATCHOS],
]);

function checkPlatform(name: string, platform: number): void {
  if (platform === MachPlatform.MACOS) return;
  throw unsupported(name, `it is made for another system of Apple, platform ${platform}`, {
    value: platform,
    hint: "compile for macOS: cc --target=arm64-apple-macos11 -c",
  });
}

/** Reads the headers of an object, and checks that all tables lie in the file. */
export function readMachFile(name: string, bytes: Uint8Array): MachFile {
  const file = new InputBytes(name, bytes);
  const { view } = file;
  file.table(0, 1, MachSize.HEADER, "the Mach-O header");
  const machine = checkHeader(file);
  const commands = view.getUint32(16, true), commandsSize = view.getUint32(20, true);
  file.table(MachSize.HEADER, 1, commandsSize, "the table of load commands");
  const end = MachSize.HEADER + commandsSize;
  const sections: MachSection[] = [];
  const options: string[][] = [];
  let symbols = 0, symbolCount = 0, strings = 0, stringsEnd = 0;
  for (let at = MachSize.HEADER, i = 0; i < commands; i++) {
    const size = at + 8 > end ? 0 : view.getUint32(at + 4, true);
    if (size < 8 || at + size > end) {
      throw malformed(name, "a load command passes the end of the table", { value: i, offset: at });
    }
    const command = view.getUint32(at, true);
    const needs = (least: number): void => {
      if (size < least) throw malformed(name, "a load command is too short", { value: command, offset: at });
    };
    if (command === LoadCommand.SEGMENT_64) {
      needs(MachSize.SEGMENT);
      const count = view.getUint32(at + 64, true);
      needs(MachSize.SEGMENT + count * MachSize.SECTION);
      readSections(file, at + MachSize.SEGMENT, count, sections);
    } else if (command === LoadCommand.SYMTAB) {
      needs(24);
      symbols = view.getUint32(at + 8, true);
      symbolCount = view.getUint32(at + 12, true);
      strings = view.getUint32(at + 16, true);
      stringsEnd = strings + view.getUint32(at + 20, true);
      file.table(symbols, symbolCount, MachSize.SYMBOL, "the symbol table");
      file.table(stringsEnd, 0, 1, "the string table");
    } else if (command === LoadCommand.LINKER_OPTION) {
      needs(12);
      options.push(readOption(file, at, size));
    } else if (command === LoadCommand.BUILD_VERSION) {
      needs(12);
      checkPlatform(name, view.getUint32(at + 8, true));
    } else {
      checkPlatform(name, OLD_PLATFORMS.get(command) ?? MachPlatform.MACOS);
    }
    at += size;
  }
  const total = sections.reduce((sum, { hasBytes, size, relocationCount }) => {
    return sum + (hasBytes ? size : 0) + relocationCount * MachSize.RELOCATION;
  }, 0);
  // Overlapping tables would let a small file ask for any amount of memory.
  if (total > bytes.length) throw malformed(name, "sections overlap in the file");
  const hasSubsections = (view.getUint32(24, true) & SUBSECTIONS_VIA_SYMBOLS) !== 0;
  return { file, machine, hasSubsections, sections, symbols, symbolCount, strings, stringsEnd, options };
}

function readSections(file: InputBytes, table: number, count: number, sections: MachSection[]): void {
  const { view, bytes, name: path } = file;
  for (let i = 0; i < count; i++) {
    const at = table + i * MachSize.SECTION;
    const section = fixedText(bytes, at), segment = fixedText(bytes, at + 16);
    const name = `${segment},${section}`;
    const flags = view.getUint32(at + 64, true), kind = flags & 0xff;
    const hasBytes = kind !== SectionKind.ZEROFILL && kind !== SectionKind.GB_ZEROFILL &&
      kind !== SectionKind.THREAD_LOCAL_ZEROFILL;
    const offset = view.getUint32(at + 48, true), size = file.u64(at + 40, "a section's size");
    const power = view.getUint32(at + 52, true);
    if (power > 30) {
      throw malformed(path, "the alignment is above 2^30", { section: name, value: power });
    }
    if (hasBytes && offset + size > bytes.length) {
      throw malformed(path, `the section's ${size} bytes lie outside the file`, { section: name, offset });
    }
    const relocations = view.getUint32(at + 56, true), relocationCount = view.getUint32(at + 60, true);
    file.table(relocations, relocationCount, MachSize.RELOCATION, "the relocation table");
    sections.push({
      number: sections.length + 1,
      name,
      segment,
      section,
      address: file.u64(at + 32, "a section's address"),
      offset: hasBytes ? offset : 0,
      size,
      alignment: 2 ** power,
      kind,
      flags,
      hasBytes,
      relocations,
      relocationCount,
    });
  }
}

/** A name in a field of 16 bytes. */
function fixedText(bytes: Uint8Array, at: number): string {
  return decodeText(bytes, at, textEnd(bytes, at, at + 16));
}

/** The arguments of an option: texts that end with NULs. */
function readOption(file: InputBytes, at: number, size: number): string[] {
  const texts: string[] = [];
  const end = at + size;
  let start = at + 12;
  for (let left = file.view.getUint32(at + 8, true); left > 0; left--) {
    const stop = file.nameEnd(start, end);
    if (stop === -1) throw malformed(file.name, "an option for the linker is cut off", { offset: at });
    texts.push(decodeText(file.bytes, start, stop));
    start = stop + 1;
  }
  return texts;
}
