import { assert, assertEquals } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { SymbolKey } from "../../src/smf/symbol_key.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("a key has the hash that tables store, for names of any characters and length", () => {
  const key = new SymbolKey();
  for (const name of ["", "main", "größe", "日本", "\ufeffx", "a".repeat(1024), "a".repeat(1025)]) {
    assert(key.set(name));
    assertEquals([key.hash, key.text()], [hashName(name), name]);
    assertEquals(key.compare(encode(`${name}\0`), 0), 0);
  }
});

Deno.test("a key compares names by bytes, like a sorted table", () => {
  const key = new SymbolKey();
  const sign = (name: string, than: string) => {
    assert(key.set(than));
    return Math.sign(key.compare(encode(`x\0${name}\0y`), 2));
  };
  assertEquals([sign("a", "b"), sign("b", "a"), sign("a", "a")], [-1, 1, 0]);
  assertEquals([sign("a", "ab"), sign("ab", "a"), sign("", "a"), sign("a", "")], [-1, 1, -1, 1]);
  assertEquals([sign("a", "ä"), sign("ä", "z")], [-1, 1]);
  // By UTF-16 code units the order would be reversed.
  assertEquals([sign("\u{ff5e}", "\u{1f600}"), sign("\u{1f600}", "\u{ff5e}")], [-1, 1]);
});

Deno.test("a new name replaces the previous one", () => {
  const key = new SymbolKey();
  for (const name of ["longer", "x".repeat(2000), "größe", "a"]) assert(key.set(name));
  assertEquals([key.text(), key.compare(encode("a\0nger\0"), 0)], ["a", 0]);
});

Deno.test("strings that cannot be names are not keys", () => {
  const key = new SymbolKey();
  for (const text of ["\ud800", "a\0", "\0", "a\udc00b", `${"x".repeat(2000)}\0`]) {
    assertEquals(key.set(text), false);
  }
});
