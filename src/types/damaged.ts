/**
 * The error for debug information that contradicts itself.
 */
import { LoadError } from "../errors/load_error.ts";

/** Makes the error. `problem` is a clause, such as `a text has no end`. */
export function damaged(problem: string): LoadError {
  return new LoadError("InvalidFormat", `Cannot read debug information: ${problem}`, {
    hint: 'compile the object again, or link without types (`types: "off"`, --types off)',
  });
}
