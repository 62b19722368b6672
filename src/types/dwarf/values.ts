/**
 * The values of attributes by their forms (DWARF 5, 7.5.4).
 */
import { type Integer, integer } from "../integer.ts";
import { Form } from "./constants.ts";
import type { Cursor } from "./cursor.ts";

/** Reads a constant, an index or an offset; of another form, returns where its text or its bytes are. */
export function valueAt(cursor: Cursor, form: number, unitStart: number): number {
  switch (form) {
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
    case Form.strx4:
    case Form.addrx4:
      return cursor.u32();
    case Form.strp:
    case Form.lineStrp:
    case Form.secOffset:
    case Form.refAddr:
      return cursor.offset();
    case Form.data8:
      return cursor.u64();
    case Form.addr:
      return cursor.addressValue();
    case Form.ref1:
      return unitStart + cursor.u8();
    case Form.ref2:
      return unitStart + cursor.u16();
    case Form.ref4:
      return unitStart + cursor.u32();
    case Form.ref8:
      return unitStart + cursor.u64();
    case Form.refUdata:
      return unitStart + cursor.uleb();
    case Form.udata:
    case Form.strx:
    case Form.addrx:
      return cursor.uleb();
    case Form.sdata:
      return Number(cursor.sleb());
    default:
      return cursor.at;
  }
}

/** Reads a constant exactly, `DW_FORM_data` without a sign; undefined for a form that is not a constant. */
export function constantAt(cursor: Cursor, form: number): Integer | undefined {
  switch (form) {
    case Form.data1:
      return cursor.u8();
    case Form.data2:
      return cursor.u16();
    case Form.data4:
      return cursor.u32();
    case Form.data8:
      return unsigned(cursor, 8);
    case Form.data16:
      return unsigned(cursor, 16);
    case Form.udata:
      return cursor.exactUleb();
    case Form.sdata:
      return cursor.sleb();
    default:
      return undefined;
  }
}

/** The most bytes of a block that is a number. */
const WIDEST_BLOCK = 16;

/** Reads a block as a number, the lowest byte first; undefined for another form, or if it has more bits. */
export function blockAt(cursor: Cursor, form: number): Integer | undefined {
  const isBlock = form === Form.block || form === Form.block1;
  const size = isBlock ? form === Form.block ? cursor.uleb() : cursor.u8() : 0;
  return size > 0 && size <= WIDEST_BLOCK ? unsigned(cursor, size) : undefined;
}

function unsigned(cursor: Cursor, size: number): Integer {
  const start = cursor.take(size);
  let value = 0n;
  for (let at = start + size - 1; at >= start; at--) value = value << 8n | BigInt(cursor.bytes[at]);
  return integer(value);
}
