/**
 * Reads ELF64 relocatable objects (gABI chapters 4 and 5; little-endian x86-64 and AArch64).
 * Sections become records; symbols and relocations are read in place, since most are used once.
 */
import { LoadError } from "../../errors/load_error.ts";
import { malformed, unsupported } from "../problems.ts";
import {
  GRP_COMDAT,
  Machine,
  ObjectType,
  RecordSize,
  SectionFlag,
  SectionIndex,
  SectionType,
  SymbolKind,
} from "../../os/elf.ts";
import type { Directives } from "../directives.ts";
import type { PartialBytes } from "../partial_input.ts";
import { type ElfSection, type ElfSymbols, readSymbols, SymbolPlace } from "./symbols.ts";
import { scriptInputs } from "./script.ts";
import { isBitcode } from "./bitcode.ts";
import { decodeText, InputBytes } from "./bytes.ts";
import { forgetTables, loadKept } from "./partial_object.ts";

/** A COMDAT group: of all groups with one signature, the first in the link is kept. */
export interface ComdatGroup {
  /** The symbol index of the signature, or -1 if the signature is a section's name. */
  readonly symbol: number;
  /** The section index of the signature, if it is a section's name. */
  readonly section: number;
  readonly members: readonly number[];
  /**
   * The property that the sections of this name in other objects must share with this one, the first of
   * `members`: none, their size, or their bytes; `largest`: the largest is kept. Default: `any`.
   */
  readonly rule?: "any" | "same size" | "same bytes" | "largest";
}

/** A parsed relocatable object. */
export interface ElfObject {
  readonly name: string;
  readonly file: InputBytes;
  readonly machine: number;
  readonly sections: readonly ElfSection[];
  readonly symbols: ElfSymbols;
  readonly groups: readonly ComdatGroup[];
  /** The `Platform` whose calling convention the code has; undefined if the format does not tell. */
  readonly platform?: number;
  readonly directives?: Directives;
}

/** Makes the error for a file that is not ELF, by its first bytes. */
function notElf({ bytes, name }: InputBytes): LoadError {
  const word = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  const refused = (problem: string, hint: string): LoadError => malformed(name, problem, { hint });
  if (bytes.length === 0) return refused("it is empty", "compile again: its writer was interrupted");
  if (isBitcode(bytes)) {
    return refused("it is LLVM bitcode", "compile without -flto");
  }
  if (word === 0xcafebabe) {
    return refused("it is a class of Java", "give object files (.o) and static libraries (.a)");
  }
  if (word >>> 16 === 0x4d5a) {
    const hint = "link the objects (.obj) of which it was made; give the name of a DLL with --needed";
    return refused("it is a program or a DLL of Windows", hint);
  }
  if (word === 0x534d4600) {
    return refused("it is an SMF module already", "load it, or link the objects of which it was made");
  }
  const script = scriptInputs(bytes);
  if (script !== undefined) {
    const files = script.map(({ name }) => name).join(", ");
    return refused("it is a linker script, which names other files", `give these files instead: ${files}`);
  }
  return refused(
    "it is neither an object nor an archive",
    "give object files (.o) and static libraries (.a)",
  );
}

const BUILD_FOR = "compile for 64-bit x86-64 or little-endian AArch64";

function checkHeader(file: InputBytes): number {
  const { bytes, view, name } = file;
  if (bytes.length < 4 || view.getUint32(0) !== 0x7f454c46) throw notElf(file);
  file.table(0, 1, RecordSize.EHDR, "the ELF header");
  if (bytes[4] !== 2) throw unsupported(name, "it is a 32-bit object", { hint: BUILD_FOR });
  if (bytes[5] !== 1) throw unsupported(name, "it is a big-endian object", { hint: BUILD_FOR });
  const type = view.getUint16(16, true);
  if (type === ObjectType.DYN) {
    throw unsupported(name, "it is a shared library", {
      hint: "name it in the option `libraries` (--library) when the module is loaded, " +
        "or link the objects of which it was made",
    });
  }
  if (type === ObjectType.EXEC) {
    throw unsupported(name, "it is an executable", { hint: "link the objects of which it was made" });
  }
  if (type !== ObjectType.REL) throw unsupported(name, `e_type ${type} is not that of a relocatable object`);
  const machine = view.getUint16(18, true);
  if (machine !== Machine.X86_64 && machine !== Machine.AARCH64) {
    throw unsupported(name, `it is for another processor, e_machine ${machine}`, { hint: BUILD_FOR });
  }
  return machine;
}

/** The offsets of fields in Elf64_Shdr. */
const Shdr = {
  name: 0,
  type: 4,
  flags: 8,
  offset: 24,
  size: 32,
  link: 40,
  info: 44,
  addralign: 48,
  entsize: 56,
};

/** The beginning of names of relocation tables. */
const RELA = ".rela";

function readSections(file: InputBytes): ElfSection[] {
  const { bytes, view, name } = file;
  const start = file.u64(40, "e_shoff");
  if (start === 0) throw malformed(name, "the object has no section table");
  if (view.getUint16(58, true) !== RecordSize.SHDR) {
    throw malformed(name, `e_shentsize is ${view.getUint16(58, true)}, not ${RecordSize.SHDR}`);
  }
  file.table(start, 1, RecordSize.SHDR, "the section table");
  // Counts that do not fit the ELF header are in the first section header (gABI).
  let count = view.getUint16(60, true);
  if (count === 0) count = file.u64(start + Shdr.size, "the section count");
  let names = view.getUint16(62, true);
  if (names === SectionIndex.XINDEX) names = view.getUint32(start + Shdr.link, true);
  file.table(start, count, RecordSize.SHDR, "the section table");
  if (names >= count) throw malformed(name, `e_shstrndx is ${names} of ${count} sections`);

  const namesAt = start + names * RecordSize.SHDR;
  const namesOffset = file.u64(namesAt + Shdr.offset, "sh_offset");
  const namesSize = file.u64(namesAt + Shdr.size, "sh_size");
  file.table(namesOffset, 1, namesSize, "the table of section names");

  // One call decodes all names. Each byte is a character unless a name is not ASCII.
  const allNames = decodeText(bytes, namesOffset, namesOffset + namesSize);
  const isAscii = allNames.length === namesSize;
  const nameAt = (start: number, end: number): string =>
    isAscii ? allNames.substring(start - namesOffset, end - namesOffset) : decodeText(bytes, start, end);

  const sections: ElfSection[] = new Array(count);
  const starts = new Float64Array(count), ends = new Float64Array(count);
  let total = 0;
  for (let index = 0; index < count; index++) {
    const at = start + index * RecordSize.SHDR;
    const type = view.getUint32(at + Shdr.type, true);
    const info = view.getUint32(at + Shdr.info, true);
    const nameStart = starts[index] = namesOffset + view.getUint32(at + Shdr.name, true);
    // The name of a relocation table often ends with that of its section, which was read before.
    const isShared = type === SectionType.RELA && info > 0 && info < index &&
      starts[info] === nameStart + RELA.length && nameAt(nameStart, starts[info]) === RELA;
    const nameEnd = ends[index] = index === 0
      ? nameStart
      : isShared
      ? ends[info]
      : file.nameEnd(nameStart, namesOffset + namesSize);
    if (nameEnd === -1) {
      throw malformed(name, "a section's name lies outside the table of names", { section: `#${index}` });
    }
    const text = index === 0 ? "" : nameAt(nameStart, nameEnd);
    const offset = file.u64(at + Shdr.offset, "sh_offset");
    const size = index === 0 ? 0 : file.u64(at + Shdr.size, "sh_size");
    const alignment = Math.max(1, file.u64(at + Shdr.addralign, "sh_addralign"));
    if (index > 0 && type !== SectionType.NOBITS && type !== SectionType.NULL) {
      if (offset + size > bytes.length) {
        throw malformed(name, `the section's ${size} bytes lie outside the file`, { section: text, offset });
      }
      total += size;
    }
    if (alignment > 0x40000000 || (alignment & (alignment - 1)) !== 0) {
      throw malformed(name, "the alignment is not a power of two below 2^31", {
        section: text,
        value: alignment,
      });
    }
    sections[index] = {
      index,
      name: text,
      type,
      flags: view.getUint32(at + Shdr.flags, true) | 0,
      offset,
      size,
      link: view.getUint32(at + Shdr.link, true),
      info,
      alignment,
      entrySize: file.u64(at + Shdr.entsize, "sh_entsize"),
      relaOffset: 0,
      relaCount: 0,
    };
  }
  // Overlapping sections would let a small file ask for any amount of memory.
  if (total > bytes.length) throw malformed(name, "sections overlap in the file");
  return sections;
}

/** Sets `relaOffset` and `relaCount` of the sections that relocations apply to. */
function attachRelocations(file: InputBytes, sections: readonly ElfSection[]): void {
  for (const table of sections) {
    const kind = table.type;
    if (kind !== SectionType.RELA && kind !== SectionType.REL && kind !== SectionType.CREL) continue;
    const target = sections[table.info];
    if (target === undefined || table.info === 0) {
      throw malformed(file.name, "relocations apply to a section that does not exist", {
        section: table.name,
      });
    }
    if ((target.flags & SectionFlag.ALLOC) === 0) continue;
    if (kind !== SectionType.RELA) {
      throw unsupported(file.name, "the relocations are without addends (SHT_REL) or compact (SHT_CREL)", {
        section: table.name,
      });
    }
    if (table.entrySize !== RecordSize.RELA || table.size % RecordSize.RELA !== 0) {
      throw malformed(file.name, "the relocation table's size is not a multiple of 24", {
        section: table.name,
      });
    }
    if (sections[table.link]?.type !== SectionType.SYMTAB && table.size > 0) {
      throw malformed(file.name, "the relocation table has no symbol table", { section: table.name });
    }
    if (target.relaCount > 0) {
      throw unsupported(file.name, "there are two relocation tables for one section", {
        section: target.name,
      });
    }
    target.relaOffset = table.offset;
    target.relaCount = table.size / RecordSize.RELA;
  }
}

function readGroups(file: InputBytes, sections: readonly ElfSection[], symbols: ElfSymbols): ComdatGroup[] {
  const groups: ComdatGroup[] = [];
  for (const section of sections) {
    if (section.type !== SectionType.GROUP || section.size < 4) continue;
    if ((file.view.getUint32(section.offset, true) & GRP_COMDAT) === 0) continue;
    if (section.size % 4 !== 0 || section.info === 0 || section.info >= symbols.length) {
      throw malformed(file.name, "a section group has no signature or a broken list", {
        section: section.name,
      });
    }
    // Of its final length, since a library has a hundred thousand of groups.
    const members = new Array<number>(section.size / 4 - 1);
    for (let i = 0; i < members.length; i++) {
      const member = file.view.getUint32(section.offset + 4 + 4 * i, true);
      if (member === 0 || member >= sections.length) {
        throw malformed(file.name, "a section group names a section that does not exist", { value: member });
      }
      members[i] = member;
    }
    // Some assemblers sign a group with a section symbol, which has no name of its own.
    const named = symbols.kind(section.info) !== SymbolKind.SECTION;
    groups.push({
      symbol: named ? section.info : -1,
      section: named || symbols.place(section.info) !== SymbolPlace.SECTION
        ? section.index
        : symbols.section(section.info),
      members,
    });
  }
  return groups;
}

/** The indexes of the sections whose names sign groups. */
function signatures(groups: readonly ComdatGroup[]): number[] {
  return groups.filter(({ symbol }) => symbol === -1).map(({ section }) => section);
}

/** Whether the bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c &&
    bytes[3] === 0x46;
}

/**
 * Parses a relocatable object and validates its tables. Relocations are validated when their
 * section turns out to be needed.
 *
 * @param partial Reads the bytes, if they are not all in memory.
 * @throws {LoadError} `InvalidFormat` or `Unsupported`, naming the file.
 */
export function parseObject(name: string, bytes: Uint8Array, partial?: PartialBytes): ElfObject {
  const file = new InputBytes(name, bytes, partial);
  const whole = partial === undefined ? file : new InputBytes(name, partial.peek(0, bytes.length));
  const machine = checkHeader(whole);
  const sections = readSections(whole);
  if (partial !== undefined) loadKept(partial, sections);
  const symbols = readSymbols(file, sections);
  attachRelocations(file, sections);
  const groups = readGroups(file, sections, symbols);
  if (partial !== undefined) forgetTables(sections, new Set(signatures(groups)));
  return { name, file, machine, sections, symbols, groups };
}

/** Fails if two objects of one link are for different processors. */
export function checkMachine(first: ElfObject, other: ElfObject): void {
  if (first.machine === other.machine) return;
  throw new LoadError(
    "IncompatibleArch",
    `Cannot link input: it is for another processor than '${first.name}'`,
    { path: other.name, hint: "compile all inputs for one processor" },
  );
}
