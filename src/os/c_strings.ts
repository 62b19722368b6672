/**
 * C strings: bytes up to a NUL; on Windows, UTF-16 up to a NUL.
 */

import { addressOfBuffer, pointerTo } from "./pointer.ts";

/** A C string, to be passed as a `buffer`. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  // The types of Deno 2.4 do not say what kind of buffer it is.
  return new TextEncoder().encode(`${text}\0`) as Uint8Array<ArrayBuffer>;
}

/** A string of Windows' functions whose names end in W, to be passed as a `buffer`. */
export function wideString(text: string): Uint16Array<ArrayBuffer> {
  const units = new Uint16Array(text.length + 1);
  // By index: iterating goes by code points, of which some have two units.
  for (let index = 0; index < text.length; index++) units[index] = text.charCodeAt(index);
  return units;
}

/** The text of UTF-16 units. */
export function wideText(units: Uint16Array): string {
  return Array.from(units, (unit) => String.fromCharCode(unit)).join("");
}

/**
 * The text at an address; `null` for the null pointer.
 *
 * Safety: ends the process if the memory cannot be read up to a NUL.
 */
export function readCString(address: bigint): string | null {
  return address === 0n ? null : textAt(pointerTo(address));
}

/**
 * The text at a pointer; `null` for the null pointer.
 *
 * Safety: as for {@linkcode readCString}.
 */
export function textAt(pointer: Deno.PointerValue): string | null {
  return pointer === null ? null : Deno.UnsafePointerView.getCString(pointer);
}

/**
 * The `char **argv` that `main` takes: the table of addresses, its NULL, and
 * the strings themselves, in one buffer that must be kept while they are used.
 */
export function argumentVector(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const strings = texts.map(cString);
  const table = 8 * (texts.length + 1);
  const block = new Uint8Array(table + strings.reduce((sum, { length }) => sum + length, 0));
  const address = addressOfBuffer(block);
  const view = new DataView(block.buffer);
  let at = table;
  strings.forEach((string, index) => {
    view.setBigUint64(8 * index, address + BigInt(at), true);
    block.set(string, at);
    at += string.length;
  });
  return block;
}
