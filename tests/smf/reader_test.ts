import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ByteReader, decodeUtf8, littleEndianWords, readFrom, type Reading } from "../../src/smf/reader.ts";
import { assertLoadError } from "../support/testing.ts";

const bytes = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);

Deno.test("numbers are little-endian and read at any alignment", () => {
  const reader = new ByteReader(bytes);
  assertEquals(reader.u8(3), 0xf3);
  assertEquals(reader.u16(3), 0xf4f3);
  assertEquals(reader.u32(3), 0xf6f5f4f3);
  assertEquals(reader.i32(3), 0xf6f5f4f3 | 0);
  assertEquals(reader.bigU64(3), 0xfaf9f8f7f6f5f4f3n);
  assertEquals(reader.bigI64(3), BigInt.asIntN(64, 0xfaf9f8f7f6f5f4f3n));
  assertEquals(reader.slice(14, 2), new Uint8Array([0xfe, 0xff]));
});

Deno.test("reading outside the bytes is an error with the file offset", () => {
  const reader = new ByteReader(bytes, 1000);
  for (const read of ["u8", "u16", "u32", "i32", "u64", "bigU64", "bigI64"] as const) {
    assertLoadError(() => reader[read](16), "InvalidFormat", { offset: 1016, range: [1000, 1016] });
    assertLoadError(() => reader[read](-1), "InvalidFormat");
    assertLoadError(() => reader[read](NaN), "InvalidFormat");
  }
  assertLoadError(() => reader.u16(15), "InvalidFormat", { offset: 1015 });
  assertLoadError(() => reader.u32(13), "InvalidFormat", { offset: 1013 });
  assertLoadError(() => reader.slice(10, 7), "InvalidFormat", { offset: 1010 });
});

Deno.test("a view of a larger buffer ends where the view ends", () => {
  const reader = new ByteReader(bytes.subarray(4, 8));
  assertEquals(reader.u32(0), 0xf7f6f5f4);
  assertLoadError(() => reader.u32(1), "InvalidFormat");
});

Deno.test("64-bit numbers are exact up to 2^53 - 1 and an error above", () => {
  const view = new DataView(new ArrayBuffer(8));
  const reader = new ByteReader(new Uint8Array(view.buffer), 40);
  view.setBigUint64(0, 2n ** 53n - 1n, true);
  assertEquals(reader.u64(0), Number.MAX_SAFE_INTEGER);
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    view.setBigUint64(0, value, true);
    const error = assertLoadError(() => reader.u64(0, "the thing"), "InvalidFormat", { offset: 40, value });
    assertEquals(error.message.startsWith("Cannot use the thing: it is above 2^53 - 1"), true);
  }
});

Deno.test("startsWith compares ASCII and is false where the bytes end", () => {
  const reader = new ByteReader(new TextEncoder().encode("SMF\0x"));
  assertEquals(reader.startsWith("SMF\0"), true);
  assertEquals(reader.startsWith("MF", 1), true);
  assertEquals(reader.startsWith("SMG"), false);
  assertEquals(reader.startsWith("xy", 4), false);
  assertEquals(reader.startsWith("S", -1), false);
});

Deno.test("words are the same from aligned and unaligned bytes", () => {
  const aligned = bytes.slice(1, 13);
  assertStrictEquals(littleEndianWords(aligned).buffer, aligned.buffer);
  assertEquals(littleEndianWords(aligned), littleEndianWords(bytes.subarray(1, 13)));
  assertEquals(littleEndianWords(aligned)[1], 0xf8f7f6f5);
});

Deno.test("readFrom runs a parser on memory and refuses to read past the end", () => {
  function* sum(offset: number): Reading<number> {
    const given = yield { offset, length: 2 };
    const into = new Uint8Array(2);
    assertStrictEquals(yield { offset, length: 2, into }, into);
    assertEquals(given, into);
    return into[0] + into[1];
  }
  assertEquals(readFrom(bytes, sum(14)), 0xfe + 0xff);
  assertLoadError(() => readFrom(bytes, sum(15)), "Io", { offset: 15, size: 2 });
});

Deno.test("readFrom rethrows a parser's error unchanged", () => {
  // deno-lint-ignore require-yield
  function* fail(): Reading<void> {
    throw new TypeError("mine");
  }
  assertThrows(() => readFrom(bytes, fail()), TypeError, "mine");
});

Deno.test("UTF-8 is decoded exactly, and invalid UTF-8 is undefined", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  for (const text of ["", "main", "grüße", "\ufeffmark kept", "x".repeat(1000), "a".repeat(64) + "é", "𝄞"]) {
    assertEquals(decodeUtf8(encode(text)), text);
  }
  for (
    const wrong of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0x80], [0xf5, 0x80, 0x80, 0x80]]
  ) {
    assertEquals(decodeUtf8(new Uint8Array(wrong)), undefined);
  }
});
