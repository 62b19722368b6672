/**
 * Reads COFF objects for x86-64, of Microsoft's compiler, clang, gcc for MinGW, and zig, into the input model of the
 * linker. The sections keep their numbers and their bytes where they are in the file.
 */
import { Machine, RecordSize, SectionFlag } from "../../os/elf.ts";
import { Platform } from "../../smf/enums.ts";
import type { ElfObject } from "../elf/object.ts";
import type { ElfSection } from "../elf/symbols.ts";
import { type CoffFile, coffKind, readCoffFile } from "./file.ts";
import { comdatGroups } from "./comdat.ts";
import { readDirectives } from "./directives.ts";
import { splitFunctionTables } from "./function_tables.ts";
import { hostLibraryOf, importMember } from "./import_library.ts";
import { readShortImport } from "./short_import.ts";
import { addSymbols } from "./model_symbols.ts";
import { addRelocations } from "./relocations.ts";
import { isDebugSection, modelSection } from "./sections.ts";
import { readCoffSymbols } from "./symbols.ts";
import { debugRelocations, ModelTables, NO_SECTION } from "../model_tables.ts";

/** Whether the bytes begin as a COFF object or the import of a DLL does. */
export function isCoff(bytes: Uint8Array): boolean {
  return coffKind(bytes) !== undefined;
}

/**
 * Parses an object, and validates all of its tables.
 *
 * @throws {LoadError} `InvalidFormat` or `Unsupported`, naming the file.
 */
export function parseCoffObject(name: string, bytes: Uint8Array): ElfObject {
  if (coffKind(bytes) === "imported") return readShortImport(name, bytes);
  const headers = readCoffFile(name, bytes);
  const symbols = readCoffSymbols(headers);
  const imported = importMember(headers, symbols);
  if (imported !== undefined) return imported;
  const directives = readDirectives(headers);
  const tables = new ModelTables(headers.file);
  const added = addSymbols(headers, symbols, directives, tables);
  const sections = [NO_SECTION, ...headers.sections.map(modelSection)];
  const groups = comdatGroups(headers, symbols, added.model, sections);
  const firsts = headers.sections.map((section) => {
    const isLoaded = (sections[section.number].flags & SectionFlag.ALLOC) !== 0;
    const isDebug = isDebugSection(section.name);
    return isLoaded || isDebug ? addRelocations(headers, section, added, isDebug, tables) : -1;
  });
  const built = tables.build(added.firstGlobal);
  attach(headers, sections, firsts, built.relocations);
  const library = hostLibraryOf(headers);
  return {
    name,
    file: built.file,
    machine: Machine.X86_64,
    sections: splitFunctionTables(built.file, sections, symbols, added.model),
    symbols: built.symbols,
    groups,
    platform: Platform.Windows,
    directives: {
      ...directives,
      aliases: [...directives.aliases, ...added.aliases],
      sought: added.sought,
      hostLibraries: library === undefined ? [] : [library],
    },
  };
}

/** Tells the sections where their relocations are; tables of debug information are sections of their own. */
function attach(
  headers: CoffFile,
  sections: ElfSection[],
  firsts: readonly number[],
  start: number,
): void {
  for (const { number, relocationCount } of headers.sections) {
    const first = firsts[number - 1];
    if (first === -1 || relocationCount === 0) continue;
    const section = sections[number];
    const offset = start + first * RecordSize.RELA;
    if ((section.flags & SectionFlag.ALLOC) === 0) {
      sections.push(debugRelocations(sections.length, section, offset, relocationCount));
    } else {
      section.relaOffset = offset;
      section.relaCount = relocationCount;
    }
  }
}
