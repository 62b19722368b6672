import { assertEquals } from "@std/assert";
import { fnv1a, hashName, NameScan, Xxh32, xxh32 } from "../../src/smf/hash.ts";
import { randomFrom } from "../support/testing.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("names are hashed with FNV-1a", () => {
  assertEquals(hashName("main"), 0xea90e208); // the value in files of real compilers
  assertEquals(hashName(""), 0x811c9dc5);
  assertEquals(hashName("a"), 0xe40c292c);
  assertEquals(hashName("foobar"), 0xbf9cf968);
  assertEquals(hashName("grüße"), hashName(encode("grüße")));
});

Deno.test("FNV-1a covers the bytes of its range only", () => {
  const bytes = encode("xfoobarx");
  assertEquals(fnv1a(bytes, 1, 7), 0xbf9cf968);
  assertEquals(fnv1a(bytes, 3, 3), 0x811c9dc5);
});

Deno.test("XXH32 gives the published values", () => {
  assertEquals(xxh32(encode("")), 0x02cc5d05);
  assertEquals(xxh32(encode(""), 0x9e3779b1), 0x36b78ae7);
  assertEquals(xxh32(encode("a")), 0x550d7456);
  assertEquals(xxh32(encode("abc")), 0x32d153ff);
  assertEquals(xxh32(encode("Nobody inspects the spammish repetition")), 0xe2293b2f);
});

Deno.test("XXH32 does not depend on how its input is split", () => {
  const next = randomFrom(32);
  for (let round = 0; round < 200; round++) {
    const most = round % 2 === 0 ? 40 : 900;
    const bytes = Uint8Array.from({ length: next() % (5 * most) }, () => next());
    const hash = new Xxh32(round);
    for (let at = 0; at < bytes.length;) {
      const length = 1 + next() % most;
      hash.update(bytes.subarray(at, at + length));
      at += length;
    }
    hash.update(new Uint8Array(0));
    assertEquals(hash.digest(), xxh32(bytes, round));
    assertEquals(hash.length, bytes.length);
  }
});

Deno.test("the scan of a name ends at its NUL, at the limit or at the end", () => {
  const scan = new NameScan();
  const bytes = encode("ab\0grün\0open");
  assertEquals([scan.run(bytes, 0, 10), scan.length, scan.hash, scan.ascii], [true, 2, hashName("ab"), true]);
  assertEquals([scan.run(bytes, 3, 10), scan.length, scan.hash, scan.ascii], [
    true,
    5,
    hashName("grün"),
    false,
  ]);
  assertEquals([scan.run(bytes, 9, 10), scan.length], [false, 4]);
  assertEquals([scan.run(bytes, 0, 2), scan.length], [true, 2]);
  assertEquals([scan.run(bytes, 0, 1), scan.length], [false, 2]);
  assertEquals([scan.run(bytes, 2, 0), scan.length, scan.hash], [true, 0, hashName("")]);
});
