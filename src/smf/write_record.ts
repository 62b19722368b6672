/**
 * Writes records by their layout's tables, and checks values before it writes them.
 * The counterpart of reader.ts.
 */

import type { Field } from "./layout.ts";

/** The fields of a record, by the specification's names. */
export type Fields = Readonly<Record<string, Field | undefined>>;

/**
 * Writes values to a zeroed record. Every value must have a field unless it is 0;
 * fields without a value stay 0.
 *
 * @param at Where the record starts.
 * @param fields The record's layout.
 * @param values The values, by the specification's names.
 */
export function writeRecord(
  view: DataView,
  at: number,
  fields: Fields,
  values: Readonly<Record<string, number | bigint>>,
): void {
  for (const name in values) {
    const value = values[name];
    const field = fields[name];
    if (field === undefined) {
      if (Number(value) === 0) continue;
      throw new TypeError(`Cannot write ${name} as ${value}: the layout has no such field`);
    }
    const [offset, size] = field;
    checkUnsigned(name, value, size * 8);
    if (typeof value === "bigint") view.setBigUint64(at + offset, value, true);
    else if (size === 1) view.setUint8(at + offset, value);
    else if (size === 2) view.setUint16(at + offset, value, true);
    else if (size === 4) view.setUint32(at + offset, value, true);
    else {
      view.setUint32(at + offset, value % 2 ** 32, true);
      view.setUint32(at + offset + 4, Math.floor(value / 2 ** 32), true);
    }
  }
}

/** Throws unless `value` is an unsigned integer of at most `bits` bits; a bigint is for 64 bits only. */
export function checkUnsigned(name: string, value: number | bigint, bits: number): void {
  const fits = typeof value === "bigint"
    ? bits === 64 && BigInt.asUintN(64, value) === value
    : Number.isSafeInteger(value) && value >= 0 && value < 2 ** bits;
  if (!fits) {
    throw new RangeError(`Cannot write ${name} as ${value}: it is not an unsigned ${bits}-bit number`);
  }
}

/** Throws unless `value` is in an enumeration. */
export function checkEnum(name: string, value: number, names: Readonly<Record<string, number>>): void {
  for (const key in names) if (names[key] === value) return;
  throw new RangeError(`Cannot write ${name} as ${value}: it does not exist`);
}

/** Throws unless a name can be stored as NUL-terminated UTF-8. */
export function checkName(name: string): void {
  if (!name.includes("\0") && name.isWellFormed()) return;
  throw new TypeError(`Cannot write the name ${JSON.stringify(name)}: it has a NUL or an unpaired surrogate`);
}
