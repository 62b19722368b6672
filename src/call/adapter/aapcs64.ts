/**
 * The convention of AArch64 (AAPCS64, 6.8.2 "Parameter passing rules", 6.9 "Result return").
 *
 * One to four floating-point numbers of one type, a homogeneous aggregate, take a register each. Other structs of at
 * most 16 bytes take registers of integers, larger ones go by the address of a copy. What does not fit the registers
 * that are left goes to the stack as a whole, and so does all that follows of its kind.
 */

import type { Leaves } from "../../types/definition_words.ts";
import { type Convention, eightbytes, type Piece } from "./convention.ts";
import type { Places } from "./places.ts";

const MOST_IN_REGISTERS = 16;
const MOST_MEMBERS = 4;

function isHomogeneous({ words, length }: Leaves): boolean {
  const [first] = words;
  return length <= MOST_MEMBERS &&
    words.every(({ kind, size }) => kind === "float" && size === first.size);
}

/** The pieces of a struct in consecutive registers, from the first; undefined if it goes by memory. */
function pieces(leaves: Leaves): Piece[] | undefined {
  if (isHomogeneous(leaves)) {
    return leaves.words.map(({ size }, at) => ({ in: "float", at, offset: leaves.offsets[at], size }));
  }
  if (leaves.size > MOST_IN_REGISTERS) return undefined;
  return eightbytes(leaves).map(({ offset, size }, at) => ({ in: "integer", at, offset, size }));
}

export const AAPCS64: Convention = {
  registers: { integers: 8, floats: 8, byPosition: false },
  /** x8 */
  resultAddress: 8,
  pass(leaves: Leaves, places: Places) {
    const found = pieces(leaves);
    if (found === undefined) return "copy";
    const kind = found[0].in;
    const count = found.length;
    if (places.hasRegisters(kind === "integer" ? count : 0, kind === "float" ? count : 0)) {
      return found.map((piece) => ({ ...piece, at: places.word(kind).at }));
    }
    places.skip(kind);
    return "stack";
  },
  return: (leaves: Leaves) => pieces(leaves) ?? "memory",
};
