/**
 * Tables of abbreviations: the tag and the attributes of each kind of entry.
 */
import { damaged } from "../damaged.ts";
import type { Integer } from "../integer.ts";
import { At, Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";

/** The number of bytes that forms have in 32-bit DWARF for 64-bit processors; others vary. */
const SIZES: readonly (number | undefined)[] = sizes([
  [Form.addr, 8],
  [Form.data1, 1],
  [Form.data2, 2],
  [Form.data4, 4],
  [Form.data8, 8],
  [Form.data16, 16],
  [Form.flag, 1],
  [Form.strp, 4],
  [Form.lineStrp, 4],
  [Form.ref1, 1],
  [Form.ref2, 2],
  [Form.ref4, 4],
  [Form.ref8, 8],
  [Form.refAddr, 4],
  [Form.refSig8, 8],
  [Form.secOffset, 4],
  [Form.flagPresent, 0],
  [Form.implicitConst, 0],
  [Form.strx1, 1],
  [Form.strx2, 2],
  [Form.strx3, 3],
  [Form.strx4, 4],
  [Form.addrx1, 1],
  [Form.addrx2, 2],
  [Form.addrx3, 3],
  [Form.addrx4, 4],
  [Form.refSup4, 4],
  [Form.refSup8, 8],
  [Form.strpSup, 4],
]);

function sizes(known: readonly (readonly [form: number, size: number])[]): (number | undefined)[] {
  const list: (number | undefined)[] = new Array(0x2d).fill(undefined);
  for (const [form, size] of known) list[form] = size;
  return list;
}

/** The place of an attribute in an entry. */
export interface Spec {
  readonly attribute: number;
  readonly form: number;
  /** The value, for a form that keeps it in the table. */
  readonly constant: Integer;
  /** Distance from the first attribute, or -1 where attributes before it have varying lengths. */
  readonly offset: number;
}

/** One kind of entry. */
export class Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** The length of all attributes if it is always the same, else -1. */
  readonly fixed: number;
  readonly hasSibling: boolean;
  readonly #specs: readonly Spec[];
  /** The index of the first attribute whose length varies. */
  readonly #firstVarying: number;

  /** Reads the attributes at a cursor. */
  constructor(tag: number, hasChildren: boolean, cursor: Cursor) {
    this.tag = tag;
    this.hasChildren = hasChildren;
    const specs: Spec[] = [];
    let offset = 0, firstVarying = -1, hasSibling = false;
    for (;;) {
      const [attribute, form] = [cursor.uleb(), cursor.uleb()];
      const constant = form === Form.implicitConst ? cursor.sleb() : 0;
      if (attribute === 0 && form === 0) break;
      specs.push({ attribute, form, constant, offset });
      const size = SIZES[form];
      if (size === undefined && offset !== -1) firstVarying = specs.length - 1;
      offset = offset === -1 || size === undefined ? -1 : offset + size;
      hasSibling ||= attribute === At.sibling;
    }
    this.fixed = offset;
    this.hasSibling = hasSibling;
    this.#specs = specs;
    this.#firstVarying = firstVarying;
  }

  /** Finds an attribute. */
  spec(attribute: number): Spec | undefined {
    for (const spec of this.#specs) if (spec.attribute === attribute) return spec;
    return undefined;
  }

  /** Moves a cursor from the first attribute of an entry to the value of one of them. */
  moveTo(cursor: Cursor, spec: Spec): void {
    if (spec.offset !== -1) cursor.at += spec.offset;
    else this.#pass(cursor, spec);
  }

  /** Moves a cursor from the first attribute of an entry behind the last. */
  pass(cursor: Cursor): void {
    if (this.fixed !== -1) cursor.take(this.fixed);
    else this.#pass(cursor, undefined);
  }

  #pass(cursor: Cursor, until: Spec | undefined): void {
    const specs = this.#specs;
    cursor.at += specs[this.#firstVarying].offset;
    for (let i = this.#firstVarying; i < specs.length && specs[i] !== until; i++) {
      skipForm(cursor, specs[i].form);
    }
  }
}

/** The abbreviations of a table by their codes, which compilers count from 1. */
export class AbbreviationTable {
  /** The number of abbreviations. */
  readonly size: number;
  readonly #dense: (Abbreviation | undefined)[] = [];
  readonly #others: Map<number, Abbreviation> = new Map();

  /** Reads the table at an offset of .debug_abbrev. */
  constructor(section: Uint8Array, offset: number) {
    const cursor = new Cursor(section, offset);
    let size = 0;
    for (;; size++) {
      const code = cursor.uleb();
      if (code === 0) break;
      const tag = cursor.uleb();
      const abbreviation = new Abbreviation(tag, cursor.u8() !== 0, cursor);
      if (this.get(code) !== undefined) throw damaged("two abbreviations have one code");
      if (code === size + 1) this.#dense[code] = abbreviation;
      else this.#others.set(code, abbreviation);
    }
    this.size = size;
  }

  /** Finds an abbreviation. */
  get(code: number): Abbreviation | undefined {
    return this.#dense[code] ?? (this.#others.size > 0 ? this.#others.get(code) : undefined);
  }
}

/** Passes the value of one attribute. */
function skipForm(cursor: Cursor, form: number): void {
  const size = SIZES[form];
  if (size !== undefined) return void cursor.take(size);
  switch (form) {
    case Form.string:
      return void cursor.text();
    case Form.udata:
    case Form.sdata:
    case Form.strx:
    case Form.addrx:
    case Form.loclistx:
    case Form.rnglistx:
    case Form.refUdata:
      return void cursor.uleb();
    case Form.exprloc:
    case Form.block:
      return void cursor.take(cursor.uleb());
    case Form.block1:
      return void cursor.take(cursor.u8());
    case Form.block2:
      return void cursor.take(cursor.u16());
    case Form.block4:
      return void cursor.take(cursor.u32());
    case Form.indirect:
      return skipForm(cursor, indirectForm(cursor));
    default:
      throw damaged(`the form 0x${form.toString(16)} is unknown`);
  }
}

/** Reads the form of an attribute whose entry says it; a form that names itself would never end. */
export function indirectForm(cursor: Cursor): number {
  const form = cursor.uleb();
  if (form === Form.indirect || form === Form.implicitConst) {
    throw damaged("an indirect form is indirect again");
  }
  return form;
}
