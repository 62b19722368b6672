/**
 * Sizes and alignments of types, as the C compilers of 64-bit systems lay them out.
 */
import type { TypeRecord } from "./model.ts";

/** Types by number; see {@link TypeGraph}. */
export type Types = readonly (TypeRecord | undefined)[];

/** Behind so many types that refer to the next, damaged input is followed no further. */
export const MOST_DEPTH = 64;

/** Returns the number of the type behind names and qualifiers: what decides size and meaning. */
export function bareType(types: Types, id: number): number {
  for (let steps = 0; steps < MOST_DEPTH; steps++) {
    const type = types[id];
    switch (type?.kind) {
      case "typedef":
      case "const":
      case "volatile":
      case "restrict":
      case "atomic":
        id = type.to;
        break;
      default:
        return id;
    }
  }
  return id;
}

/** Returns the size of a type's values in bytes; undefined if it has none, or the module does not say. */
export function sizeOf(types: Types, id: number): number | undefined {
  let factor = 1;
  for (let steps = 0; steps < MOST_DEPTH; steps++) {
    const type = types[bareType(types, id)];
    switch (type?.kind) {
      case "array":
        if (type.count === undefined) return undefined;
        factor *= type.count;
        // Damaged types may multiply to a number that is rounded.
        if (!Number.isSafeInteger(factor)) return undefined;
        id = type.of;
        break;
      case "vector": {
        // A vector of three elements takes the place of four.
        const size = sizeOf(types, type.of);
        if (size === undefined || type.count === undefined) return undefined;
        return exact(factor * 2 ** Math.ceil(Math.log2(size * type.count)));
      }
      case "pointer":
      case "reference":
      case "rvalue-reference":
        return exact(factor * 8);
      case "base":
      case "struct":
      case "union":
      case "class":
      case "enum":
        return type.size === undefined ? undefined : exact(factor * type.size);
      default:
        return undefined;
    }
  }
  return undefined;
}

/** Returns a product, or undefined if it is rounded. */
function exact(product: number): number | undefined {
  return Number.isSafeInteger(product) ? product : undefined;
}

/** Returns the elements of an array, of however many dimensions: their bare type, and how many there are. */
export function elementsOf(
  types: Types,
  id: number,
): { readonly of: number; readonly count: number | undefined } {
  let count: number | undefined = 1;
  let of = bareType(types, id);
  for (let steps = 0; steps < MOST_DEPTH; steps++) {
    const type = types[of];
    if (type?.kind !== "array") break;
    count = type.count === undefined || count === undefined ? undefined : exact(count * type.count);
    of = bareType(types, type.of);
  }
  return { of, count };
}
