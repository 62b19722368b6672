import { assertEquals } from "@std/assert";
import { DynamicRelocations, Target } from "../../src/link/dynamic_relocations.ts";
import { randomFrom } from "../support/testing.ts";
import { addFunction, addVariable, ElfWriter, link } from "../support/objects.ts";

Deno.test("dynamic relocations are sorted by offset, however many were added and in whatever order", () => {
  const random = randomFrom(12);
  const relocations = new DynamicRelocations();
  const offsets = Array.from({ length: 5000 }, (_, index) => 8 * index).sort(() => random() % 2 ? 1 : -1);
  for (const offset of offsets) relocations.add(offset, Target.section(0), 1, offset + 1);
  const found = [...relocations.byOffset()].map((
    index,
  ) => [relocations.offsets[index], relocations.addends[index]]);
  assertEquals(found, offsets.toSorted((a, b) => a - b).map((offset) => [offset, offset + 1]));
  assertEquals([...new DynamicRelocations().byOffset()], []);
});

Deno.test("the relocations of a file are in the order of its image", () => {
  const writer = new ElfWriter();
  const data = addVariable(writer, "data", new Uint8Array(24));
  const f = addFunction(writer, "f", new Uint8Array(16));
  const other = writer.symbol({ name: "other" });
  for (const offset of [16, 0, 8]) writer.relocation(data, { offset, symbol: other, type: 1 });
  for (const offset of [8, 0]) writer.relocation(f, { offset, symbol: other, type: 4, addend: -4 });
  const places = link(writer.build()).relocations().map(({ offset }) => offset);
  assertEquals(places.length, 5);
  assertEquals(places, places.toSorted((a, b) => a - b));
});
