/**
 * The sections of COFF objects as sections of the input model.
 */
import { SectionFlag, SectionType } from "../../os/elf.ts";
import type { ElfSection } from "../elf/symbols.ts";
import { NO_SECTION } from "../model_tables.ts";
import { groupOf } from "../section_names.ts";
import type { CoffSection } from "./file.ts";
import { CoffFlag } from "./format.ts";

/** Tables for other linkers and for debuggers of other formats, and intermediate code, which say nothing to this one. */
const IGNORED =
  /^(?:\.drectve|\.debug\$.*|\.(?:gfids|giats|gljmp|gehcont)(?:\$.*)?|\.llvm.*|\.gnu\.(?:lto|debuglto)_.*|\.idata\$.*|\.voltbl)$/s;

/** Whether a section holds debug information in DWARF. */
export function isDebugSection(name: string): boolean {
  return name.startsWith(".debug_");
}

/** Whether a section holds thread-local variables: `.tls`, `.tls$`. */
export function isTlsSection(name: string): boolean {
  return name === ".tls" || name.startsWith(".tls$");
}

/** Whether a section is part of a module in memory. */
function isLoaded({ name, flags }: CoffSection): boolean {
  return (flags & (CoffFlag.LNK_REMOVE | CoffFlag.LNK_INFO)) === 0 && !isDebugSection(name) &&
    !IGNORED.test(name);
}

/** Translates a section header; relocations are attached later. */
export function modelSection(section: CoffSection): ElfSection {
  const { name, flags, number, offset, size, alignment, hasBytes } = section;
  const isCode = (flags & (CoffFlag.MEM_EXECUTE | CoffFlag.CNT_CODE)) !== 0;
  const isKept = (flags & CoffFlag.LNK_COMDAT) === 0 && groupOf(name) !== undefined;
  return {
    ...NO_SECTION,
    index: number,
    name,
    type: hasBytes ? SectionType.PROGBITS : SectionType.NOBITS,
    flags: !isLoaded(section) ? 0 : SectionFlag.ALLOC | (isCode ? SectionFlag.EXECINSTR : 0) |
      // The bytes that threads copy are constant.
      ((flags & CoffFlag.MEM_WRITE) !== 0 || isTlsSection(name) ? SectionFlag.WRITE : 0) |
      (isTlsSection(name) ? SectionFlag.TLS : 0) | (isKept ? SectionFlag.GNU_RETAIN : 0),
    offset,
    size,
    alignment,
  };
}
