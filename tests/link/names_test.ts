// Names of symbols as dense numbers.
import { assertEquals } from "@std/assert";
import { NameTable } from "../../src/link/names.ts";
import { ascii } from "../support/objects.ts";

Deno.test("a name has one number, wherever its bytes are", () => {
  const names = new NameTable();
  const text = ascii("one two one");
  const one = names.intern(text, 0, 3);
  const two = names.intern(text, 4, 7);
  assertEquals([one, two], [0, 1]);
  assertEquals(names.intern(text, 8, 11), one);
  assertEquals(names.internText("two"), two);
  assertEquals([names.find("one"), names.find("on"), names.find("")], [0, -1, -1]);
  assertEquals([names.text(0), names.text(1), names.length], ["one", "two", 2]);
});

Deno.test("100,000 names keep their numbers", () => {
  const names = new NameTable();
  for (let i = 0; i < 100_000; i++) assertEquals(names.internText(`name_${i}`), i);
  for (let i = 0; i < 100_000; i += 331) assertEquals(names.find(`name_${i}`), i);
});
