import { assert, assertEquals } from "@std/assert";
import { ImagePlan } from "../../src/image/plan.ts";
import { PAGE_SHIFT, PageTable } from "../../src/image/page_table.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { randomFrom, sections, stress } from "../support/testing.ts";

const { Code, RoData, Data, Bss } = SectionType;

/** Plans sections of a type, a size in memory and an alignment. */
function plan(list: Parameters<typeof sections>, pageSize = 4096) {
  return new ImagePlan(sections(...list), pageSize, { got: 3, plt: 5 });
}

function placeOf(table: PageTable, value: number): number {
  return table.place(value | 0, Math.floor(value / 2 ** 32));
}

/** The offset of `length` bytes, or -1, read from the table as loops read it. */
function read({ words, count }: PageTable, offset: number, length: number): number {
  const page = offset >>> PAGE_SHIFT;
  return page < count && offset + length <= words[page] ? offset + words[count + page] : -1;
}

Deno.test("an image without sections has one place, its start, of length 0", () => {
  const table = new PageTable(plan([]).groups);
  assertEquals([read(table, 0, 0), read(table, 0, 1), read(table, 1, 0)], [0, -1, -1]);
});

Deno.test("the end of a group that ends with a page is a place, unless another group begins there", () => {
  const last = new PageTable(plan([[Code, 4096]]).groups);
  assertEquals([placeOf(last, 4096), read(last, 4096, 0), read(last, 4096, 1)], [4096, 4096, -1]);
  // On pages of 64 KiB constants do not lie right behind the code.
  const { groups, rodata } = plan([[Code, 4096], [RoData, 8]], 65536);
  assertEquals(placeOf(new PageTable(groups), 4096), rodata.offset);
});

Deno.test("offsets above 2³¹ are not in any image", () => {
  const table = new PageTable(plan([[Code, 4096]]).groups);
  for (const value of [2 ** 31, 2 ** 32, 2 ** 32 + 8, 2 ** 53 - 1]) assertEquals(placeOf(table, value), -1);
});

Deno.test("the table has every place that the plan has, and no other", () => {
  const random = randomFrom(57);
  const sizes = [0, 0, 1, 8, 4095, 4096, 4097, 8192, 12288, 70000];
  for (let round = 0; round < stress(1000); round++) {
    const sections = Array.from({ length: random() % 6 }, () =>
      [
        [Code, RoData, Data, Bss][random() % 4],
        sizes[random() % sizes.length],
        [1, 16, 4096, 65536][random() % 4],
      ] as const);
    const image = plan(sections, [4096, 16384, 65536][random() % 3]);
    const table = new PageTable(image.groups);
    const edges = [0, ...image.groups.flatMap(({ start, end }) => [start, end])];
    for (const edge of edges) {
      for (const offset of [edge - 8, edge - 1, edge, edge + 1, edge + 4096, random() % 300_000]) {
        if (offset < 0) continue;
        const context = JSON.stringify([sections, offset]);
        assertEquals(placeOf(table, offset), image.place(offset, 0), context);
        for (const length of [0, 1, 4, 8]) {
          assertEquals(read(table, offset, length), image.place(offset, length), context);
        }
      }
    }
    assert(table.words.length === 2 * table.count);
  }
});
