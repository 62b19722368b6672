/**
 * Reads the symbol tables of COFF objects, with their auxiliary records.
 */
import { MAX_NAME_LENGTH } from "../../smf/limits.ts";
import { decodeText, textEnd } from "../elf/bytes.ts";
import { malformed } from "../problems.ts";
import { type CoffFile, longName } from "./file.ts";
import { CoffClass, CoffFunction, CoffPlace, CoffSelection, CoffSize } from "./format.ts";

/** A symbol, checked. */
export interface CoffSymbol {
  /** Its index in the file, where auxiliary records count as well. */
  readonly index: number;
  readonly name: string;
  /** Where the bytes of its name are in the file. */
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly value: number;
  /** The number of its section, or a {@linkcode CoffPlace}. */
  readonly section: number;
  readonly type: number;
  readonly storage: number;
  /** Whether it stands for its section as a whole. */
  readonly isSection: boolean;
  /** Of a weak external: the index of the symbol that defines it if nothing else does, and how it is looked for. */
  readonly fallback: { readonly index: number; readonly search: number } | undefined;
}

/** The COMDAT record of a section. */
export interface CoffComdat {
  readonly selection: number;
  /** The number of the section that an associative section belongs to. */
  readonly parent: number;
  /** Over the section's bytes; 0 if the compiler left it out. */
  readonly checksum: number;
  /** The symbol whose name tells the sections of several objects apart; undefined until it was found. */
  leader: CoffSymbol | undefined;
}

/** The symbols of an object, and the COMDAT records of its sections, by number. */
export interface CoffSymbols {
  readonly list: readonly CoffSymbol[];
  readonly comdats: ReadonlyMap<number, CoffComdat>;
}

/** Reads and checks an object's symbol table. */
export function readCoffSymbols(headers: CoffFile): CoffSymbols {
  const { file, sections, isBig, symbols, symbolCount } = headers;
  const { view, bytes, name: path } = file;
  const size = isBig ? CoffSize.BIG_SYMBOL : CoffSize.SYMBOL;
  const list: CoffSymbol[] = [];
  const comdats = new Map<number, CoffComdat>();
  for (let index = 0; index < symbolCount;) {
    const at = symbols + index * size;
    const broken = (problem: string) => malformed(path, problem, { value: index, offset: at });
    const tail = isBig ? at + 16 : at + 14;
    const storage = bytes[tail + 2], auxiliaries = bytes[tail + 3];
    if (index + 1 + auxiliaries > symbolCount) {
      throw broken("a symbol's auxiliary records pass the table's end");
    }
    const section = isBig ? view.getInt32(at + 12, true) : view.getInt16(at + 12, true);
    if (section > sections.length || section < CoffPlace.DEBUG) {
      throw broken("a symbol's section does not exist");
    }
    const aux = at + size;
    // The name of a source file fills the auxiliary records.
    const [start, end] = storage === CoffClass.FILE && auxiliaries > 0
      ? [aux, textEnd(bytes, aux, aux + auxiliaries * size)]
      : nameOf(headers, at) ?? [];
    if (start === undefined) throw broken("a symbol's name lies outside the string table");
    if (end! - start > MAX_NAME_LENGTH) throw broken("a symbol's name is longer than 1 MiB");
    const value = view.getUint32(at + 8, true);
    const type = view.getUint16(tail, true);
    const isRecord = storage === CoffClass.STATIC && auxiliaries > 0 && (type & 0xf0) !== CoffFunction;
    const isSection = section > 0 && value === 0 && (isRecord || storage === CoffClass.SECTION);
    if (section > 0 && value > sections[section - 1].size) {
      throw broken(`a symbol lies outside its section '${sections[section - 1].name}'`);
    }
    let fallback: CoffSymbol["fallback"];
    if (storage === CoffClass.WEAK_EXTERNAL) {
      if (auxiliaries === 0) throw broken("a weak external has no auxiliary record");
      fallback = { index: view.getUint32(aux, true), search: view.getUint32(aux + 4, true) };
    }
    const symbol: CoffSymbol = {
      index,
      name: decodeText(bytes, start, end!),
      nameStart: start,
      nameEnd: end!,
      value,
      section,
      type,
      storage,
      isSection,
      fallback,
    };
    list.push(symbol);
    if (isSection && auxiliaries > 0 && !comdats.has(section)) {
      comdats.set(section, {
        selection: bytes[aux + 14],
        parent: view.getUint16(aux + 12, true) + (isBig ? view.getUint16(aux + 16, true) * 0x10000 : 0),
        checksum: view.getUint32(aux + 8, true),
        leader: undefined,
      });
    } else if (section > 0) {
      const comdat = comdats.get(section);
      if (comdat !== undefined && comdat.selection !== CoffSelection.ASSOCIATIVE) comdat.leader ??= symbol;
    }
    index += 1 + auxiliaries;
  }
  for (const symbol of list) {
    const { section, storage } = symbol;
    if (section <= 0 || comdats.has(section) || storage !== CoffClass.EXTERNAL) continue;
    // `strip` takes away the symbols of sections, and the records with them: any of several is as good then.
    comdats.set(section, { selection: CoffSelection.ANY, parent: 0, checksum: 0, leader: symbol });
  }
  return { list, comdats };
}

function nameOf(headers: CoffFile, at: number): readonly [start: number, end: number] | undefined {
  const { view, bytes } = headers.file;
  if (view.getUint32(at, true) === 0) return longName(headers, view.getUint32(at + 4, true));
  return [at, textEnd(bytes, at, at + 8)];
}
