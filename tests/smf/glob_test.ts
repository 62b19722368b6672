import { assert, assertEquals } from "@std/assert";
import { isGlob, matchesGlob, NameMatcher } from "../../src/smf/glob.ts";

Deno.test("globs match with * and ?, and an exact name only itself", () => {
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

Deno.test("a glob full of stars takes time in proportion to pattern times text", () => {
  assert(!matchesGlob("*a".repeat(40) + "b", "a".repeat(5_000)));
});
