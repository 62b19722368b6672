/**
 * Compares the virtual tables of two versions (Itanium C++ ABI, 2.5.2): objects that stay keep the tables of the
 * version that made them, so that new code must find each function where it was.
 */

import { isAddress } from "../plan.ts";
import type { PlannedFile } from "../compatibility.ts";
import { RelocationType, SymbolType } from "../../smf/enums.ts";

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
  { file: { symbols, relocations }, plan }: PlannedFile,
  tables: ReadonlyMap<string, Vtable>,
): Map<string, Map<number, string>> {
  const names = new Map([...tables.keys()].map((name) => [name, new Map<number, string>()]));
  const sorted = [...tables].sort(([, left], [, right]) => left.start - right.start);
  const functions = new Map<number, string>();
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Function || !symbols.isDefined(index)) continue;
    functions.set(symbols.value(index), symbols.name(index));
  }
  for (let index = 0; index < relocations.length; index++) {
    if (relocations.type(index) !== RelocationType.Abs64) continue;
    const offset = relocations.offset(index);
    const found = tableAt(sorted, offset);
    if (found === undefined) continue;
    const symbol = relocations.symbol(index);
    const target = symbols.isDefined(symbol)
      ? functions.get(symbols.value(symbol) + Number(relocations.addend(index)))
      : symbols.name(symbol);
    const isCode = !symbols.isDefined(symbol) ||
      plan.isCode(symbols.value(symbol) + Number(relocations.addend(index)));
    if (isCode) names.get(found[0])!.set(offset - found[1].start, methodOf(target ?? ""));
  }
  return names;
}

function tableAt(sorted: readonly [string, Vtable][], offset: number): [string, Vtable] | undefined {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle][1].start <= offset) low = middle + 1;
    else high = middle;
  }
  const found = sorted[low - 1];
  return found !== undefined && offset < found[1].start + found[1].size ? found : undefined;
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
