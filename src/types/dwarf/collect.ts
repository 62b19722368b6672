/**
 * Finds the functions and variables of a module in the debug information of its objects.
 */
import type { TypedAddress, TypeRecord } from "../model.ts";
import { At, Tag } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import { DwarfObject } from "./object.ts";
import { originOf, Translator } from "./translate.ts";
import { type DwarfSections, type Entry, skipAttributes, skipEntry, type Unit } from "./unit.ts";

/** What a module exports and its writable variables, as one object defines them. */
export interface Roots {
  /** Addresses of functions and variables, offsets in the image. */
  readonly addresses: ReadonlySet<number>;
  /** Addresses by the names of symbols, for functions whose parts have several addresses. */
  readonly byName: ReadonlyMap<string, number>;
}

/**
 * Reads the types of an object's roots.
 *
 * @param types The types of all objects so far; those of this one are added.
 * @throws {LoadError} `InvalidFormat` if the debug information is damaged.
 */
export function collectTypes(
  sections: DwarfSections,
  roots: Roots,
  types: (TypeRecord | undefined)[],
): TypedAddress[] {
  const collector = new Collector(new DwarfObject(sections), roots, types);
  for (const unit of collector.object.units) collector.unit(unit, false);
  // Variables inside functions are entries below those of the functions, which are passed otherwise.
  if (collector.found.size < roots.addresses.size) {
    for (const unit of collector.object.units) collector.unit(unit, true);
  }
  return [...collector.found].map(([address, type]) => ({ address, type }));
}

class Collector {
  readonly object: DwarfObject;
  readonly found: Map<number, number> = new Map();
  readonly #roots: Roots;
  readonly #translator: Translator;

  constructor(object: DwarfObject, roots: Roots, types: (TypeRecord | undefined)[]) {
    this.object = object;
    this.#roots = roots;
    this.#translator = new Translator(object, types);
  }

  /** Looks at the entries of a unit; `deep` looks into functions too, and at variables alone. */
  unit(unit: Unit, deep: boolean): void {
    const root = unit.root();
    if (root === undefined || unit.signature !== undefined || !root.hasChildren) return;
    const cursor = new Cursor(unit.bytes, root.end);
    for (let depth = 1; depth > 0 && cursor.at < unit.end;) {
      const start = cursor.at;
      const code = cursor.uleb();
      if (code === 0) {
        depth--;
        continue;
      }
      const abbreviation = unit.abbreviation(code);
      const { tag, hasChildren } = abbreviation;
      if (tag === Tag.variable) this.#variable(unit.entry(start)!);
      if (tag === Tag.subprogram && !deep) this.#function(unit.entry(start)!);
      const enters = deep
        ? tag === Tag.subprogram || tag === Tag.lexicalBlock || tag === Tag.namespace
        : tag === Tag.namespace || tag === Tag.structure || tag === Tag.class;
      if (enters && hasChildren) {
        skipAttributes(cursor, abbreviation);
        depth++;
      } else {
        cursor.at = start;
        skipEntry(unit, cursor);
      }
    }
  }

  #variable(entry: Entry): void {
    const address = this.object.location(entry);
    if (address === undefined || !this.#roots.addresses.has(address) || this.found.has(address)) return;
    const typed = entry.values.has(At.type) ? entry : originOf(this.object, entry);
    const type = this.#translator.variableType(typed);
    if (type !== 0) this.found.set(address, type);
  }

  #function(entry: Entry): void {
    const address = this.object.address(entry, At.lowPc) ?? this.#addressByName(entry);
    if (address === undefined || !this.#roots.addresses.has(address) || this.found.has(address)) return;
    this.found.set(address, this.#translator.typeOf(entry));
  }

  /** A function of several ranges, hot and cold, has no single address: its name says which it is. */
  #addressByName(entry: Entry): number | undefined {
    if (!entry.values.has(RANGES)) return undefined;
    const origin = originOf(this.object, entry);
    for (const from of [entry, origin]) {
      for (const attribute of [At.linkageName, At.mipsLinkageName, At.name]) {
        const address = this.#roots.byName.get(this.object.name(from, attribute));
        if (address !== undefined) return address;
      }
    }
    return undefined;
  }
}

const RANGES = 0x55;
