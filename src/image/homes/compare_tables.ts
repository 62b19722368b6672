/**
 * Compares the tables of classes of two versions: pure. New code must find each virtual function where old objects
 * have it, and old code where new objects have it.
 */

import type { ClassTable, TableWord } from "./class_tables.ts";

/** How a table differs, so that code of one version cannot use that of the other. */
export interface TableDifference {
  /** The mangled name of the table. */
  readonly table: string;
  /** The mangled names of the functions in the first slot that differs; undefined if there is none. */
  readonly was: string | undefined;
  readonly is: string | undefined;
  /** In words: "slot 2 was 'f', is 'g'". */
  readonly problem: string;
  readonly hint: string;
}

/** Compares the declarations of two functions by their symbols; undefined if callers of one can call the other. */
export type ChangedUse = (
  before: number,
  after: number,
) => { readonly before: string; readonly after: string } | undefined;

/** A table with the bytes of its words that are not addresses. */
export interface ComparedTable extends ClassTable {
  /** Reads such bytes; undefined if nobody knows them. */
  bytes(offset: number, size: number): Uint8Array | undefined;
}

const WORD = 8;

const REORDERED = "append virtual functions behind all others, in a class without derived ones";
const BASES = 'reload with state: "fresh", or load the class under another name';
const RENAME = "append the function under another name instead";
const ALONE = "link both versions with --hot, and compile with -fdata-sections";
const FOLDED = "the compiler gave functions with the same code one address: compile with -fno-ipa-icf";

/**
 * Finds how a table differs from that of an older version.
 *
 * @param mayGrow Whether virtual functions may be appended.
 * @param changedUse Compares the declarations of two functions by their symbols, where the files tell them.
 * @returns undefined if all that the older version has is where it was.
 */
export function compareTables(
  before: ComparedTable,
  after: ComparedTable,
  mayGrow: boolean,
  changedUse?: ChangedUse,
): TableDifference | undefined {
  const otherBases = (): TableDifference => ({
    table: after.name,
    was: undefined,
    is: undefined,
    problem: "the base classes are others, or have other places",
    hint: BASES,
  });
  const refuse = (at: number, problem: (slot: string) => string, hint = REORDERED): TableDifference => ({
    table: after.name,
    was: nameOf(before.words.get(at)),
    is: nameOf(after.words.get(at)),
    problem: problem(`slot ${functionPlaces(before, after).indexOf(at)}`),
    hint,
  });
  const shared = Math.min(before.size, after.size);
  for (let at = 0; at < shared; at += WORD) {
    const was = before.words.get(at), is = after.words.get(at);
    if (was?.kind === "function" && is?.kind === "function") {
      if (isSameMethod(was, is)) {
        const isNamed = was.symbol !== undefined && is.symbol !== undefined && was.names[0] === is.names[0];
        const use = isNamed ? changedUse?.(was.symbol!, is.symbol!) : undefined;
        if (use === undefined) continue;
        return refuse(at, (slot) => `${slot} was declared as '${use.before}', is '${use.after}'`, RENAME);
      }
      const isUnfolded = is.names.length < was.names.length && isSubset(is.names, was.names);
      const verb = isUnfolded ? "was one of" : "was";
      return refuse(
        at,
        (slot) => `${slot} ${verb} ${nameOf(was)}, is ${nameOf(is)}`,
        isUnfolded ? FOLDED : undefined,
      );
    }
    if (was?.kind === "function" || is?.kind === "function") {
      if (isAbstract(before, was, after, is, at)) continue;
      const verb = was?.kind === "function" ? "was removed" : "was added";
      return refuse(
        at,
        () => `${nameOf(was) ?? nameOf(is)} ${verb} in front of tables of other bases of the class`,
      );
    }
    const isSame = was === undefined && is === undefined
      ? isSameBytes(before, after, at, Math.min(WORD, shared - at))
      : was?.text === is?.text;
    if (!isSame) return otherBases();
  }
  if (shared < before.size) {
    const was = before.words.get(shared);
    return was?.kind === "function"
      ? refuse(shared, (slot) => `${slot} was ${nameOf(was)}, is gone`)
      : otherBases();
  }
  for (let at = shared; at < after.size; at += WORD) {
    const is = after.words.get(at);
    if (is?.kind !== "function") return otherBases();
    if (!mayGrow) return refuse(at, (slot) => `${slot} is new: ${nameOf(is)}`, ALONE);
  }
  return undefined;
}

/** Whether one of two slots has no destructor because its class is abstract: gcc leaves it empty then. */
function isAbstract(
  before: ComparedTable,
  was: TableWord | undefined,
  after: ComparedTable,
  is: TableWord | undefined,
  at: number,
): boolean {
  const [table, empty, other] = was === undefined ? [before, was, is] : [after, is, was];
  if (empty !== undefined || other?.kind !== "function") return false;
  const bytes = table.bytes(at, WORD);
  return bytes !== undefined && bytes.every((byte) => byte === 0) &&
    other.names.length > 0 && other.names.every((name) => /^D\d/.test(methodOf(name)));
}

/** The offsets of all virtual functions of two tables. */
function functionPlaces(before: ClassTable, after: ClassTable): number[] {
  const places = new Set<number>();
  for (const { words } of [before, after]) {
    for (const [at, { kind }] of words) if (kind === "function") places.add(at);
  }
  return [...places].sort((left, right) => left - right);
}

function isSameBytes(before: ComparedTable, after: ComparedTable, at: number, size: number): boolean {
  const was = before.bytes(at, size), is = after.bytes(at, size);
  return was === undefined || is === undefined || was.every((byte, index) => byte === is[index]);
}

type FunctionWord = Extract<TableWord, { readonly kind: "function" }>;

/**
 * Whether a slot means what it meant. A pure function may become any; of a function with several names, all that
 * the slot may have meant must be among those that it may mean now.
 */
function isSameMethod(was: FunctionWord, is: FunctionWord): boolean {
  // Nearly all slots are like this, and taking names apart would take longer than the rest.
  if (was.names.length === 1 && is.names.length === 1 && was.names[0] === is.names[0]) return true;
  const now = new Set(is.names.map(methodOf));
  const before = was.names.map(methodOf);
  if (now.has("") || before.includes("")) return true;
  return before.length > 0 && before.every((method) => now.has(method));
}

/** Whether a slot has no function yet: an object of an older version keeps the one that it had. */
export function isPure(word: TableWord): boolean {
  return word.kind === "function" && word.names.every((name) => NO_METHOD.test(name));
}

function isSubset(some: readonly string[], all: readonly string[]): boolean {
  const methods = new Set(all.map(methodOf));
  return some.every((name) => methods.has(methodOf(name)));
}

function nameOf(word: TableWord | undefined): string | undefined {
  return word?.kind === "function" ? word.names.join(" or ") || "a function without a name" : undefined;
}

/** A function that was not defined may be defined now, and one of another class may override it. */
const NO_METHOD = /^__cxa_(?:pure|deleted)_virtual/;

/**
 * The method that a mangled name means, without its class; an empty text if it may be any, such as a pure one.
 * Names that this simple rule does not understand are taken as they are.
 */
function methodOf(name: string): string {
  if (NO_METHOD.test(name)) return "";
  // A thunk moves `this` and means the same method.
  const nested = /^(?:_ZT(?:h[^_]*_|v[^_]*_[^_]*_)|_Z)N([rVK]*)(.*)$/.exec(name);
  if (nested === null) return name;
  const qualifiers = nested[1];
  let rest = nested[2], last: string | undefined;
  for (let part = /^\d+/.exec(rest); part !== null; part = /^\d+/.exec(rest)) {
    const length = Number(part[0]), start = part[0].length;
    last = rest.slice(start, start + length);
    rest = rest.slice(start + length);
  }
  // Complete and base destructors share a slot's meaning: where they are alike, one is an alias of the other.
  if (/^[CD]\d/.test(rest)) return rest.replace(/^([CD])2/, "$11");
  return last !== undefined && rest.startsWith("E") ? qualifiers + last + rest : name;
}
