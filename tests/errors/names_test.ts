import { assertEquals } from "@std/assert";
import {
  didYouMean,
  LISTED_NAMES,
  listNames,
  NameSearch,
  nearestSymbol,
  nearestWord,
} from "../../src/errors/names.ts";

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

Deno.test("a letter too few, too many or swapped is near in short names", () => {
  for (const [given, known] of [["ad", "add"], ["addd", "add"], ["jsno", "json"]]) {
    assertEquals(nearestSymbol(given, [known]), known);
  }
  assertEquals(nearestSymbol("a", ["b"]), undefined);
});

Deno.test("a symbol is found by its name in the source", () => {
  const symbols = ["_ZN3geo5scaleEi", "_ZN3geo6scale2Ei", "_Z5twiceIiET_S0_", "plain"];
  assertEquals(nearestSymbol("geo::scale", symbols), "_ZN3geo5scaleEi");
  assertEquals(nearestSymbol("geo::scale(int)", symbols), "_ZN3geo5scaleEi");
  assertEquals(nearestSymbol("scale2", symbols), "_ZN3geo6scale2Ei");
  assertEquals(nearestSymbol("twice", symbols), "_Z5twiceIiET_S0_");
  assertEquals(nearestSymbol("ice", symbols), undefined);
});
