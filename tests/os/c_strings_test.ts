import { assertEquals } from "@std/assert";
import { argumentVector, cString, readCString, wideString, wideText } from "../../src/os/c_strings.ts";
import { wordAt } from "../support/testing.ts";

Deno.test("an argument vector has an address for each string, then NULL", () => {
  const texts = ["program", "", "größe 漢字"];
  const block = argumentVector(texts);
  assertEquals(texts.map((_, index) => readCString(wordAt(block, 8 * index))), texts);
  assertEquals(wordAt(block, 24), 0n);
  assertEquals(readCString(wordAt(argumentVector([]), 0)), null);
});

Deno.test("a C string ends with a NUL", () => {
  assertEquals(cString("aé"), new Uint8Array([0x61, 0xc3, 0xa9, 0]));
});

Deno.test("a wide string has all UTF-16 units of its text and ends with a NUL", () => {
  for (const text of ["", "C:\\\\größe", "😀.dll"]) {
    const wide = wideString(text);
    assertEquals(new TextDecoder("utf-16le").decode(wide), `${text}\0`);
    assertEquals(wideText(wide.subarray(0, -1)), text);
  }
});
