/**
 * The entries of a hot module that are not exports: functions that code, variables and tables reach by addresses
 * which a reload switches. A section of the type `Entries` lists them; its presence marks the module as hot. The
 * names are the module's own: nobody can import them. Readers that do not know the type skip the section.
 *
 * The section begins with a head, which also says where the call slots are: GOT slots that stubs and calls alone
 * read, each with a relocation that names the function.
 *
 * | field        | offset | bytes |                                                           |
 * | ------------ | ------ | ----- | --------------------------------------------------------- |
 * | `count`      | 0      | 4     | the number of entries                                     |
 * | `call_slots` | 4      | 4     | the number of call slots, of 8 bytes each                 |
 * | `first_slot` | 8      | 8     | the offset of the first one in the image; 0 without slots |
 *
 * A record for each entry follows, in ascending order of `symbol`:
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
import { imageOffsets } from "./offsets.ts";
import type { Reading } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";
import type { SymbolTable } from "./symbol.ts";
import { TLS_SECTION } from "./thread_local.ts";

/** The name of the section. */
export const ENTRIES_SECTION = ".entries";

const HEAD = 16;
const RECORD = 8;
const SLOT = 8;

/** A function that a reload switches and that is not exported. */
export interface FunctionEntry {
  /** The index of its symbol. */
  readonly symbol: number;
  /** Its source file, if the function is static; empty if the module has no other function of its name. */
  readonly file: string;
  /** Identifies it in all versions of the module; no export has such a name. */
  readonly key: string;
}

/** The functions that a reload switches, as a hot module lists them. */
export interface Entries {
  /** The functions that are not exported, in ascending order of their symbols. */
  readonly functions: readonly FunctionEntry[];
  /** The GOT slots through which only calls go, as offsets in the file's image: from `start` up to but not including `end`. */
  readonly callSlots: { readonly start: number; readonly end: number };
}

/** The tables of a file that has entries. */
interface EntriesSource {
  readonly sections: readonly SmfSection[];
  readonly symbols: SymbolTable;
}

const encoder = new TextEncoder();

/** Writes the bytes of the section for entries in ascending order of their symbols. */
export function entriesBytes(
  entries: readonly Omit<FunctionEntry, "key">[],
  { start: firstSlot, end: slotsEnd }: Entries["callSlots"] = { start: 0, end: 0 },
): Uint8Array<ArrayBuffer> {
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
  const start = HEAD + entries.length * RECORD;
  const bytes = new Uint8Array(start + end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  view.setUint32(4, (slotsEnd - firstSlot) / SLOT, true);
  view.setBigUint64(8, BigInt(firstSlot), true);
  entries.forEach(({ symbol, file }, index) => {
    view.setUint32(HEAD + index * RECORD, symbol, true);
    view.setUint32(HEAD + index * RECORD + 4, places.get(file)!, true);
  });
  let at = start;
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}

/**
 * Reads the entries; undefined if the file has no section of them.
 *
 * @throws {LoadError} `InvalidFormat` if the section holds something else: a symbol that is not a local function,
 * symbols out of order, two functions of one file and name, texts that are not where a record says, and call slots
 * that are not words of one RoData section.
 */
export function* readEntries({ sections, symbols }: EntriesSource): Reading<Entries | undefined> {
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
  if (length < HEAD + 1) throw refuse("the section is too short");
  // A record, and a file name of bounded length, belong to a symbol, so that a few bytes cannot request much memory.
  if (length > HEAD + 1 + symbols.length * (RECORD + MOST_FILE_BYTES)) {
    throw refuse("the section is too long");
  }
  const bytes = new Uint8Array(length);
  yield* readContents(section, bytes, undefined);
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(0, true), start = HEAD + count * RECORD;
  if (start >= length) throw refuse("there are fewer records than it says");
  if (bytes[start] !== 0 || bytes[length - 1] !== 0) {
    throw refuse("the texts do not begin and end with a NUL", start);
  }
  const callSlots = readCallSlots(view);
  if (callSlots === undefined || !areConstants(callSlots, sections)) {
    throw refuse("the call slots are not words of a section of constants", 4);
  }
  const files = new Map<number, string>();
  const names = new Set<string>();
  const functions: FunctionEntry[] = [];
  let lowest = 0;
  for (let at = HEAD; at < start; at += RECORD) {
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
    functions.push({ symbol, file, key });
  }
  return { functions, callSlots };
}

/** Reads where the call slots are; undefined if that is no offset. */
function readCallSlots(view: DataView): Entries["callSlots"] | undefined {
  const start = view.getUint32(12, true) * 2 ** 32 + view.getUint32(8, true);
  const end = start + view.getUint32(4, true) * SLOT;
  return start % SLOT === 0 && Number.isSafeInteger(end) ? { start, end } : undefined;
}

/** Whether the call slots lie in one section of constants; that of initial thread-local data is none. */
function areConstants({ start, end }: Entries["callSlots"], sections: readonly SmfSection[]): boolean {
  if (start === end) return start === 0;
  const { offsets } = imageOffsets(sections);
  return sections.some(({ name, type, virtualSize }, index) =>
    type === SectionType.RoData && name !== TLS_SECTION &&
    start >= offsets[index]! && end <= offsets[index]! + virtualSize
  );
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
