// Sequences of numbers, texts and entries have numbers of their own, however many there are.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { EntryNumbers } from "../../src/types/dwarf/entry_numbers.ts";
import { Sequences } from "../../src/types/sequences.ts";
import { TextPool } from "../../src/types/text_pool.ts";
import { randomFrom } from "../support/testing.ts";

Deno.test("equal sequences have one number, and no others have it", () => {
  const next = randomFrom(1);
  const sequences = new Sequences();
  const known = new Map<string, number>();
  const numbers = new Map<number, string>();
  for (let i = 0; i < 20_000; i++) {
    const list = Array.from({ length: 1 + next() % 5 }, () => (next() % 40) - 20);
    let number = 0;
    for (const value of list) number = sequences.append(number, value);
    const key = list.join();
    assertEquals(known.get(key) ?? number, number);
    assertEquals(numbers.get(number) ?? key, key);
    assertEquals(sequences.list(number), list);
    known.set(key, number);
    numbers.set(number, key);
  }
  assert(known.size > 10_000);
});

Deno.test("a sequence tells what followed it last", () => {
  const sequences = new Sequences();
  assertEquals(sequences.likelyNext(0), 0);
  const one = sequences.append(0, 7);
  assertEquals(sequences.likelyNext(one), 0);
  sequences.append(one, 8);
  sequences.append(one, -9);
  assertEquals(sequences.likelyNext(one), -9);
  sequences.append(one, 8);
  assertEquals(sequences.likelyNext(one), 8);
});

Deno.test("equal texts have one number, whatever was guessed", () => {
  const next = randomFrom(2);
  const pool = new TextPool();
  const known = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const text = ["", "ä", "𝄞", "name"][next() % 4] + (next() % 9000 || "");
    const bytes = new TextEncoder().encode(`before\0${text}\0`);
    const guess = next() % 3 === 0 ? known.get(text) ?? 0 : next() % (known.size + 2);
    const number = pool.read(bytes, 7, guess);
    assertEquals(known.get(text) ?? number, number);
    known.set(text, number);
    if (next() % 8 === 0) assertEquals(pool.text(number), text);
  }
  for (const [text, number] of known) {
    assertEquals(pool.text(number), text);
    assertEquals(pool.numberOf(text), number);
    assertEquals(pool.lengthOf(number), new TextEncoder().encode(text).length);
  }
  assertEquals(new Set(known.values()).size, known.size);
  assertEquals(pool.text(0), "");
});

Deno.test("a text without an end is damaged, even one that was guessed", () => {
  const pool = new TextPool();
  const guess = pool.numberOf("name");
  const bytes = new TextEncoder().encode("name");
  for (const likely of [0, guess]) assertThrows(() => pool.read(bytes, 0, likely), LoadError, "has no end");
});

Deno.test("entries keep their numbers until they are forgotten", () => {
  const next = randomFrom(3);
  const entries = new EntryNumbers();
  for (let object = 0; object < 3; object++) {
    const known = new Map<number, number>();
    for (let i = 0; i < 5000; i++) {
      const place = next() % 20_000 + (object === 2 ? 2 ** 31 : 0);
      assertEquals(entries.get(place), known.get(place) ?? 0);
      if (known.has(place)) continue;
      known.set(place, i + 1);
      entries.add(place, i + 1);
    }
    entries.clear();
    for (const place of known.keys()) assertEquals(entries.get(place), 0);
  }
});
