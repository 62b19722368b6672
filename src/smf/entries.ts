/**
 * The entries of a hot module that are not exports: functions that code, variables and tables reach by addresses
 * which a reload switches. A section of the type `Entries` lists them; its presence marks the module as hot. The
 * names are the module's own: nobody can import them. Readers that do not know the type skip the section.
 *
 * The section begins with the number of entries (4 bytes), and a record for each, in ascending order of `symbol`:
 *
 * | field    | offset | bytes |                                                                              |
 * | -------- | ------ | ----- | ---------------------------------------------------------------------------- |
 * | `symbol` | 0      | 4     | the index of the function's local symbol                                     |
 * | `file`   | 4      | 4     | where in the texts the name of its source file begins; 0 if it is not static |
 *
 * Texts follow, each with a NUL behind it, of which the first is empty.
 */

import { LoadError } from "../errors/load_error.ts";
import { readContents } from "./contents.ts";
import { Binding, SectionType, SymbolType } from "./enums.ts";
import type { Reading } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";
import type { SymbolTable } from "./symbol.ts";

/** The name of the section. */
export const ENTRIES_SECTION = ".entries";

const COUNT = 4;
const RECORD = 8;

/** A function that a reload switches and that is not exported. */
export interface FunctionEntry {
  /** The index of its symbol. */
  readonly symbol: number;
  /** Its source file, if the function is static; empty if the module has no other function of its name. */
  readonly file: string;
  /** Identifies it in all versions of the module; no export has such a name. */
  readonly key: string;
}

/** The tables of a file that has entries. */
interface EntriesSource {
  readonly sections: readonly SmfSection[];
  readonly symbols: SymbolTable;
}

const encoder = new TextEncoder();

/** Writes the bytes of the section for entries in ascending order of their symbols. */
export function entriesBytes(entries: readonly Omit<FunctionEntry, "key">[]): Uint8Array<ArrayBuffer> {
  const texts: Uint8Array[] = [new Uint8Array(1)];
  const places = new Map([["", 0]]);
  let end = 1;
  for (const { file } of entries) {
    if (places.has(file)) continue;
    places.set(file, end);
    const text = encoder.encode(`${file}\0`);
    texts.push(text);
    end += text.length;
  }
  const start = COUNT + entries.length * RECORD;
  const bytes = new Uint8Array(start + end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  entries.forEach(({ symbol, file }, index) => {
    view.setUint32(COUNT + index * RECORD, symbol, true);
    view.setUint32(COUNT + index * RECORD + 4, places.get(file)!, true);
  });
  let at = start;
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}

/**
 * Reads the entries in ascending order of their symbols; undefined if the file has no section of them.
 *
 * @throws {LoadError} `InvalidFormat` if the section holds something else: a symbol that is not a local function,
 * symbols out of order, two functions of one file and name, and texts that are not where a record says.
 */
export function* readEntries({ sections, symbols }: EntriesSource): Reading<FunctionEntry[] | undefined> {
  const found = sections.filter(({ type }) => type === SectionType.Entries);
  if (found.length === 0) return undefined;
  const [section] = found;
  const refuse = (problem: string, offset = 0): LoadError =>
    new LoadError("InvalidFormat", `Cannot read entries: ${problem}`, {
      section: sectionLabel(section),
      // Offsets in compressed bytes lead nowhere in the file.
      offset: section.offset + (section.compressed ? 0 : offset),
    });
  if (found.length > 1) throw refuse("there are two sections of them");
  const length = contentLength(section);
  if (length < COUNT + 1) throw refuse("the section is too short");
  // A record, and a file name of bounded length, belong to a symbol, so that a few bytes cannot request much memory.
  if (length > COUNT + 1 + symbols.length * (RECORD + MOST_FILE_BYTES)) {
    throw refuse("the section is too long");
  }
  const bytes = new Uint8Array(length);
  yield* readContents(section, bytes, undefined);
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(0, true), start = COUNT + count * RECORD;
  if (start >= length) throw refuse("there are fewer records than it says");
  if (bytes[start] !== 0 || bytes[length - 1] !== 0) {
    throw refuse("the texts do not begin and end with a NUL", start);
  }
  const files = new Map<number, string>();
  const names = new Set<string>();
  const entries: FunctionEntry[] = [];
  let lowest = 0;
  for (let at = COUNT; at < start; at += RECORD) {
    const symbol = view.getUint32(at, true), text = start + view.getUint32(at + 4, true);
    if (symbol >= symbols.length) throw refuse(`symbol ${symbol} does not exist`, at);
    if (symbol < lowest) throw refuse("symbols are not in ascending order", at);
    lowest = symbol + 1;
    const isLocal = symbols.binding(symbol) === Binding.Local && symbols.isDefined(symbol);
    if (!isLocal || symbols.type(symbol) !== SymbolType.Function) {
      throw refuse(`symbol ${symbol} is not a local function`, at);
    }
    // A text begins behind the end of another.
    if (text >= length || text > start && bytes[text - 1] !== 0) {
      throw refuse("a file name is not among the texts", at);
    }
    let file = files.get(text);
    if (file === undefined) {
      file = new TextDecoder().decode(bytes.subarray(text, bytes.indexOf(0, text)));
      files.set(text, file);
    }
    const key = entryKey(symbols.name(symbol), file);
    if (names.has(key)) throw refuse(`two entries are called '${symbols.name(symbol)}'`, at);
    names.add(key);
    entries.push({ symbol, file, key });
  }
  return entries;
}

/** The most bytes of a file name, for each symbol. */
const MOST_FILE_BYTES = 4096;

/** Returns the key of an entry among those of its module, over versions. No export has such a name. */
export function entryKey(name: string, file: string): string {
  return `\0${file}\0${name}`;
}

/** Whether a text is the key of an entry, rather than the name of an export. */
export function isEntryKey(key: string): boolean {
  return key.startsWith("\0");
}

/** Returns the name of the function that a key means, for messages. */
export function nameOfKey(key: string): string {
  return key.slice(key.lastIndexOf("\0") + 1);
}
