/**
 * The tables that C++ makes for classes, as their files describe them (Itanium C++ ABI, 2.5 and 2.9): what each word
 * means, by names, so that two versions can be compared.
 */

import { functionsOf, type PlannedFile } from "../compatibility.ts";
import { NameGroups } from "../name_groups.ts";
import { isAddress } from "../plan.ts";
import { RelocationType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { SYMBOL_WORDS } from "../../smf/symbol.ts";
import { Ranges } from "./ranges.ts";

/** Virtual tables, construction tables, tables of tables, type information, and names of types. */
const CLASS_TABLE = /^_ZT[VCTIS]/;
/** The first bytes of their names. */
const [FIRST, SECOND, THIRD] = new TextEncoder().encode("_ZT");
/** The tables with virtual functions. */
const VIRTUALS = /^_ZT[VC]/;
/**
 * Names with a number that the compiler counts: classes of lambdas, unnamed ones, and those of one name in one
 * function.
 */
const NUMBERED = /(?<!\d)U(?:t|l[^_]*?E)\d*_|^_ZT[VIS]Z.*E.*[^\d_]_(?:\d|_\d+_)$/;

/** Whether a symbol of this name is a table of a class. */
export function isClassTable(name: string): boolean {
  return CLASS_TABLE.test(name);
}

/** Whether a table has slots with virtual functions. */
export function hasVirtuals(name: string): boolean {
  return VIRTUALS.test(name);
}

/** Whether a compiler has counted a part of a table's name, so that another class may have it in another version. */
export function isNumberedTable(name: string): boolean {
  return NUMBERED.test(name);
}

/** The meaning of a word that is an address. */
export type TableWord =
  /** A virtual function, by all names that it has: several if the file does not say which is meant. */
  | {
    readonly kind: "function";
    readonly names: readonly string[];
    /** The index of the function's symbol, if the relocation names it. */
    readonly symbol?: number;
  }
  /** A place in another table, or an import: its name and the distance from there. */
  | { readonly kind: "place"; readonly text: string };

/** One table of a file. */
export interface ClassTable {
  /** The index of its symbol. */
  readonly index: number;
  readonly name: string;
  /** Its offset in the file's image. */
  readonly start: number;
  /** In bytes. */
  readonly size: number;
  /** Its words that are addresses, by their offsets in it; all others are numbers and texts. */
  readonly words: ReadonlyMap<number, TableWord>;
}

/** The tables of one file. */
export class ClassTables {
  /** The tables by their names; several classes may have one name, in anonymous namespaces. */
  readonly byName: ReadonlyMap<string, readonly ClassTable[]>;
  readonly #byIndex: ReadonlyMap<number, ClassTable>;

  private constructor(planned: PlannedFile) {
    const tables = readTables(planned);
    this.byName = Map.groupBy(tables, ({ name }) => name);
    this.#byIndex = new Map(tables.map((table) => [table.index, table]));
  }

  /** The tables of a file, found out once. */
  static of(planned: PlannedFile): ClassTables {
    let tables = known.get(planned.file);
    if (tables === undefined) known.set(planned.file, tables = new ClassTables(planned));
    return tables;
  }

  /** The table of a symbol. */
  at(index: number): ClassTable | undefined {
    return this.#byIndex.get(index);
  }
}

const known = new WeakMap<SmfFile, ClassTables>();

function readTables({ file, plan }: PlannedFile): ClassTable[] {
  const { symbols, relocations } = file;
  const tables: ClassTable[] = [];
  // One table may have several names.
  const wordsAt = new Map<number, Map<number, TableWord>>();
  for (const index of tableSymbols(file, NameGroups.of(file))) {
    if (symbols.size(index) === 0) continue;
    const name = symbols.name(index), start = symbols.value(index);
    let words = wordsAt.get(start);
    if (words === undefined) wordsAt.set(start, words = new Map());
    tables.push({ index, name, start, size: symbols.size(index), words });
  }
  if (tables.length === 0) return tables;
  const ranges = new Ranges(tables.map(({ start, size }) => ({ first: start, end: start + size })));
  // The place behind a table counts as its own.
  const places = new Ranges(
    tables.map(({ name, start, size }) => ({ name, first: start, end: start + size + 1 })),
  );
  let functions: Map<number, number[]> | undefined;
  const namesAt = (place: number): string[] =>
    ((functions ??= functionsAt(file)).get(place) ?? []).map((index) => symbols.name(index));
  const wordOf = (index: number): TableWord => {
    const symbol = relocations.symbol(index), addend = Number(relocations.addend(index));
    if (!symbols.isDefined(symbol)) {
      const name = symbols.name(symbol);
      if (isClassTable(name)) return { kind: "place", text: `${name}+${addend}` };
      return { kind: "function", names: [name] };
    }
    const target = symbols.value(symbol) + addend;
    if (plan.isCode(target)) {
      const names = namesAt(target), name = symbols.name(symbol);
      if (addend === 0 && names.includes(name)) return { kind: "function", names: [name], symbol };
      return { kind: "function", names };
    }
    const table = places.find(target);
    return { kind: "place", text: table === undefined ? "" : `${table.name}+${target - table.first}` };
  };
  for (let index = 0; index < relocations.length; index++) {
    if (relocations.type(index) !== RelocationType.Abs64) continue;
    const offset = relocations.offset(index);
    const found = ranges.find(offset);
    if (found !== undefined) wordsAt.get(found.first)!.set(offset - found.first, wordOf(index));
  }
  return tables;
}

/** The symbols with names of tables, ascending; found once for all files with the same names. */
export function tableSymbols({ symbols }: SmfFile, names: NameGroups): readonly number[] {
  return names.fact(() => tablesIn(symbols), tableSymbols);
}

function tablesIn(symbols: SmfFile["symbols"]): number[] {
  const { words, step, strings } = symbols, found: number[] = [];
  for (let index = 0; index < symbols.length; index++) {
    const start = words[index * step + SYMBOL_WORDS.nameOffset];
    // Reading all names would take as long as the rest.
    if (strings[start] !== FIRST || strings[start + 1] !== SECOND || strings[start + 2] !== THIRD) continue;
    if (!symbols.isDefined(index) || !isAddress(symbols.type(index))) continue;
    if (isClassTable(symbols.name(index))) found.push(index);
  }
  return found;
}

/** The symbols of each function: folded ones have several. */
function functionsAt(file: SmfFile): Map<number, number[]> {
  return Map.groupBy(functionsOf(file), (index) => file.symbols.value(index));
}
