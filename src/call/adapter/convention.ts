/**
 * Calling conventions, as far as adapters need them: where structs go.
 */

import type { Leaves } from "../../types/definition_words.ts";
import type { ParameterRegisters, Places } from "./places.ts";

/** Some bytes of a struct in a register. */
export interface Piece {
  readonly in: "integer" | "float";
  /** The register's number among those that pass, or return, such values. */
  readonly at: number;
  /** The first byte, in the struct. */
  readonly offset: number;
  /** 1 to 8; the rest of the register is undefined. */
  readonly size: number;
}

/** The way of a struct that is a parameter: in registers, on the stack, or as the address of a copy. */
export type StructPassing = readonly Piece[] | "stack" | "copy";

/** The way of a struct that is a result: in registers, or to an address that the caller gives. */
export type StructReturning = readonly Piece[] | "memory";

/** A calling convention. */
export interface Convention {
  readonly registers: ParameterRegisters;
  /** Takes the registers for a struct; the caller takes the places for `stack` and `copy`. */
  pass(leaves: Leaves, places: Places): StructPassing;
  return(leaves: Leaves): StructReturning;
  /** The register for the address of a result, if it is not that of the first parameter. */
  readonly resultAddress: number | undefined;
}

/** The classes of a struct's words of 8 bytes, the last of which may be shorter. */
export function eightbytes(
  { words, offsets, size }: Leaves,
): { readonly class: "integer" | "float"; readonly offset: number; readonly size: number }[] {
  return Array.from({ length: Math.ceil(size / 8) }, (_, index) => {
    const isInteger = words.some(({ kind }, leaf) => kind === "integer" && offsets[leaf] >> 3 === index);
    return {
      class: isInteger ? "integer" as const : "float" as const,
      offset: 8 * index,
      size: Math.min(8, size - 8 * index),
    };
  });
}
