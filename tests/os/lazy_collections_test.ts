import { assert, assertEquals } from "@std/assert";
import { LazyMap, LazySet, trimmed } from "../../src/os/lazy_collections.ts";

Deno.test("a set without elements answers like an empty one", () => {
  const set = new LazySet<string>();
  assertEquals([...set], []);
  assertEquals(set.size, 0);
  assert(!set.has("a"));
  assert(!set.delete("a"));
  set.clear();
  assertEquals([...set], []);
});

Deno.test("a set has each element once, in the order in which they came", () => {
  const set = new LazySet<string>();
  for (const value of ["b", "a", "b"]) set.add(value);
  assertEquals([...set], ["b", "a"]);
  assertEquals(set.size, 2);
  assert(set.has("a"));
  assert(set.delete("b"));
  assert(!set.delete("b"));
  assertEquals([...set], ["a"]);
  set.clear();
  assertEquals(set.size, 0);
});

Deno.test("an element that goes while a set is walked over is not met", () => {
  const set = new LazySet<number>();
  for (const value of [1, 2, 3]) set.add(value);
  const met: number[] = [];
  for (const value of set) {
    met.push(value);
    set.delete(2);
  }
  assertEquals(met, [1, 3]);
});

Deno.test("a map without entries answers like an empty one", () => {
  const map = new LazyMap<string, number>();
  assertEquals([...map], []);
  assertEquals([...map.values()], []);
  assertEquals(map.size, 0);
  assertEquals(map.get("a"), undefined);
  assert(!map.has("a"));
  assert(!map.delete("a"));
});

Deno.test("a map has the last value of each key, in the order in which the keys came", () => {
  const map = new LazyMap<string, number>();
  map.set("b", 1);
  map.set("a", 2);
  map.set("b", 3);
  assertEquals([...map], [["b", 3], ["a", 2]]);
  assertEquals([...map.values()], [3, 2]);
  assertEquals(map.get("b"), 3);
  assert(map.delete("b"));
  assertEquals(map.size, 1);
});

Deno.test("a trimmed array is another one with the same elements", () => {
  const array = [1, 2];
  array.push(3);
  assertEquals(trimmed(array), [1, 2, 3]);
  assert(trimmed(array) !== array);
});
