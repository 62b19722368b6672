import { assertEquals } from "@std/assert";
import { defineCfa, savedBelow, uleb128 } from "../../src/smf/frame_instructions.ts";

Deno.test("numbers have as many bytes as they need, seven bits in each, the low ones first", () => {
  const encodings: readonly (readonly [number, readonly number[]])[] = [
    [0, [0]],
    [0x7f, [0x7f]],
    [0x80, [0x80, 0x01]],
    [0x3fff, [0xff, 0x7f]],
    [0x4000, [0x80, 0x80, 0x01]],
    [2 ** 31 - 1, [0xff, 0xff, 0xff, 0xff, 0x07]],
  ];
  for (const [value, bytes] of encodings) assertEquals(uleb128(value), bytes);
});

Deno.test("a register above 63 does not fit the short instruction", () => {
  assertEquals(savedBelow(63, 2), [0x80 | 63, 2]);
  assertEquals(savedBelow(64, 2), [0x05, 64, 2]);
  assertEquals(savedBelow(79, 300), [0x05, 79, 0xac, 0x02]);
});

Deno.test("a frame starts at a register plus an offset", () => {
  assertEquals(defineCfa(31, 176), [0x0c, 31, 0xb0, 0x01]);
});
