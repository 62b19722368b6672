/**
 * Checks a static against what the file says about its symbol.
 */

import { LoadError } from "../errors/load_error.ts";
import { valueSize } from "../os/native_memory.ts";

/**
 * Checks that a static is read with the size that its variable has. Types that
 * stand for the variable's address fit all sizes.
 *
 * @param size The variable's size in bytes; 0 if the file does not say.
 * @throws {LoadError} `Incompatible`.
 */
export function checkStaticSize(path: string, symbol: string, type: Deno.NativeType, size: number): void {
  const read = valueSize(type);
  if (size === 0 || read === undefined || read === size) return;
  throw new LoadError(
    "Incompatible",
    `Cannot bind static as ${type}: the variable has ${size} ${size === 1 ? "byte" : "bytes"}, not ${read}`,
    {
      path,
      symbol,
      size: read,
      range: [size, size + 1],
      hint: "bind it with the type that it is declared with (smf nm FILE lists sizes); " +
        'the type "pointer" gives the address of a variable of any size, such as an array',
    },
  );
}
