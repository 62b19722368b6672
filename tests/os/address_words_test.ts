import { assertEquals } from "@std/assert";
import { addressWords, SharedWords } from "../../src/os/address_words.ts";

const ADDRESSES = [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x7fff_8765_4321, 2 ** 52 + 1];

Deno.test("addresses become words, whichever of their halves are zero", () => {
  assertEquals([...addressWords(ADDRESSES)], ADDRESSES.map(BigInt));
});

Deno.test("words have the last address that was stored in them, near the one before or far", () => {
  const words = new BigUint64Array(3), shared = new SharedWords(words.subarray(1));
  shared.fill([5]);
  for (const address of [...ADDRESSES, ...ADDRESSES.toReversed(), 0xffff_ffff_0000, 0xffff_8000_0001]) {
    shared.store(1, address);
    assertEquals([...words], [0n, 5n, BigInt(address)]);
    assertEquals([shared.at(0), shared.at(1)], [5, address]);
  }
});
