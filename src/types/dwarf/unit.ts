/**
 * Units of .debug_info and .debug_types, and their entries, whose attributes are read when they are asked for.
 */
import { damaged } from "../damaged.ts";
import type { Integer } from "../integer.ts";
import { type Abbreviation, indirectForm, type Spec } from "./abbrev.ts";
import { type AbbreviationPool, AbbreviationTable } from "./abbrev_table.ts";
import { At, Form, UnitType } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DwarfSections } from "./sections.ts";
import { blockAt, constantAt, valueAt } from "./values.ts";

/** One unit. */
export class Unit {
  /** Which of the sections it is in. */
  readonly section: number;
  /** The bytes of the sections before it, which tell its entries from those of other sections. */
  readonly origin: number;
  readonly start: number;
  readonly end: number;
  /** Where its first entry starts. */
  readonly body: number;
  /** For a type unit: its signature, and the offset of the type. */
  readonly signature: string | undefined;
  readonly typeOffset: number;
  /** The version of DWARF. */
  readonly version: number;
  /** A position in its section that whoever reads moves. */
  readonly cursor: Cursor;
  strOffsetsBase = 8;
  addrBase = 8;
  readonly #abbreviations: AbbreviationTable;
  #root: Entry | undefined;
  /** The entry that was passed last, and where it ends: a walk often passes what was just measured. */
  #passed = -1;
  #passedEnd = -1;
  #isC: boolean | undefined;

  /** Reads the header at a cursor, and moves the cursor behind the unit. */
  constructor(
    sections: DwarfSections,
    section: number,
    cursor: Cursor,
    tables: Map<number, AbbreviationTable>,
    pool: AbbreviationPool,
  ) {
    this.section = section;
    this.origin = 0;
    for (let i = 0; i < section; i++) this.origin += sections.info[i].bytes.length;
    this.start = cursor.at;
    const length = cursor.u32();
    if (length >= 0xfffffff0) throw damaged("it is 64-bit DWARF, which this linker does not read");
    this.end = cursor.at + length;
    if (this.end > cursor.bytes.length) throw damaged("a unit passes the end of its section");
    const version = this.version = cursor.u16();
    if (version < 2 || version > 5) throw damaged(`it is DWARF ${version}, not 2 to 5`);
    let kind: number = sections.info[section].isTypes ? UnitType.type : UnitType.compile;
    if (version === 5) kind = cursor.u8();
    if (version === 5 && cursor.u8() !== 8) throw damaged("addresses do not have 8 bytes");
    const table = cursor.offset();
    if (version < 5 && cursor.u8() !== 8) throw damaged("addresses do not have 8 bytes");
    if (kind === UnitType.skeleton || kind === UnitType.splitCompile || kind === UnitType.splitType) {
      throw split();
    }
    const isType = kind === UnitType.type;
    this.signature = isType ? signatureAt(cursor) : undefined;
    this.typeOffset = isType ? this.start + cursor.u32() : 0;
    this.body = cursor.at;
    this.cursor = Cursor.in(sections.info[section], this.body);
    this.#abbreviations = tables.get(table) ?? readTable(sections.abbrev, table, tables, pool);
    cursor.at = this.end;
  }

  /** Its first entry, which has the bases of the tables that others use. */
  root(): Entry | undefined {
    if (this.#root !== undefined || this.body >= this.end) return this.#root;
    const root = this.#root = this.entry(this.body);
    if (root === undefined) return undefined;
    this.strOffsetsBase = root.value(At.strOffsetsBase) ?? this.strOffsetsBase;
    this.addrBase = root.value(At.addrBase) ?? this.addrBase;
    if (root.has(At.gnuDwoName) || root.has(At.dwoName)) throw split();
    return root;
  }

  /** Reads the entry at an offset of the section; undefined for the end of a list of children. */
  entry(at: number): Entry | undefined {
    if (!(at >= this.body && at < this.end)) throw damaged("an entry lies outside its unit");
    const { cursor } = this;
    cursor.at = at;
    const code = cursor.uleb();
    return code === 0 ? undefined : new Entry(this, at, this.abbreviation(code), cursor.at);
  }

  /** Whether its language is a C, which has no scopes: C89, C, C99, C11, C17 (DW_LANG_*). */
  get isC(): boolean {
    return this.#isC ??= C_LANGUAGES.has(this.root()?.value(At.language) ?? 0);
  }

  abbreviation(code: number): Abbreviation {
    const found = this.#abbreviations.get(code);
    if (found === undefined) throw damaged("an entry's abbreviation does not exist");
    return found;
  }

  /** Returns where an entry and all its children end. */
  endOf(start: number): number {
    if (start !== this.#passed) {
      this.#passedEnd = this.#findEnd(start);
      this.#passed = start;
    }
    return this.#passedEnd;
  }

  #findEnd(start: number): number {
    const { cursor } = this;
    cursor.at = start;
    let depth = 0;
    do {
      const code = cursor.uleb();
      if (code === 0) {
        depth--;
        continue;
      }
      const abbreviation = this.abbreviation(code);
      const spec = abbreviation.sibling;
      if (spec !== undefined && abbreviation.hasChildren) {
        const { at } = cursor;
        const sibling = readAttribute(this, abbreviation, spec, at);
        if (!(sibling > at)) throw damaged("an entry's sibling does not lie ahead in its unit");
        cursor.at = sibling;
      } else {
        abbreviation.pass(cursor);
        if (abbreviation.hasChildren) depth++;
      }
      if (cursor.at > this.end) throw damaged("an entry passes the end of its unit");
    } while (depth > 0);
    return cursor.at;
  }
}

const C_LANGUAGES: ReadonlySet<number> = new Set([0x01, 0x02, 0x0c, 0x1d, 0x2c]);

function readTable(
  section: Uint8Array,
  offset: number,
  tables: Map<number, AbbreviationTable>,
  pool: AbbreviationPool,
): AbbreviationTable {
  const table = new AbbreviationTable(section, offset, pool);
  tables.set(offset, table);
  let entries = 0;
  for (const { size } of tables.values()) entries += size;
  // An abbreviation has three bytes or more: tables that share theirs would cost any amount of time.
  if (entries * 3 > section.length) throw damaged("tables of abbreviations overlap");
  return table;
}

/** Reads a signature of 8 bytes, as a key. */
export function signatureAt(cursor: Cursor): string {
  const at = cursor.take(8);
  return `${cursor.view.getUint32(at, true)} ${cursor.view.getUint32(at + 4, true)}`;
}

function split(): Error {
  return damaged("the types are in a .dwo file (-gsplit-dwarf), which is not an input");
}

/** An entry. */
export class Entry {
  readonly unit: Unit;
  readonly start: number;
  readonly abbreviation: Abbreviation;
  /** Where its attributes start. */
  readonly #attributes: number;
  #end = -1;

  constructor(unit: Unit, start: number, abbreviation: Abbreviation, attributes: number) {
    this.unit = unit;
    this.start = start;
    this.abbreviation = abbreviation;
    this.#attributes = attributes;
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  get hasChildren(): boolean {
    return this.abbreviation.hasChildren;
  }

  /** Where its children, or the next entry, start. */
  get end(): number {
    if (this.#end === -1) {
      const cursor = this.#cursor();
      this.abbreviation.pass(cursor);
      this.#end = cursor.at;
    }
    return this.#end;
  }

  has(attribute: number): boolean {
    return this.abbreviation.spec(attribute) !== undefined;
  }

  /** Returns an attribute's form. */
  form(attribute: number): number | undefined {
    const spec = this.abbreviation.spec(attribute);
    if (spec?.form !== Form.indirect) return spec?.form;
    const cursor = this.#cursor();
    this.abbreviation.moveTo(cursor, spec);
    return indirectForm(cursor);
  }

  /**
   * Returns the value of an attribute: a constant, which is rounded above 2^53, or where its text, its bytes or
   * the entry that it names is.
   */
  value(attribute: number): number | undefined {
    const spec = this.abbreviation.spec(attribute);
    return spec === undefined
      ? undefined
      : readAttribute(this.unit, this.abbreviation, spec, this.#attributes);
  }

  /** Returns the address that an attribute of the form `addr` has. */
  address(attribute: number): number {
    const cursor = this.#cursor();
    moveTo(cursor, this.abbreviation, this.abbreviation.spec(attribute)!);
    return cursor.address();
  }

  /** Returns where the entry that an attribute names is, if it names one in the unit as most do; else 0. */
  nearReference(attribute: number): number {
    const spec = this.abbreviation.spec(attribute);
    if (spec?.form !== Form.ref4) return 0;
    const cursor = this.#cursor();
    this.abbreviation.moveTo(cursor, spec);
    const at = this.unit.start + cursor.u32();
    return at < this.unit.end ? at : 0;
  }

  /** Returns a constant exactly; undefined if the attribute is absent, or its form is not a constant. */
  constant(attribute: number): Integer | undefined {
    const spec = this.abbreviation.spec(attribute);
    if (spec === undefined) return undefined;
    if (spec.form === Form.implicitConst) return spec.constant;
    const cursor = this.#cursor();
    return constantAt(cursor, moveTo(cursor, this.abbreviation, spec));
  }

  /** Returns the number that a block of bytes holds; undefined if the attribute is absent or not such a block. */
  block(attribute: number): Integer | undefined {
    const spec = this.abbreviation.spec(attribute);
    if (spec === undefined) return undefined;
    const cursor = this.#cursor();
    return blockAt(cursor, moveTo(cursor, this.abbreviation, spec));
  }

  /** Returns the cursor of the unit, at the first attribute. */
  #cursor(): Cursor {
    const { cursor } = this.unit;
    cursor.at = this.#attributes;
    return cursor;
  }
}

/** Reads the value of an attribute of the entry whose attributes start at an offset. */
function readAttribute(unit: Unit, abbreviation: Abbreviation, spec: Spec, attributes: number): number {
  if (spec.form === Form.implicitConst) return Number(spec.constant);
  if (spec.form === Form.flagPresent) return 1;
  const { cursor } = unit;
  cursor.at = attributes;
  return valueAt(cursor, moveTo(cursor, abbreviation, spec), unit.start);
}

/** Moves a cursor from the first attribute to the value of one; returns the value's form. */
function moveTo(cursor: Cursor, abbreviation: Abbreviation, spec: Spec): number {
  abbreviation.moveTo(cursor, spec);
  return spec.form === Form.indirect ? indirectForm(cursor) : spec.form;
}
