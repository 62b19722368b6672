/**
 * The tables that C++ makes for classes, as their files describe them (Itanium C++ ABI, 2.5 and 2.9): what each word
 * means, by names, so that two versions can be compared.
 */

import { functionsOf, type PlannedFile } from "../compatibility.ts";
import { membersOf, NameGroups } from "../name_groups.ts";
import { lastUpTo } from "../search.ts";
import { RelocationType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { Ranges } from "./ranges.ts";

/** Virtual tables, construction tables, tables of tables, type information, and names of types. */
const CLASS_TABLE = /^_ZT[VCTIS]/;
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
  readonly #byName = new Map<string, ClassTable[]>();
  readonly #byIndex = new Map<number, ClassTable>();

  private constructor(planned: PlannedFile) {
    for (const table of readTables(planned)) {
      this.#byIndex.set(table.index, table);
      const known = this.#byName.get(table.name);
      if (known === undefined) this.#byName.set(table.name, [table]);
      else known.push(table);
    }
  }

  /** The tables of a file, found out once. */
  static of(planned: PlannedFile): ClassTables {
    let tables = known.get(planned.file);
    if (tables === undefined) known.set(planned.file, tables = new ClassTables(planned));
    return tables;
  }

  /** The tables by their names; several classes may have one name, in anonymous namespaces. */
  get byName(): ReadonlyMap<string, readonly ClassTable[]> {
    return this.#byName;
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
  const sorted = [...tables].sort((left, right) => left.start - right.start);
  const starts = Float64Array.from(sorted, ({ start }) => start);
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
    const table = sorted[lastUpTo(starts, target)];
    const isInside = table !== undefined && target <= table.start + table.size;
    return { kind: "place", text: isInside ? `${table.name}+${target - table.start}` : "" };
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
  return names.fact(() => tablesIn(names, symbols), tableSymbols);
}

function tablesIn({ groups }: NameGroups, symbols: SmfFile["symbols"]): number[] {
  const found: number[] = [];
  // A base name begins as the name does.
  for (const [base, group] of groups) if (isClassTable(base)) found.push(...membersOf(group));
  return found.filter((index) => isClassTable(symbols.name(index))).sort((left, right) => left - right);
}

/** The symbols of each function: folded ones have several. */
function functionsAt(file: SmfFile): Map<number, number[]> {
  const { symbols } = file;
  const found = new Map<number, number[]>();
  for (const index of functionsOf(file)) {
    const value = symbols.value(index), known = found.get(value);
    if (known === undefined) found.set(value, [index]);
    else known.push(index);
  }
  return found;
}
