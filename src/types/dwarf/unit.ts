/**
 * Units of .debug_info and .debug_types, and their entries.
 */
import { damaged } from "../merge.ts";
import { type Abbreviation, indirectForm, readAbbreviations, skipForm } from "./abbrev.ts";
import { At, Form, UnitType } from "./constants.ts";
import { Cursor } from "./cursor.ts";

/** The sections of one object's debug information, relocated and decompressed. */
export interface DwarfSections {
  /** `.debug_info`, and those of type units; `.debug_types` of DWARF 4 too. */
  readonly info: readonly { readonly bytes: Uint8Array; readonly isTypes: boolean }[];
  readonly abbrev: Uint8Array;
  readonly str?: Uint8Array;
  readonly lineStr?: Uint8Array;
  readonly strOffsets?: Uint8Array;
  readonly addr?: Uint8Array;
}

/** An entry: its tag and the values of the attributes that types need. */
export interface Entry {
  readonly unit: Unit;
  readonly start: number;
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Where its children, or the next entry, start. */
  readonly end: number;
  /** Numbers by attribute: constants, flags, and offsets of strings, blocks and entries. */
  readonly values: ReadonlyMap<number, number>;
  /** Forms by attribute. */
  readonly forms: ReadonlyMap<number, number>;
}

/** One unit. */
export class Unit {
  readonly bytes: Uint8Array;
  /** Which of the sections it is in. */
  readonly section: number;
  readonly start: number;
  readonly end: number;
  /** Where its first entry starts. */
  readonly body: number;
  readonly sections: DwarfSections;
  readonly abbreviations: ReadonlyMap<number, Abbreviation>;
  /** For a type unit: its signature, and the offset of the type. */
  readonly signature: string | undefined;
  readonly typeOffset: number;
  strOffsetsBase = 8;
  addrBase = 8;
  #root: Entry | undefined;

  constructor(
    sections: DwarfSections,
    section: number,
    cursor: Cursor,
    tables: Map<number, Map<number, Abbreviation>>,
  ) {
    const { bytes, isTypes } = sections.info[section];
    this.sections = sections;
    this.section = section;
    this.bytes = bytes;
    this.start = cursor.at;
    const length = cursor.u32();
    if (length >= 0xfffffff0) throw damaged("it is 64-bit DWARF, which this linker does not read");
    this.end = cursor.at + length;
    if (this.end > bytes.length) throw damaged("a unit passes the end of its section");
    const version = cursor.u16();
    if (version < 2 || version > 5) throw damaged(`it is DWARF ${version}, not 2 to 5`);
    let kind: number = isTypes ? UnitType.type : UnitType.compile;
    if (version === 5) kind = cursor.u8();
    if (version === 5 && cursor.u8() !== 8) throw damaged("addresses do not have 8 bytes");
    const offset = cursor.u32();
    if (version < 5 && cursor.u8() !== 8) throw damaged("addresses do not have 8 bytes");
    if (kind === UnitType.skeleton || kind === UnitType.splitCompile || kind === UnitType.splitType) {
      throw split();
    }
    this.signature = undefined;
    this.typeOffset = 0;
    if (kind === UnitType.type) {
      this.signature = signatureAt(cursor);
      this.typeOffset = this.start + cursor.u32();
    }
    this.body = cursor.at;
    let table = tables.get(offset);
    if (table === undefined) {
      tables.set(offset, table = readAbbreviations(sections.abbrev, offset));
      let entries = 0;
      for (const { size } of tables.values()) entries += size;
      // An entry has three bytes or more: tables that share theirs would cost any amount of time.
      if (entries * 3 > sections.abbrev.length) throw damaged("tables of abbreviations overlap");
    }
    this.abbreviations = table;
    cursor.at = this.end;
  }

  /** Its first entry, which has the bases of the tables that others use. */
  root(): Entry | undefined {
    if (this.#root !== undefined || this.body >= this.end) return this.#root;
    const root = this.#root = this.entry(this.body);
    if (root === undefined) return undefined;
    this.strOffsetsBase = root.values.get(At.strOffsetsBase) ?? this.strOffsetsBase;
    this.addrBase = root.values.get(At.addrBase) ?? this.addrBase;
    if (root.values.has(At.gnuDwoName) || root.values.has(At.dwoName)) throw split();
    return root;
  }

  /** Reads the entry at an offset of the section; undefined for the end of a list of children. */
  entry(at: number): Entry | undefined {
    if (at < this.body || at >= this.end) throw damaged("an entry lies outside its unit");
    const cursor = new Cursor(this.bytes, at);
    const code = cursor.uleb();
    if (code === 0) return undefined;
    const { tag, hasChildren, specs } = this.abbreviation(code);
    const values = new Map<number, number>();
    const forms = new Map<number, number>();
    for (let i = 0; i < specs.length; i += 3) {
      const form = specs[i + 1] === Form.indirect ? indirectForm(cursor) : specs[i + 1];
      forms.set(specs[i], form);
      values.set(specs[i], this.#value(cursor, form, specs[i + 2]));
    }
    return { unit: this, start: at, tag, hasChildren, end: cursor.at, values, forms };
  }

  abbreviation(code: number): Abbreviation {
    const found = this.abbreviations.get(code);
    if (found === undefined) throw damaged("an entry's abbreviation does not exist");
    return found;
  }

  /** Reads a value: a constant, or where its text, its bytes or the entry that it names is. */
  #value(cursor: Cursor, form: number, constant: number): number {
    switch (form) {
      case Form.implicitConst:
        return constant;
      case Form.flagPresent:
        return 1;
      case Form.data1:
      case Form.flag:
      case Form.strx1:
      case Form.addrx1:
        return cursor.u8();
      case Form.data2:
      case Form.strx2:
      case Form.addrx2:
        return cursor.u16();
      case Form.strx3:
      case Form.addrx3:
        return cursor.u24();
      case Form.data4:
      case Form.strp:
      case Form.lineStrp:
      case Form.secOffset:
      case Form.refAddr:
      case Form.strx4:
      case Form.addrx4:
        return cursor.u32();
      case Form.data8:
      case Form.addr:
        return cursor.u64();
      case Form.ref1:
        return this.start + cursor.u8();
      case Form.ref2:
        return this.start + cursor.u16();
      case Form.ref4:
        return this.start + cursor.u32();
      case Form.ref8:
        return this.start + cursor.u64();
      case Form.refUdata:
        return this.start + cursor.uleb();
      case Form.udata:
      case Form.strx:
      case Form.addrx:
        return cursor.uleb();
      case Form.sdata:
        return cursor.sleb();
      case Form.string:
        return cursor.text();
      default: {
        const at = cursor.at;
        skipForm(cursor, form);
        return at;
      }
    }
  }
}

/** Reads a signature of 8 bytes, as a key. */
export function signatureAt(cursor: Cursor): string {
  const at = cursor.take(8);
  return `${cursor.view.getUint32(at, true)} ${cursor.view.getUint32(at + 4, true)}`;
}

function split(): Error {
  return damaged("the types are in a .dwo file (-gsplit-dwarf), which is not an input");
}

/** Passes an entry whose first byte is at the cursor, with all its children. */
export function skipEntry(unit: Unit, cursor: Cursor): void {
  let depth = 0;
  do {
    const code = cursor.uleb();
    if (code === 0) {
      depth--;
      continue;
    }
    const abbreviation = unit.abbreviation(code);
    if (abbreviation.hasSibling && abbreviation.hasChildren) {
      cursor.at = siblingOf(unit, cursor, abbreviation);
    } else {
      skipAttributes(cursor, abbreviation);
      if (abbreviation.hasChildren) depth++;
    }
    if (cursor.at > unit.end) throw damaged("an entry passes the end of its unit");
  } while (depth > 0);
}

/** Passes the attributes of an entry. */
export function skipAttributes(cursor: Cursor, { fixed, specs }: Abbreviation): void {
  if (fixed !== -1) return void cursor.take(fixed);
  for (let i = 1; i < specs.length; i += 3) skipForm(cursor, specs[i]);
}

/** Reads the offset of the next entry on the same level; it must lie ahead, or reading would never end. */
function siblingOf(unit: Unit, cursor: Cursor, { specs }: Abbreviation): number {
  for (let i = 0; i < specs.length; i += 3) {
    if (specs[i] !== At.sibling) {
      skipForm(cursor, specs[i + 1]);
      continue;
    }
    const form = specs[i + 1];
    const start = cursor.at;
    const at = unit.start +
      (form === Form.ref4
        ? cursor.u32()
        : form === Form.ref2
        ? cursor.u16()
        : form === Form.ref1
        ? cursor.u8()
        : form === Form.refUdata
        ? cursor.uleb()
        : cursor.u64());
    if (at <= start || at > unit.end) throw damaged("an entry's sibling does not lie ahead in its unit");
    return at;
  }
  return cursor.at;
}
