/** Symbol tables of names alone, for tests of the name indexes. */
import { hashName } from "../../src/smf/hash.ts";
import type { Named } from "../../src/smf/symbol_hash_index.ts";
import type { NameRecords } from "../../src/smf/symbol_sorted_index.ts";

/** Makes symbols of these names, their records, and a count of name comparisons. */
export function symbolsOf(
  names: readonly string[],
  hash: (name: string) => number = hashName,
  exported: (index: number) => boolean = () => true,
): { symbols: Named; records: NameRecords; counts: { compared: number } } {
  const counts = { compared: 0 };
  const symbols: Named = {
    length: names.length,
    name: (index) => names[index],
    sameName(a, b) {
      counts.compared++;
      return names[a] === names[b];
    },
    isExport: exported,
  };
  let at = 0;
  const strings = names.map((name) => new TextEncoder().encode(`${name}\0`));
  const words = names.flatMap((name, i) => {
    const start = at;
    at += strings[i].length;
    return [start, hash(name)];
  });
  const bytes = new Uint8Array(at);
  strings.reduce((offset, string) => (bytes.set(string, offset), offset + string.length), 0);
  return { symbols, records: { words: Uint32Array.from(words), step: 2, strings: bytes }, counts };
}
