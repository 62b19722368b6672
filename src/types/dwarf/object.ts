/**
 * The debug information of one object: its units, and entries by the references to them.
 */
import { LoadError } from "../../errors/load_error.ts";
import { damaged } from "../damaged.ts";
import type { AbbreviationPool, AbbreviationTable } from "./abbrev_table.ts";
import { At, Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DwarfSections } from "./sections.ts";
import { findScopes, type Scopes } from "./scopes.ts";
import type { TextPool } from "../text_pool.ts";
import { Texts } from "./texts.ts";
import { type Entry, signatureAt, Unit } from "./unit.ts";

/** The tables that the objects of one module share. */
export interface Shared {
  readonly texts: TextPool;
  readonly abbreviations: AbbreviationPool;
}

/** All units of an object. */
export class DwarfObject {
  readonly units: readonly Unit[];
  readonly texts: TextPool;
  readonly #sections: DwarfSections;
  readonly #bySignature: Map<string, Unit> = new Map();
  /** Units by section, ascending. */
  readonly #bySection: readonly Unit[][];
  readonly #texts: Texts;
  readonly #addresses: Cursor | undefined;
  readonly #scopes: Map<Unit, Scopes> = new Map();

  /** @param isTolerant Whether units that cannot be read are left out. Default: they are an error. */
  constructor(sections: DwarfSections, shared: Shared, isTolerant: boolean = false) {
    this.#sections = sections;
    this.texts = shared.texts;
    if (sections.addr !== undefined) this.#addresses = Cursor.in(sections.addr);
    const tables = new Map<number, AbbreviationTable>();
    this.#bySection = sections.info.map((section, index) => {
      const units: Unit[] = [];
      const cursor = Cursor.in(section);
      while (cursor.at < section.bytes.length) {
        const unit = readUnit(
          () => new Unit(sections, index, cursor, tables, shared.abbreviations),
          cursor,
          isTolerant,
        );
        if (unit === undefined) continue;
        units.push(unit);
        if (unit.signature !== undefined && !this.#bySignature.has(unit.signature)) {
          this.#bySignature.set(unit.signature, unit);
        }
      }
      return units;
    });
    this.units = this.#bySection.flat();
    this.#texts = new Texts(sections, shared.texts);
  }

  /** Returns the entry that an attribute names; undefined if there is no such attribute. */
  reference(entry: Entry, attribute: number): Entry | undefined {
    const value = entry.value(attribute);
    if (value === undefined) return undefined;
    const form = entry.form(attribute);
    let { unit } = entry;
    let at = value;
    if (form === Form.refSig8) {
      const found = this.#bySignature.get(signatureAt(new Cursor(unit.cursor.bytes, value)));
      if (found === undefined) throw damaged("a type unit is missing");
      unit = found;
      at = unit.typeOffset;
    } else if (form === Form.refAddr) {
      unit = this.#unitAt(unit.section, at);
    }
    unit.root();
    const found = unit.entry(at);
    if (found === undefined) throw damaged("a reference leads to no entry");
    return found;
  }

  #unitAt(section: number, at: number): Unit {
    const units = this.#bySection[section];
    let [low, high] = [0, units.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (units[middle].end <= at) low = middle + 1;
      else high = middle;
    }
    const unit = units[low];
    if (unit === undefined || at < unit.body) throw damaged("a reference leads to no unit");
    return unit;
  }

  /** Calls `visit` with each entry directly in an entry. */
  forChildren(entry: Entry, visit: (child: Entry) => void): void {
    if (!entry.hasChildren) return;
    const { unit } = entry;
    let at = entry.end;
    for (let child = unit.entry(at); child !== undefined; child = unit.entry(at)) {
      visit(child);
      at = child.hasChildren ? unit.endOf(child.start) : child.end;
    }
  }

  /** Returns an entry's name, or the empty text. */
  name(entry: Entry, attribute: number = At.name): string {
    return this.texts.text(this.nameNumber(entry, attribute));
  }

  /**
   * Returns the number of an entry's name among all texts; 0 is the empty one.
   *
   * @param likely The number that it probably is, or any other number: a guess saves a search.
   */
  nameNumber(entry: Entry, attribute: number = At.name, likely: number = 0): number {
    const value = entry.value(attribute);
    return value === undefined ? 0 : this.#texts.read(entry.unit, entry.form(attribute)!, value, likely);
  }

  /** Returns the number of an entry's name with those of the namespaces and classes that it is in. */
  fullName(entry: Entry, likely: number = 0): number {
    // A type in a unit of its own stands beside the declaration in its namespace.
    const declared = this.reference(entry, At.specification) ?? entry;
    const name = this.nameNumber(entry, At.name, likely) || this.nameNumber(declared);
    const { unit } = declared;
    if (name === 0 || unit.isC) return name;
    let scopes = this.#scopes.get(unit);
    if (scopes === undefined) this.#scopes.set(unit, scopes = findScopes(unit));
    const prefix = scopes.prefix(this, declared);
    return prefix === "" ? name : this.texts.numberOf(prefix + this.texts.text(name));
  }

  /** Lists, in order, where a section holds the addresses of roots. */
  placesOf(section: number, addresses: ReadonlySet<number>): readonly number[] {
    return this.#sections.info[section].relocations?.wordsThatAre(addresses) ?? [];
  }

  /** Whether .debug_addr, by whose indexes units name addresses, holds one of roots. */
  hasIndexed(addresses: ReadonlySet<number>): boolean {
    return (this.#sections.addr?.relocations?.wordsThatAre(addresses).length ?? 0) > 0;
  }

  /** Returns the address that an attribute or an index into .debug_addr says. */
  address(entry: Entry, attribute: number): number | undefined {
    if (entry.form(attribute) === Form.addr) return entry.address(attribute);
    const value = entry.value(attribute);
    return value === undefined ? undefined : this.indexedAddress(entry.unit, value);
  }

  /** Returns the address at an index of .debug_addr. */
  indexedAddress(unit: Unit, index: number): number {
    const addresses = this.#addresses;
    if (addresses === undefined) throw damaged("the section .debug_addr is missing");
    addresses.at = unit.addrBase + 8 * index;
    return addresses.address();
  }

  /**
   * Returns the address of a variable that has one: its location is DW_OP_addr or DW_OP_addrx and nothing else, or,
   * if it is thread-local, DW_OP_const8u and the operation that finds a thread's block.
   */
  location(entry: Entry): number | undefined {
    const found = this.storage(entry);
    return found?.isWhole === true ? found.address : undefined;
  }

  /**
   * Returns the address that the location of a variable begins with, and whether the variable is there as declared:
   * a compiler that stores a part of it, or something else in its place, adds how to get its value.
   */
  storage(entry: Entry): { readonly address: number; readonly isWhole: boolean } | undefined {
    const end = this.#startLocation(entry);
    if (end === undefined) return undefined;
    const { cursor } = entry.unit, length = end - cursor.at;
    const address = this.#addressAt(entry.unit, cursor.u8(), length);
    return address === undefined ? undefined : { address, isWhole: cursor.at === end };
  }

  /** Returns the places of a variable that is stored in pieces, as far as they have addresses; none for other variables. */
  pieces(entry: Entry): Piece[] {
    const end = this.#startLocation(entry);
    if (end === undefined) return [];
    const { unit } = entry, { cursor } = unit;
    const pieces: Piece[] = [];
    let offset = 0, address: number | undefined;
    while (cursor.at < end) {
      const operation = cursor.u8();
      if (operation === OP_PIECE) {
        const size = cursor.exactUleb();
        if (typeof size !== "number" || size > MOST_PIECE) return [];
        if (address !== undefined) pieces.push({ address, offset, size });
        offset += size;
        address = undefined;
      } else if (address === undefined) {
        address = this.#addressAt(unit, operation, 0);
        // Its value is computed, or it is somewhere else.
        if (address === undefined) return [];
      } else return [];
    }
    return address === undefined ? pieces : [];
  }

  /** Moves to the operations of a variable's location; returns their end, or undefined if there are none. */
  #startLocation(entry: Entry): number | undefined {
    const form = entry.form(At.location);
    if (form !== Form.exprloc && form !== Form.block1) return undefined;
    const at = entry.value(At.location)!;
    const { cursor } = entry.unit;
    cursor.at = at;
    const length = form === Form.block1 ? cursor.u8() : cursor.uleb();
    return length === 0 ? undefined : cursor.at + length;
  }

  /** Reads the address of an operation, in a location of `length` bytes; undefined for one that has none. */
  #addressAt(unit: Unit, operation: number, length: number): number | undefined {
    const { cursor } = unit;
    if (operation === OP_ADDR) return cursor.address();
    if (operation === OP_ADDRX) return this.indexedAddress(unit, cursor.uleb());
    return operation === OP_CONST8U && length === THREAD_LOCAL_LENGTH
      ? threadLocalAddress(cursor)
      : undefined;
  }
}

/** A part of a variable that is stored by itself: its address, and its place in the variable in bytes. */
export interface Piece {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** No variable is larger. */
const MOST_PIECE = 2 ** 47;

/** Reads a unit; if it cannot be read and need not be, passes it by its length. */
function readUnit(read: () => Unit, cursor: Cursor, isTolerant: boolean): Unit | undefined {
  const start = cursor.at;
  try {
    return read();
  } catch (error) {
    if (!isTolerant || !(error instanceof LoadError)) throw error;
    cursor.at = start;
    const length = cursor.bytes.length - start >= 4 ? cursor.u32() : Infinity;
    cursor.at = Math.min(cursor.bytes.length, start + 4 + length);
    return undefined;
  }
}

function threadLocalAddress(cursor: Cursor): number | undefined {
  const address = cursor.address(), operation = cursor.u8();
  return operation === OP_FORM_TLS_ADDRESS || operation === OP_GNU_PUSH_TLS_ADDRESS ? address : undefined;
}

/** An operation with 8 bytes, and one without any. */
const THREAD_LOCAL_LENGTH = 10;

const OP_ADDR = 0x03;
const OP_CONST8U = 0x0e;
const OP_FORM_TLS_ADDRESS = 0x9b;
const OP_GNU_PUSH_TLS_ADDRESS = 0xe0;
const OP_ADDRX = 0xa1;
const OP_PIECE = 0x93;
