import { assertEquals } from "@std/assert";
import { didYouMean, LISTED_NAMES, listNames, NameSearch, nearestWord } from "../../src/errors/names.ts";

const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `name_${index}`);

Deno.test("a list names the first eight and counts the others", () => {
  assertEquals(listNames(["a", "b"]), "'a', 'b'");
  assertEquals(listNames(many(LISTED_NAMES)).includes("more"), false);
  assertEquals(listNames(many(400)).endsWith("'name_7' and 392 more"), true);
});

Deno.test("notes are asked for the names that are listed only", () => {
  const asked: string[] = [];
  listNames(many(100), (name) => (asked.push(name), ""));
  assertEquals(asked, many(LISTED_NAMES));
});

Deno.test("the nearest name differs by at most a third of the letters", () => {
  const search = new NameSearch(["compute", "compile", "other"]);
  assertEquals(search.nearest("compote"), "compute");
  assertEquals(search.nearest("xxxxxxx"), undefined);
  assertEquals(search.nearest("compile"), "compile");
});

Deno.test("all searches together compare a bounded number of names", () => {
  // The one that is nearest stands behind more names than the bound allows to compare.
  const search = new NameSearch([
    ...Array.from({ length: 150_000 }, (_, i) => `${i}`.padStart(9, "x")),
    "target_na",
  ]);
  assertEquals(search.nearest("target_nb"), undefined);
});

Deno.test("a word is suggested whatever its case, and for its beginning", () => {
  const words = ["libraries", "imports", "callPath"];
  assertEquals(nearestWord("CALLPATH", words), "callPath");
  assertEquals(nearestWord("lib", words), "libraries");
  assertEquals(nearestWord("import", words), "imports");
  assertEquals(nearestWord("li", words), undefined);
  assertEquals(didYouMean(undefined), "");
});
