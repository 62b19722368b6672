/** The hash of the inputs of a link. */
import { Xxh32 } from "../smf/hash.ts";
import type { PartialBytes } from "./partial_input.ts";

/**
 * Hashes inputs: XXH32 of all their lengths and bytes, with the seed 0 in the upper 32 bits and with the seed 1
 * in the lower.
 *
 * The hash tells inputs apart that differ by accident; nothing trusts it against an attacker. A cryptographic
 * hash would come from `node:crypto`, whose start takes longer than the link of a small module.
 */
export function hashInputs(inputs: readonly HashedInput[]): bigint {
  const high = new Xxh32(0), low = new Xxh32(1);
  for (const { bytes, partial } of inputs) {
    const size = [bytes.length % 2 ** 32, Math.floor(bytes.length / 2 ** 32)];
    for (const hash of [high, low]) for (const word of size) hash.updateWord(word);
    for (const chunk of partial?.chunks() ?? [bytes]) {
      high.update(chunk);
      low.update(chunk);
    }
  }
  return BigInt(high.digest()) << 32n | BigInt(low.digest());
}

/** An input, or the bytes of an object. */
interface HashedInput {
  readonly bytes: Uint8Array;
  /** Reads the bytes, if they are not all in memory. */
  readonly partial?: PartialBytes | undefined;
}
