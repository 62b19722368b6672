/**
 * A shared library of a few hundred bytes whose symbols ARE given addresses.
 *
 * `Deno.dlopen` compiles a direct call for each symbol of a library, but only
 * for symbols of a library. So one is written that holds no code at all.
 */

import { writeElfLibrary } from "./elf_library.ts";

/** The name of the symbol at a position; definitions may use any name, the library uses these. */
export function stubSymbolName(position: number): string {
  return `f${position}`;
}

/** Writes the library. */
export function writeElfStub(machine: number, addresses: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const functions = addresses.map((address, position) => ({ name: stubSymbolName(position), address }));
  return writeElfLibrary(machine, { functions });
}
