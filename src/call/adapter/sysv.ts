/**
 * The System V convention of x86-64 (psABI x86-64, 3.2.3 "Parameter Passing").
 *
 * A struct of at most 16 bytes takes a register for each eightbyte, of integers unless all of it are floating-point
 * numbers, or goes to the stack as a whole if there are not enough.
 */

import type { Leaves } from "../../types/definition_words.ts";
import { type Convention, eightbytes, type Piece } from "./convention.ts";
import type { Places } from "./places.ts";

const MOST_IN_REGISTERS = 16;

export const SYSV: Convention = {
  registers: { integers: 6, floats: 8, byPosition: false },
  resultAddress: undefined,
  pass(leaves: Leaves, places: Places) {
    if (leaves.size > MOST_IN_REGISTERS) return "stack";
    const words = eightbytes(leaves);
    const floats = words.filter((word) => word.class === "float").length;
    if (!places.hasRegisters(words.length - floats, floats)) return "stack";
    return words.map(({ class: kind, offset, size }): Piece => ({
      in: kind,
      at: places.word(kind).at,
      offset,
      size,
    }));
  },
  return(leaves: Leaves) {
    if (leaves.size > MOST_IN_REGISTERS) return "memory";
    const used = { integer: 0, float: 0 };
    return eightbytes(leaves).map(({ class: kind, offset, size }) => ({
      in: kind,
      at: used[kind]++,
      offset,
      size,
    }));
  },
};
