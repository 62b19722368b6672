/**
 * Finds the functions and variables of a module in the debug information of its objects.
 */
import { CollectedTypes, TypePools } from "../collected.ts";
import type { TextPool } from "../text_pool.ts";
import type { Abbreviation } from "./abbrev.ts";
import { AbbreviationPool } from "./abbrev_table.ts";
import { At, Tag } from "./constants.ts";
import { EntryNumbers } from "./entry_numbers.ts";
import { DwarfObject, type Shared } from "./object.ts";
import { partsOf } from "./pieces.ts";
import { EVERYWHERE, PlaceList, type Places } from "./places.ts";
import { isScope } from "./scopes.ts";
import type { DwarfSections } from "./sections.ts";
import { originOf, Translator } from "./translate.ts";
import type { Entry, Unit } from "./unit.ts";
import { walkEntries } from "./walk.ts";

/** The exports and writable variables of a module that one object defines. */
export interface Roots {
  /** Addresses of functions and variables, offsets in the image. */
  readonly addresses: ReadonlySet<number>;
  /** Addresses by the names of symbols, for functions that debug information gives no single address. */
  readonly byName: ReadonlyMap<string, number>;
}

/** The tables that the objects of one module share, or of several that are linked one after the other. */
export class SharedTables {
  readonly types: TypePools = new TypePools();
  readonly abbreviations: AbbreviationPool = new AbbreviationPool();
}

/** The types of one module, and the tables that its objects share. */
export class ModuleTypes implements Shared {
  /** The types of all objects so far. */
  readonly types: CollectedTypes;
  readonly texts: TextPool;
  readonly abbreviations: AbbreviationPool;
  /** The numbers of the entries of the object that is being read. */
  readonly numbers: EntryNumbers = new EntryNumbers();

  constructor({ types, abbreviations }: SharedTables = new SharedTables()) {
    this.types = new CollectedTypes(types);
    this.texts = this.types.texts;
    this.abbreviations = abbreviations;
  }
}

/**
 * Reads the types of an object's roots, and adds them to those of the module.
 *
 * @returns types by address.
 * @throws {LoadError} `InvalidFormat` if the debug information is damaged.
 */
export function collectTypes(
  sections: DwarfSections,
  roots: Roots,
  module: ModuleTypes,
): ReadonlyMap<number, number> {
  const collector = new Collector(new DwarfObject(sections, module), roots, module);
  collector.collect();
  return collector.found;
}

class Collector {
  readonly found: Map<number, number> = new Map();
  readonly #object: DwarfObject;
  readonly #roots: Roots;
  readonly #translator: Translator;
  readonly #unitsWithTypes: Map<Unit, boolean> = new Map();

  constructor(object: DwarfObject, roots: Roots, { types, numbers }: ModuleTypes) {
    this.#object = object;
    this.#roots = roots;
    this.#translator = new Translator(object, types, numbers);
  }

  collect(): void {
    const { addresses, byName } = this.#roots;
    // Type units define no function and no variable.
    const units = this.#object.units.filter(({ signature }) => signature === undefined);
    const places = new Map<number, readonly number[]>();
    for (const { section } of units) {
      if (!places.has(section)) places.set(section, this.#object.placesOf(section, addresses));
    }
    for (const unit of units) this.#visit(unit, new PlaceList(places.get(unit.section)!, unit.start));
    if (!this.#isComplete && this.#object.hasIndexed(addresses)) {
      for (const unit of units) this.#visit(unit, EVERYWHERE);
    }
    const missing = new Map<number, number>();
    for (const [name, address] of byName) {
      if (!this.found.has(address)) missing.set(this.#object.texts.numberOf(name), address);
    }
    if (missing.size > 0) { for (const unit of units) this.#names(unit, missing); }
  }

  get #isComplete(): boolean {
    return this.found.size === this.#roots.addresses.size;
  }

  /** Looks at the entries that hold the address of a root; an entry that has none inside is passed. */
  #visit(unit: Unit, places: Places): void {
    walkEntries(unit, {
      isDone: () => this.#isComplete || !places.isBefore(unit.end),
      enter: (start, abbreviation, behind) => {
        places.moveTo(start);
        if (places.isBefore(behind)) {
          places.moveTo(behind);
          this.#entry(unit, start, abbreviation);
        }
        return abbreviation.hasChildren && MAY_DEFINE.has(abbreviation.tag) &&
          (places === EVERYWHERE || places.isBefore(unit.endOf(start)));
      },
    });
  }

  #entry(unit: Unit, at: number, abbreviation: Abbreviation): void {
    if (abbreviation.tag === Tag.variable) {
      if (abbreviation.spec(At.location) !== undefined) this.#variable(unit.entry(at)!);
    } else if (abbreviation.tag === Tag.subprogram && abbreviation.spec(At.lowPc) !== undefined) {
      const entry = unit.entry(at)!;
      this.#found(this.#object.address(entry, At.lowPc), entry);
    }
  }

  /**
   * Looks for functions and constants by their names: a function of several ranges, hot and cold, has no single
   * address, a compiler that finds two functions to be equal describes the code of one only, and a constant of C++
   * may have a value in place of an address.
   */
  #names(unit: Unit, missing: ReadonlyMap<number, number>): void {
    walkEntries(unit, {
      enter: (start, abbreviation) => {
        const { tag } = abbreviation;
        // An entry with an address was found by it, or is not a root.
        const address = tag === Tag.subprogram ? At.lowPc : tag === Tag.variable ? At.location : undefined;
        if (address !== undefined && abbreviation.spec(address) === undefined) {
          this.#named(unit.entry(start)!, missing);
        }
        return tag === Tag.namespace || (isScope(tag) && !unit.isC);
      },
    });
  }

  #named(entry: Entry, missing: ReadonlyMap<number, number>): void {
    const from = entry.has(At.name) ? entry : originOf(this.#object, entry);
    const attribute = SYMBOL_NAMES.find((name) => from.has(name));
    if (attribute === undefined) return;
    const address = missing.get(this.#object.nameNumber(from, attribute));
    if (entry.tag === Tag.variable) this.#foundVariable(address, entry);
    else this.#found(address, entry);
  }

  #variable(entry: Entry): void {
    const address = this.#object.location(entry);
    if (address !== undefined) return this.#foundVariable(address, entry);
    for (const { address, type } of partsOf(this.#object, entry)) {
      if (type === undefined || !this.#roots.addresses.has(address) || this.found.has(address)) continue;
      this.found.set(address, this.#translator.typeOf(type));
    }
  }

  #foundVariable(address: number | undefined, entry: Entry): void {
    if (address === undefined || !this.#roots.addresses.has(address) || this.found.has(address)) return;
    const typed = entry.has(At.type) ? entry : originOf(this.#object, entry);
    const type = this.#translator.variableType(typed);
    if (type !== 0) this.found.set(address, type);
  }

  #found(address: number | undefined, entry: Entry): void {
    if (address === undefined || !this.#roots.addresses.has(address) || this.found.has(address)) return;
    if (this.#tellsNoTypes(entry)) return;
    this.found.set(address, this.#translator.typeOf(entry));
  }

  /**
   * Whether an entry stands for a function without telling its type, as -g1 writes all of them. It is spelt as
   * `void f()` is, but in a unit that has no type at all.
   */
  #tellsNoTypes(entry: Entry): boolean {
    const origin = originOf(this.#object, entry);
    if ([entry, origin].some((from) => from.has(At.type) || from.has(At.prototyped))) return false;
    const { unit } = entry;
    let hasTypes = this.#unitsWithTypes.get(unit);
    if (hasTypes === undefined) {
      hasTypes = false;
      this.#object.forChildren(unit.root()!, ({ tag }) => hasTypes ||= tag === Tag.base);
      this.#unitsWithTypes.set(unit, hasTypes);
    }
    return !hasTypes;
  }
}

/** The attributes that tell a symbol's name; the name in the source does where it is not mangled. */
const SYMBOL_NAMES = [At.linkageName, At.mipsLinkageName, At.name];

/** The entries that may have variables and functions inside. */
const MAY_DEFINE: ReadonlySet<number> = new Set([
  Tag.namespace,
  Tag.structure,
  Tag.class,
  Tag.union,
  Tag.subprogram,
  Tag.lexicalBlock,
]);
