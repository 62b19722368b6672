import { assertEquals } from "@std/assert";
import { hexLines, printable, table } from "../../../src/cli/terminal/table.ts";

Deno.test("a column is as wide as its widest cell, for characters of any width", () => {
  assertEquals(table([["a", "x"], ["漢字", "y"], ["bcd", "z"]]), ["a     x", "漢字  y", "bcd   z"]);
  assertEquals(table([["1", "x"], ["100", "y"]], ["right"]), ["  1  x", "100  y"]);
  assertEquals(table([["é", "combining"], ["e\u0301", "as well"]]), ["é  combining", "e\u0301  as well"]);
});

Deno.test("rows may have different lengths, and lines have no trailing spaces", () => {
  assertEquals(table([["a"], ["bb", "c"]]), ["a", "bb  c"]);
  assertEquals(table([["a", ""], ["bb", ""]]), ["a", "bb"]);
  assertEquals(table([]), []);
});

Deno.test("names cannot contain control characters, line separators or direction marks", () => {
  assertEquals(printable("\x1b[31mred\n\x9b\u202e"), "\\u001b[31mred\\u000a\\u009b\\u202e");
  assertEquals(printable("größe 漢字 _ZN3fooE"), "größe 漢字 _ZN3fooE");
});

Deno.test("bytes are shown with offset and characters", () => {
  const bytes = Uint8Array.from({ length: 18 }, (_, index) => 0x5a + index);
  assertEquals(hexLines(bytes, 0x10), [
    "00000010  5a 5b 5c 5d 5e 5f 60 61 62 63 64 65 66 67 68 69  Z[\\]^_`abcdefghi",
    "00000020  6a 6b                                            jk",
  ]);
});
