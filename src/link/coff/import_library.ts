/**
 * Reads the members of import libraries as GNU's dlltool writes them: objects that hold the parts of an import table.
 *
 * | section | holds |
 * |---|---|
 * | `.idata$5` | the pointer `__imp_NAME` |
 * | `.idata$6` | a number of 16 bits, and the name in the DLL |
 * | `.idata$7` | a reference to the head of the library; in the last member the name of the DLL |
 */
import { decodeText, textEnd } from "../elf/bytes.ts";
import type { ElfObject } from "../elf/object.ts";
import type { CoffFile, CoffSection } from "./file.ts";
import { CoffClass, CoffPlace } from "./format.ts";
import { IMPORT_PREFIX, importedObject } from "./import_object.ts";
import { byOrdinal } from "./short_import.ts";
import type { CoffSymbols } from "./symbols.ts";

function sectionNamed({ sections }: CoffFile, name: string): CoffSection | undefined {
  return sections.find((section) => section.name === name && section.size > 0 && section.hasBytes);
}

/** Reads a text that ends with a NUL, or with its section. */
function textIn({ file: { bytes } }: CoffFile, { offset, size }: CoffSection, from: number): string {
  const start = offset + Math.min(from, size);
  return decodeText(bytes, start, textEnd(bytes, start, offset + size));
}

/** Returns the object that stands for the import that an object describes; undefined for other objects. */
export function importMember(headers: CoffFile, { list }: CoffSymbols): ElfObject | undefined {
  const pointer = sectionNamed(headers, ".idata$5");
  if (pointer === undefined) return undefined;
  const slot = list.find(({ section, storage, name }) =>
    section === pointer.number && storage === CoffClass.EXTERNAL && name.startsWith(IMPORT_PREFIX)
  );
  if (slot === undefined) return undefined;
  const { name: path } = headers.file;
  const name = slot.name.slice(IMPORT_PREFIX.length);
  const hint = sectionNamed(headers, ".idata$6");
  if (hint === undefined) throw byOrdinal(path, name, undefined);
  const isFunction = list.some((symbol) =>
    symbol.name === name && symbol.section > 0 && symbol.storage === CoffClass.EXTERNAL
  );
  // The head pulls in the member that names the DLL.
  const heads = list.filter(({ section, storage }) =>
    section === CoffPlace.UNDEFINED && storage === CoffClass.EXTERNAL
  ).map(({ name }) => name);
  return importedObject(path, { name, exported: textIn(headers, hint, 2), isFunction }, undefined, heads);
}

/** Returns the name of the DLL, if the object is the member of an import library that holds it. */
export function hostLibraryOf(headers: CoffFile): string | undefined {
  const section = sectionNamed(headers, ".idata$7");
  if (section === undefined || section.relocationCount > 0) return undefined;
  const name = textIn(headers, section, 0);
  return /^[\w.+ -]+\.\w+$/.test(name) ? name : undefined;
}
