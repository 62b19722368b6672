/**
 * Compares the virtual tables of two versions (Itanium C++ ABI, 2.5.2): objects that stay keep the tables of the
 * version that made them, so that new code must find each function where it was.
 */

import { isAddress } from "../plan.ts";
import { functionsOf, type PlannedFile } from "../compatibility.ts";
import { RelocationType } from "../../smf/enums.ts";
import { Ranges } from "./ranges.ts";

const VTABLE = /^_ZTV/;

/**
 * The names of the tables in which a virtual function was added, removed or moved. A function that now has another
 * body, or is overridden, is where it was.
 */
export function changedVtables(before: PlannedFile, after: PlannedFile): string[] {
  const old = vtablesOf(before), now = vtablesOf(after);
  if (old.size === 0) return [];
  const changed: string[] = [];
  const names = { old: slotNames(before, old), now: slotNames(after, now) };
  for (const [name, { size }] of old) {
    const other = now.get(name);
    if (other === undefined) continue;
    const was = names.old.get(name)!, is = names.now.get(name)!;
    const isSame = size === other.size &&
      [...new Set([...was.keys(), ...is.keys()])].every((slot) => isSameMethod(was.get(slot), is.get(slot)));
    if (!isSame) changed.push(name);
  }
  return changed;
}

/** Whether two slots mean the same; a pure function may be any. */
function isSameMethod(was: string | undefined, is: string | undefined): boolean {
  if (was === undefined || is === undefined) return false;
  return was === is || was === "" || is === "";
}

interface Vtable {
  readonly start: number;
  readonly size: number;
}

function vtablesOf({ file: { symbols } }: PlannedFile): Map<string, Vtable> {
  const tables = new Map<string, Vtable>();
  for (let index = 0; index < symbols.length; index++) {
    if (!symbols.isDefined(index) || !isAddress(symbols.type(index)) || symbols.size(index) === 0) continue;
    const name = symbols.name(index);
    if (VTABLE.test(name)) tables.set(name, { start: symbols.value(index), size: symbols.size(index) });
  }
  return tables;
}

/** The methods in the slots of each table, by their offsets in it. */
function slotNames(
  { file, plan }: PlannedFile,
  tables: ReadonlyMap<string, Vtable>,
): Map<string, Map<number, string>> {
  const { symbols, relocations } = file;
  const names = new Map([...tables.keys()].map((name) => [name, new Map<number, string>()]));
  const ranges = new Ranges(
    Array.from(tables, ([name, { start, size }]) => ({ name, first: start, end: start + size })),
  );
  const functions = new Map(
    Array.from(functionsOf(file), (index) => [symbols.value(index), symbols.name(index)] as const),
  );
  for (let index = 0; index < relocations.length; index++) {
    if (relocations.type(index) !== RelocationType.Abs64) continue;
    const offset = relocations.offset(index);
    const table = ranges.find(offset);
    if (table === undefined) continue;
    const symbol = relocations.symbol(index);
    const target = symbols.isDefined(symbol)
      ? functions.get(symbols.value(symbol) + Number(relocations.addend(index)))
      : symbols.name(symbol);
    const isCode = !symbols.isDefined(symbol) ||
      plan.isCode(symbols.value(symbol) + Number(relocations.addend(index)));
    if (isCode) names.get(table.name)!.set(offset - table.first, methodOf(target ?? ""));
  }
  return names;
}

/** A function that was not defined may be defined now, and one of another class may override it. */
const NO_METHOD = /^__cxa_(?:pure|deleted)_virtual/;

/**
 * The method that a mangled name means, without its class; an empty text if it may be any, such as a pure one.
 * Names that this simple rule does not understand are taken as they are.
 */
function methodOf(name: string): string {
  if (NO_METHOD.test(name)) return "";
  const nested = /^_ZN[rVK]*(.*)$/.exec(name);
  if (nested === null) return name;
  let rest = nested[1], last: string | undefined;
  for (let part = /^\d+/.exec(rest); part !== null; part = /^\d+/.exec(rest)) {
    const length = Number(part[0]), start = part[0].length;
    last = rest.slice(start, start + length);
    rest = rest.slice(start + length);
  }
  if (/^[CD]\d/.test(rest)) return rest;
  return last !== undefined && rest.startsWith("E") ? last + rest : name;
}
