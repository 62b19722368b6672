/**
 * The functions that objects define, by their places: assemblers refer to static ones by their section and an
 * offset.
 */
import { SymbolKind } from "../os/elf.ts";
import type { InputSection, LinkObject } from "./input.ts";

/** Facts about a static function. */
export interface LocalFacts {
  /** Whether something other than a branch refers to its first byte. */
  readonly isTaken: boolean;
  /** Whether data has addresses inside it, as of labels. */
  readonly hasLabels: boolean;
  /** The source file, as the object's symbols name it. */
  readonly file: string;
  /** Whether the link has one static function of this file and name. */
  readonly isUnique: boolean;
  /** Whether no other function is in its section, so that every reference to it has a relocation. */
  readonly isAlone: boolean;
}

/** A function of a section. */
interface PlacedFunction {
  readonly symbol: number;
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly isLocal: boolean;
}

interface ObjectFunctions {
  readonly bySection: ReadonlyMap<number, readonly PlacedFunction[]>;
  /** The source files of static functions, by symbol. */
  readonly files: ReadonlyMap<number, string>;
}

/** The longest name of a source file that tells functions apart. */
const MOST_FILE_LENGTH = 1024;

/** The functions of the objects of one link. */
export class LocalFunctions {
  readonly #objects: Map<LinkObject, ObjectFunctions> = new Map();
  /** How many static functions have a file and name. */
  readonly #counts: Map<string, number> = new Map();
  readonly #taken: Set<string> = new Set();
  readonly #labelled: Set<string> = new Set();

  constructor(objects: readonly LinkObject[]) {
    for (const object of objects) {
      const found = functionsOf(object);
      this.#objects.set(object, found);
      for (const [symbol, file] of found.files) {
        const key = `${file}\0${object.elf.symbols.name(symbol)}`;
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      }
    }
  }

  /** Notes that something other than a branch leads to an offset of a section. */
  noteAddress(section: InputSection | undefined, offset: number, isData: boolean): void {
    if (section === undefined) return;
    const around = this.#around(section, offset);
    if (around === undefined) return;
    if (around.start === offset) this.#taken.add(keyOf(section.object, this.at(section, offset)));
    else if (isData) this.#labelled.add(keyOf(section.object, around.symbol));
  }

  /** Returns the symbol of the static function that begins at an offset of a section; -1 unless there is just one. */
  at(section: InputSection, offset: number): number {
    const functions = this.#functionsIn(section);
    let found = -1;
    for (let index = firstAt(functions, offset); functions[index]?.start === offset; index++) {
      const { symbol, isLocal } = functions[index];
      // A name that is external beside a local one is the same function.
      if (!isLocal || found !== -1) return -1;
      found = symbol;
    }
    return found;
  }

  /**
   * Returns the symbol of the function that begins at an offset of a section, an external one before others; -1 if
   * none does.
   */
  startingAt(section: InputSection, offset: number): number {
    const functions = this.#functionsIn(section);
    let found = -1;
    for (let index = firstAt(functions, offset); functions[index]?.start === offset; index++) {
      if (found === -1 || !functions[index].isLocal) found = functions[index].symbol;
    }
    return found;
  }

  /** Returns the name, without suffixes of clones, of the function that a place is in; undefined if it is in none. */
  functionAround(section: InputSection, place: number): string | undefined {
    const name = this.#around(section, place)?.name;
    return name === undefined ? undefined : baseName(name);
  }

  /** Returns facts about a static function. */
  facts(object: LinkObject, symbol: number): LocalFacts {
    const { files, bySection } = this.#objects.get(object)!;
    const { symbols } = object.elf;
    const file = files.get(symbol) ?? "";
    const key = keyOf(object, symbol);
    const functions = bySection.get(symbols.section(symbol)) ?? [];
    return {
      isTaken: this.#taken.has(key),
      hasLabels: this.#labelled.has(key),
      file,
      isUnique: file !== "" && file.length <= MOST_FILE_LENGTH &&
        this.#counts.get(`${file}\0${symbols.name(symbol)}`) === 1,
      isAlone: functions.every(({ start }) => start === functions[0].start),
    };
  }

  #functionsIn(section: InputSection): readonly PlacedFunction[] {
    return this.#objects.get(section.object)?.bySection.get(section.elf.index) ?? [];
  }

  #around(section: InputSection, place: number): PlacedFunction | undefined {
    const functions = this.#functionsIn(section);
    const next = firstAt(functions, place + 1);
    const found = functions[next - 1];
    return found !== undefined && (place < found.end || place === found.start) ? found : undefined;
  }
}

/** Returns the index of the first function that begins at an offset or behind it. */
function firstAt(functions: readonly PlacedFunction[], offset: number): number {
  let first = 0, end = functions.length;
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (functions[middle].start < offset) first = middle + 1;
    else end = middle;
  }
  return first;
}

function functionsOf({ elf: { symbols } }: LinkObject): ObjectFunctions {
  const bySection = new Map<number, PlacedFunction[]>();
  const files = new Map<number, string>();
  let file = "";
  for (let symbol = 1; symbol < symbols.length; symbol++) {
    const kind = symbols.kind(symbol);
    if (kind === SymbolKind.FILE) file = symbols.name(symbol);
    if (kind !== SymbolKind.FUNC) continue;
    const section = symbols.section(symbol);
    if (section === -1) continue;
    const isLocal = symbol < symbols.firstGlobal;
    if (isLocal) files.set(symbol, file);
    const start = symbols.value(symbol);
    const placed = { symbol, start, end: start + symbols.size(symbol), name: symbols.name(symbol), isLocal };
    const known = bySection.get(section);
    if (known === undefined) bySection.set(section, [placed]);
    else known.push(placed);
  }
  for (const functions of bySection.values()) functions.sort((a, b) => a.start - b.start);
  return { bySection, files };
}

function keyOf({ index }: LinkObject, symbol: number): string {
  return `${index}:${symbol}`;
}

/** The name of a function that a clone, or a part out of line, was made of. */
export function baseName(name: string): string {
  const dot = name.indexOf(".", 1);
  return dot === -1 ? name : name.slice(0, dot);
}
