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
  for (const name in values) writeField(view, at, name, fields[name], values[name]);
}

/**
 * Writes one value to a zeroed record, as {@linkcode writeRecord} does: for loops over many records, which look each
 * field up once.
 */
export function writeField(
  view: DataView,
  at: number,
  name: string,
  field: Field | undefined,
  value: number | bigint,
): void {
  if (field === undefined) {
    if (Number(value) === 0) return;
    throw new TypeError(`Cannot write ${name} as ${value}: the layout has no such field`);
  }
  const place = at + field[0], size = field[1];
  checkUnsigned(name, value, size * 8);
  if (typeof value === "bigint") view.setBigUint64(place, value, true);
  else if (size === 1) view.setUint8(place, value);
  else if (size === 2) view.setUint16(place, value, true);
  else if (size === 4) view.setUint32(place, value, true);
  else setUint64(view, place, value);
}

/** Writes an integer in [0, 2⁵³). */
export function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
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
