/** The hash of the inputs of a link. */
import { Xxh32 } from "../smf/hash.ts";

/**
 * Hashes inputs: XXH32 of all their lengths and bytes, with the seed 0 in the upper 32 bits and with the seed 1
 * in the lower.
 *
 * The hash tells inputs apart that differ by accident; nothing trusts it against an attacker. A cryptographic
 * hash would come from `node:crypto`, whose start takes longer than the link of a small module.
 */
export function hashInputs(inputs: readonly { readonly bytes: Uint8Array }[]): bigint {
  return BigInt(hashWith(0, inputs)) << 32n | BigInt(hashWith(1, inputs));
}

function hashWith(seed: number, inputs: readonly { readonly bytes: Uint8Array }[]): number {
  const hash = new Xxh32(seed);
  for (const { bytes } of inputs) {
    hash.updateWord(bytes.length % 2 ** 32).updateWord(Math.floor(bytes.length / 2 ** 32)).update(bytes);
  }
  return hash.digest();
}
