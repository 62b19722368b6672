/**
 * The place of one more parameter, behind those that a function has: machine code in front of the function puts an
 * address there.
 */

import { leavesOf } from "../../types/definition_words.ts";
import type { FunctionDefinition } from "../function_definition.ts";
import type { Convention } from "./convention.ts";
import { Places } from "./places.ts";

/** The place of the parameter. */
export interface NextParameter {
  /**
   * Its number among the words that the registers for integers have, in the order of the parameters, and behind
   * them the arguments on the stack.
   */
  readonly place: number;
  /** The bytes of all arguments on the stack, the new one included. */
  readonly stackSize: number;
}

const WORD = 8;

/** Finds the place of an integer behind the parameters of a function. */
export function nextParameterOf(
  { parameters, result }: FunctionDefinition,
  convention: Convention,
): NextParameter {
  const { integers, byPosition } = convention.registers;
  const places = new Places(convention.registers);
  // Registers that the caller's own room on the stack is for are the first words of it.
  const room = byPosition ? WORD * integers : 0;
  if (typeof result === "object" && convention.return(leavesOf(result)) === "memory") {
    if (convention.resultAddress === undefined) places.word("integer");
  }
  for (const type of parameters) {
    if (typeof type !== "object") {
      places.word(type === "f32" || type === "f64" ? "float" : "integer");
      continue;
    }
    const leaves = leavesOf(type), passing = convention.pass(leaves, places);
    if (passing === "stack") places.stack(leaves.size);
    if (passing === "copy") places.word("integer");
  }
  const next = places.word("integer");
  return {
    place: next.in === "integer" ? next.at : integers + (next.at - room) / WORD,
    stackSize: places.stackBytes - room,
  };
}
