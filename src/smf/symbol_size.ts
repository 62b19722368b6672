/**
 * The size of a symbol, as far as it is known.
 */
import { SIZE_REACHES } from "./enums.ts";
import type { SmfSymbol } from "./symbol.ts";

/** The size of a symbol in bytes; 0 if it is not known exactly. */
export function exactSize({ size, flags }: Pick<SmfSymbol, "size" | "flags">): number {
  return (flags & SIZE_REACHES) !== 0 ? 0 : size;
}
