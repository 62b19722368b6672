/**
 * The Windows x64 convention ("x64 calling convention", Microsoft).
 *
 * A struct of 1, 2, 4 or 8 bytes goes and comes like an integer, others by their address: the callee may change
 * the struct at its address, so it gets a copy.
 */

import type { Leaves } from "../../types/definition_words.ts";
import type { Convention, Piece } from "./convention.ts";
import type { Places } from "./places.ts";

const isWord = (size: number): boolean => size === 1 || size === 2 || size === 4 || size === 8;

export const WIN64: Convention = {
  registers: { integers: 4, floats: 4, byPosition: true },
  resultAddress: undefined,
  pass({ size }: Leaves, places: Places) {
    if (!isWord(size)) return "copy";
    if (!places.hasRegisters(1, 0)) return "stack";
    return [{ in: "integer", at: places.word("integer").at, offset: 0, size }];
  },
  return({ size }: Leaves) {
    return isWord(size) ? [{ in: "integer", at: 0, offset: 0, size } satisfies Piece] : "memory";
  },
};
