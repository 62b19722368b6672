// Tests what an allocator hears of the bytes that sections will fill.
import { assertEquals } from "@std/assert";
import { loadSteps } from "../../src/load/loader.ts";
import { readBytes } from "../../src/load/file/source.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { hostBuilder, WatchedAllocator } from "../support/testing.ts";

/** Loads sections of these sizes, and returns which bytes were announced, with where each section was placed. */
function announced(
  sections: readonly (readonly [type: number, size: number, zeros?: number])[],
): { announced: WatchedAllocator["prefaults"]; starts: number[]; page: number } {
  const builder = hostBuilder();
  for (const [type, size, zeros = 0] of sections) {
    builder.section({
      name: `s${type}`,
      type,
      ...(size > 0 && { bytes: new Uint8Array(size).fill(0x90) }),
      ...(zeros > 0 && { virtualSize: size + zeros }),
    });
  }
  const allocator = new WatchedAllocator();
  using image = readBytes(
    builder.build(),
    loadSteps({ allocator, sources: [], description: "module 'test'" }),
  );
  const starts = image.plan.sections.map(({ offset }) => offset);
  return { announced: allocator.prefaults, starts, page: allocator.pageSize };
}

Deno.test("neighbouring sections are announced together, without the zeros behind them", () => {
  const found = announced([
    [SectionType.Code, 300_000],
    [SectionType.RoData, 1000],
    [SectionType.Data, 70_000],
    [SectionType.Bss, 0, 5_000_000],
  ]);
  const [first, , last] = found.starts;
  assertEquals(found.announced, [[first, last + 70_000 - first]]);
});

Deno.test("small sections are not announced, nor those that are all zeros", () => {
  assertEquals(announced([[SectionType.Code, 1000], [SectionType.Bss, 0, 5_000_000]]).announced, []);
  assertEquals(announced([[SectionType.Code, 16]]).announced, []);
});
