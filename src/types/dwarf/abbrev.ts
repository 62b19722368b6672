/**
 * Tables of abbreviations: the tag and the attributes of each kind of entry.
 */
import { damaged } from "../merge.ts";
import { At, Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";

/** One kind of entry. */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute, form and implicit constant of each, in turn. */
  readonly specs: readonly number[];
  /** The length of the attributes if it is always the same, else -1. */
  readonly fixed: number;
  readonly hasSibling: boolean;
}

/** The number of bytes that forms have in 32-bit DWARF for 64-bit processors; others vary. */
const SIZES: ReadonlyMap<number, number> = new Map([
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

/** Reads the table at an offset of .debug_abbrev. */
export function readAbbreviations(section: Uint8Array, offset: number): Map<number, Abbreviation> {
  const cursor = new Cursor(section, offset);
  const table = new Map<number, Abbreviation>();
  for (;;) {
    const code = cursor.uleb();
    if (code === 0) return table;
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const specs: number[] = [];
    let fixed = 0;
    let hasSibling = false;
    for (;;) {
      const [attribute, form] = [cursor.uleb(), cursor.uleb()];
      const constant = form === Form.implicitConst ? cursor.sleb() : 0;
      if (attribute === 0 && form === 0) break;
      const size = SIZES.get(form);
      fixed = fixed === -1 || size === undefined ? -1 : fixed + size;
      hasSibling ||= attribute === At.sibling;
      specs.push(attribute, form, constant);
    }
    if (table.has(code)) throw damaged("two abbreviations have one code");
    table.set(code, { tag, hasChildren, specs, fixed, hasSibling });
  }
}

/** Passes the value of one attribute. */
export function skipForm(cursor: Cursor, form: number): void {
  const size = SIZES.get(form);
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
