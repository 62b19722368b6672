/**
 * The counterpart of reader.ts: records filled by their layout's table, and the
 * checks of what may be written into them.
 */

import type { Field } from "./layout.ts";

/**
 * Fills a zeroed record. Every value must have a field, unless it is 0; fields
 * without a value stay 0.
 *
 * @param at Where the record starts in `into`.
 * @param fields The record's layout.
 * @param values The values, by the specification's names.
 */
export function writeRecord(
  into: Uint8Array,
  at: number,
  fields: Readonly<Record<string, Field | undefined>>,
  values: Readonly<Record<string, number | bigint>>,
): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (const name of Object.keys(values)) {
    const value = values[name];
    const field = fields[name];
    if (field === undefined) {
      if (Number(value) === 0) continue;
      throw new TypeError(`Cannot write ${name} as ${value}: the layout has no such field`);
    }
    const [offset, size] = field;
    checkUnsigned(name, value, size * 8);
    if (size === 1) view.setUint8(at + offset, Number(value));
    else if (size === 2) view.setUint16(at + offset, Number(value), true);
    else if (size === 4) view.setUint32(at + offset, Number(value), true);
    else if (typeof value === "bigint") view.setBigUint64(at + offset, value, true);
    else {
      view.setUint32(at + offset, value % 2 ** 32, true);
      view.setUint32(at + offset + 4, Math.floor(value / 2 ** 32), true);
    }
  }
}

/** Throws unless `value` is a whole number of at most `bits` bits. */
export function checkUnsigned(name: string, value: number | bigint, bits: number): void {
  const safe = typeof value === "bigint" || Number.isSafeInteger(value);
  if (safe && value >= 0 && value < 2n ** BigInt(bits)) return;
  throw new RangeError(`Cannot write ${name} as ${value}: it is no unsigned number of ${bits} bits`);
}

const encoder = new TextEncoder();

/** A name's UTF-8, if it can be a name at all. */
export function encodeName(name: string): Uint8Array {
  if (name.includes("\0") || !name.isWellFormed()) {
    throw new TypeError(
      `Cannot write the name ${JSON.stringify(name)}: it has a NUL or half a surrogate pair`,
    );
  }
  return encoder.encode(name);
}
