/**
 * The order of exports in a symbol table.
 */
import { hashName } from "../smf/hash.ts";

const encoder = new TextEncoder();

/**
 * Exports by the hashes of their names, ascending, and by the bytes of their
 * names where hashes are equal. In this order a reader sees in passing that no
 * two have one name, and searches the table itself.
 */
export function inOrder<Export extends { readonly name: string }>(exports: readonly Export[]): Export[] {
  return exports
    .map((symbol) => ({ symbol, hash: hashName(symbol.name) }))
    .sort((a, b) => a.hash - b.hash || compareNames(a.symbol.name, b.symbol.name))
    .map(({ symbol }) => symbol);
}

/** By bytes; code units come in another order. */
function compareNames(a: string, b: string): number {
  const ours = encoder.encode(a), theirs = encoder.encode(b);
  for (let i = 0; i < ours.length && i < theirs.length; i++) {
    if (ours[i] !== theirs[i]) return ours[i] - theirs[i];
  }
  return ours.length - theirs.length;
}
