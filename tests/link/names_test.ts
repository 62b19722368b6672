// Small parts: names, globs, SHA-256.
import { assert, assertEquals } from "@std/assert";
import { isGlob, matchesGlob, NameMatcher } from "../../src/link/glob.ts";
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

Deno.test("globs", () => {
  assert(isGlob("a*") && isGlob("?") && !isGlob("a.b[c]"));
  const yes = [["*", ""], ["*", "abc"], ["a*c", "abbc"], ["a?c", "abc"], ["*b*", "abc"], ["a**", "a"], [
    "*aab",
    "aaaab",
  ]];
  const no = [["?", ""], ["a", "ab"], ["a*c", "abcd"], ["a?c", "ac"], ["", "a"], ["*a", "ab"]];
  for (const [glob, text] of yes) assert(matchesGlob(glob, text), `${glob} ${text}`);
  for (const [glob, text] of no) assert(!matchesGlob(glob, text), `${glob} ${text}`);
  const matcher = new NameMatcher(["exact", "z*"]);
  assertEquals(["exact", "exact2", "zlib", "az"].map((name) => matcher.matches(name)), [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("a glob full of stars does not take for ever", () => {
  assert(!matchesGlob("*a".repeat(40) + "b", "a".repeat(5_000)));
});
