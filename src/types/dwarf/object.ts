/**
 * The debug information of one object: its units, and entries by the references to them.
 */
import { damaged } from "../merge.ts";
import type { Abbreviation } from "./abbrev.ts";
import { At, Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import { type DwarfSections, type Entry, signatureAt, Unit } from "./unit.ts";

const decoder = new TextDecoder();

/** All units of an object. */
export class DwarfObject {
  readonly units: readonly Unit[];
  readonly #sections: DwarfSections;
  readonly #bySignature: Map<string, Unit> = new Map();
  /** Units by section, ascending. */
  readonly #bySection: readonly Unit[][];
  readonly #texts: Map<number, string>[] = [new Map(), new Map()];
  /** Bytes of texts that may still be read: texts may share bytes, so that a few would be any amount. */
  #textsLeft: number;

  constructor(sections: DwarfSections) {
    this.#sections = sections;
    const tables = new Map<number, Map<number, Abbreviation>>();
    this.#bySection = sections.info.map(({ bytes }, index) => {
      const units: Unit[] = [];
      const cursor = new Cursor(bytes);
      while (cursor.at < bytes.length) {
        const unit = new Unit(sections, index, cursor, tables);
        units.push(unit);
        if (unit.signature !== undefined && !this.#bySignature.has(unit.signature)) {
          this.#bySignature.set(unit.signature, unit);
        }
      }
      return units;
    });
    this.units = this.#bySection.flat();
    this.#textsLeft = 65_536 + 16 *
        ((sections.str?.length ?? 0) + (sections.lineStr?.length ?? 0) +
          sections.info.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  /** Returns the entry that an attribute names; undefined if there is no such attribute. */
  reference(entry: Entry, attribute: number): Entry | undefined {
    const value = entry.values.get(attribute);
    if (value === undefined) return undefined;
    const form = entry.forms.get(attribute);
    let unit: Unit | undefined = entry.unit;
    let at = value;
    if (form === Form.refSig8) {
      unit = this.#bySignature.get(signatureAt(new Cursor(unit.bytes, value)));
      if (unit === undefined) throw damaged("a type unit is missing");
      at = unit.typeOffset;
    } else if (form === Form.refAddr) {
      unit = this.#unitAt(entry.unit.section, at);
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

  /** Lists the entries directly in an entry. */
  *children(entry: Entry): Generator<Entry> {
    if (!entry.hasChildren) return;
    const cursor = new Cursor(entry.unit.bytes, entry.end);
    for (;;) {
      const child = entry.unit.entry(cursor.at);
      if (child === undefined) return;
      yield child;
      cursor.at = this.after(child);
    }
  }

  /** Returns where the entry behind an entry and its children starts. */
  after(entry: Entry): number {
    if (!entry.hasChildren) return entry.end;
    const sibling = entry.values.get(At.sibling);
    if (sibling !== undefined) {
      if (sibling <= entry.start) throw damaged("an entry's sibling does not lie ahead in its unit");
      return sibling;
    }
    const { unit } = entry;
    let at = entry.end;
    for (let depth = 1; depth > 0;) {
      const child = unit.entry(at);
      if (child === undefined) {
        depth--;
        at++;
      } else if (child.values.has(At.sibling) && child.hasChildren) at = this.after(child);
      else {
        at = child.end;
        if (child.hasChildren) depth++;
      }
    }
    return at;
  }

  /** Returns an entry's name, or the empty text. */
  name(entry: Entry, attribute: number = At.name): string {
    const value = entry.values.get(attribute);
    if (value === undefined) return "";
    const { str, lineStr, strOffsets } = this.#sections;
    switch (entry.forms.get(attribute)) {
      case Form.string:
        return this.#text(entry.unit.bytes, value);
      case Form.strp:
        return this.#text(str, value, this.#texts[0]);
      case Form.lineStrp:
        return this.#text(lineStr, value, this.#texts[1]);
      case Form.strx:
      case Form.strx1:
      case Form.strx2:
      case Form.strx3:
      case Form.strx4: {
        if (strOffsets === undefined) throw damaged("the section .debug_str_offsets is missing");
        return this.#text(
          str,
          new Cursor(strOffsets, entry.unit.strOffsetsBase + 4 * value).u32(),
          this.#texts[0],
        );
      }
      default:
        return "";
    }
  }

  #text(bytes: Uint8Array | undefined, at: number, known?: Map<number, string>): string {
    if (bytes === undefined || at >= bytes.length) throw damaged("a text lies outside its section");
    const found = known?.get(at);
    if (found !== undefined) return found;
    const end = bytes.indexOf(0, at);
    if (end === -1) throw damaged("a text has no end");
    this.#textsLeft -= end - at;
    if (this.#textsLeft < 0) throw damaged("texts overlap each other without end");
    const text = decoder.decode(bytes.subarray(at, end));
    known?.set(at, text);
    return text;
  }

  /** Returns the address that an attribute or an index into .debug_addr says. */
  address(entry: Entry, attribute: number): number | undefined {
    const value = entry.values.get(attribute);
    if (value === undefined) return undefined;
    return entry.forms.get(attribute) === Form.addr ? value : this.#indexedAddress(entry.unit, value);
  }

  #indexedAddress(unit: Unit, index: number): number {
    const { addr } = this.#sections;
    if (addr === undefined) throw damaged("the section .debug_addr is missing");
    return new Cursor(addr, unit.addrBase + 8 * index).u64();
  }

  /** Returns the address of a variable that has one: its location is DW_OP_addr or DW_OP_addrx and nothing else. */
  location(entry: Entry): number | undefined {
    const form = entry.forms.get(At.location);
    if (form !== Form.exprloc && form !== Form.block1) return undefined;
    const cursor = new Cursor(entry.unit.bytes, entry.values.get(At.location)!);
    const length = form === Form.block1 ? cursor.u8() : cursor.uleb();
    const end = cursor.at + length;
    if (length === 0) return undefined;
    const operation = cursor.u8();
    const address = operation === OP_ADDR
      ? cursor.u64()
      : operation === OP_ADDRX
      ? this.#indexedAddress(entry.unit, cursor.uleb())
      : undefined;
    return cursor.at === end ? address : undefined;
  }
}

const OP_ADDR = 0x03;
const OP_ADDRX = 0xa1;
