/**
 * Abbreviations: the tag and the attributes of each kind of entry.
 */
import { damaged } from "../damaged.ts";
import type { Integer } from "../integer.ts";
import { At, ATTRIBUTE_INDEX, Form } from "./constants.ts";
import type { Cursor } from "./cursor.ts";

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

const ATTRIBUTE_COUNT = Object.keys(At).length;

/** The place of an attribute in an entry. */
export interface Spec {
  readonly form: number;
  /** Which of the entry's attributes it is. */
  readonly index: number;
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
  /** Where the entry behind all children is, if entries say it. */
  readonly sibling: Spec | undefined;
  /** The attributes that are read, by their index in {@linkcode At}. */
  readonly #specs: readonly (Spec | undefined)[];
  /** The forms from the first attribute on whose length varies. */
  readonly #varying: readonly number[];
  /** The index of that attribute, and its distance from the first one. */
  readonly #firstVarying: number;
  readonly #varyingOffset: number;

  /** Reads the kind at a cursor. */
  constructor(cursor: Cursor) {
    this.tag = cursor.uleb();
    this.hasChildren = cursor.u8() !== 0;
    const specs = new Array<Spec | undefined>(ATTRIBUTE_COUNT).fill(undefined);
    const varying: number[] = [];
    let offset = 0, firstVarying = -1, varyingOffset = 0;
    for (let index = 0;; index++) {
      const attribute = cursor.uleb();
      const form = cursor.uleb();
      const constant = form === Form.implicitConst ? cursor.sleb() : 0;
      if (attribute === 0 && form === 0) break;
      const read = ATTRIBUTE_INDEX[attribute] ?? 0;
      if (read > 0) specs[read - 1] ??= { form, index, constant, offset };
      const size = SIZES[form];
      if (size === undefined && firstVarying === -1) {
        firstVarying = index;
        varyingOffset = offset;
        offset = -1;
      }
      if (firstVarying === -1) offset += size!;
      else varying.push(form);
    }
    this.fixed = offset;
    this.#specs = specs;
    this.#varying = varying;
    this.#firstVarying = firstVarying;
    this.#varyingOffset = varyingOffset;
    this.sibling = this.spec(At.sibling);
  }

  /** Finds an attribute. */
  spec(attribute: number): Spec | undefined {
    return this.#specs[attribute];
  }

  /** Moves a cursor from the first attribute of an entry to the value of one of them. */
  moveTo(cursor: Cursor, spec: Spec): void {
    if (spec.offset !== -1) cursor.at += spec.offset;
    else this.#pass(cursor, spec.index);
  }

  /** Moves a cursor from the first attribute of an entry behind the last. */
  pass(cursor: Cursor): void {
    if (this.fixed !== -1) cursor.take(this.fixed);
    else this.#pass(cursor, this.#firstVarying + this.#varying.length);
  }

  /** Moves a cursor from the first attribute to one from the first varying one on. */
  #pass(cursor: Cursor, index: number): void {
    cursor.at += this.#varyingOffset;
    const count = index - this.#firstVarying;
    for (let i = 0; i < count; i++) skipForm(cursor, this.#varying[i]);
  }
}

/** Passes the value of one attribute. */
export function skipForm(cursor: Cursor, form: number): void {
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
