// SHA-256 against the platform's own.
import { assertEquals } from "@std/assert";
import { Sha256 } from "../../src/link/sha256.ts";

Deno.test("SHA-256 of every length around its blocks is what the platform says", async () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
    assertEquals(
      new Sha256().update(bytes).digest(),
      new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
    );
  }
});

Deno.test("SHA-256 in pieces is SHA-256 of the whole", async () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i ^ (i >> 5));
  const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  for (const step of [1, 3, 63, 64, 65, 1000]) {
    const hash = new Sha256();
    for (let at = 0; at < bytes.length; at += step) hash.update(bytes.subarray(at, at + step));
    assertEquals(hash.digest(), expected);
  }
});
