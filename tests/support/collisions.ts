/** Names that all have the same hash. */
import { assert } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { randomFrom } from "./testing.ts";

/** Makes 2^`rounds` different names with the same hash. */
export function collidingNames(rounds: number): string[] {
  // FNV-1a works byte by byte, so n successive colliding pairs of blocks give 2^n colliding names.
  let names = [new Uint8Array(0)];
  for (const pair of collidingPairs(rounds)) {
    names = names.flatMap((name) => pair.map((block) => new Uint8Array([...name, ...block])));
  }
  const hash = hashName(names[0]);
  assert(names.every((name) => hashName(name) === hash));
  const texts = names.map((name) => new TextDecoder().decode(name));
  assert(new Set(texts).size === 2 ** rounds);
  return texts;
}

/** Finds for each round two different ASCII blocks that lead from one FNV-1a state to the same next state. */
function collidingPairs(rounds: number): [Uint8Array, Uint8Array][] {
  const pairs: [Uint8Array, Uint8Array][] = [];
  let state = 0x811c9dc5;
  for (let round = 0; round < rounds; round++) {
    const seen = new Map<number, number>();
    for (let counter = 0;; counter++) {
      const block = blockOf(counter);
      let h = state;
      for (const byte of block) h = Math.imul(h ^ byte, 0x01000193);
      const other = seen.get(h);
      if (other !== undefined) {
        pairs.push([blockOf(other), block]);
        state = h;
        break;
      }
      seen.set(h, counter);
    }
  }
  return pairs;
}

/** A pseudorandom block of eight letters: FNV-1a hardly ever maps short, similar blocks to one state. */
function blockOf(counter: number): Uint8Array {
  const next = randomFrom(counter);
  return Uint8Array.from({ length: 8 }, () => 0x40 + next() % 32);
}
