// The table of names that a file gets: each name once, told apart by bytes.
import { assertEquals } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { StringTable } from "../../src/smf/string_table.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("a name has one number, whether it comes as text or as bytes", () => {
  const table = new StringTable();
  const bytes = encode("..sqrt\0sqrtf");
  const sqrt = table.add("sqrt");
  assertEquals(table.addAscii(bytes, 2, 6), sqrt);
  const sqrtf = table.addAscii(bytes, 7, 12);
  assertEquals(table.add("sqrtf"), sqrtf);
  assertEquals(table.bytes, encode("\0sqrt\0sqrtf\0"));
  assertEquals([sqrt, sqrtf].map((name) => [table.text(name), table.offset(name), table.hash(name)]), [
    ["sqrt", 1, hashName("sqrt")],
    ["sqrtf", 6, hashName("sqrtf")],
  ]);
});

Deno.test("the empty name stands at offset 0", () => {
  const table = new StringTable();
  const empty = table.add("");
  assertEquals([empty, table.addAscii(encode("x"), 1, 1)], [0, 0]);
  assertEquals([table.offset(empty), table.hash(empty), table.text(empty)], [0, hashName(""), ""]);
  assertEquals(table.bytes, new Uint8Array(1));
});

Deno.test("bytes that are not ASCII are left to the text, and leave nothing behind", () => {
  const table = new StringTable();
  const bytes = encode("größe");
  assertEquals(table.addAscii(bytes, 0, bytes.length), -1);
  assertEquals(table.bytes.length, 1);
  const name = table.add("größe");
  assertEquals([table.text(name), table.hash(name)], ["größe", hashName("größe")]);
});

Deno.test("a name after a longer one that was known ends where it ends", () => {
  const table = new StringTable();
  table.add("a_long_name");
  table.add("a_long_name");
  table.add("ab");
  table.add("a");
  assertEquals(table.bytes, encode("\0a_long_name\0ab\0a\0"));
});

Deno.test("tens of thousands of names keep their numbers while the table grows", () => {
  const table = new StringTable();
  const numbers = Array.from({ length: 20_000 }, (_, i) => table.add(`name${i}`));
  assertEquals(numbers.map((number) => table.text(number)), numbers.map((_, i) => `name${i}`));
  assertEquals(numbers.map((_, i) => table.add(`name${i}`)), numbers);
});
