// Tests the arithmetic of large pages against a second way to count the bytes that each one would hold.
import { assert, assertEquals } from "@std/assert";
import { largeAlignment, largeStretch, roomForLarge } from "../../../src/os/memory/large_pages.ts";

const PAGE = 4096;
const LARGE = 1 << 21;
const HALF = LARGE / 2;

Deno.test("memory gets room for a last large page of which it takes at least half", () => {
  assertEquals(roomForLarge(HALF - PAGE, LARGE), HALF - PAGE);
  assertEquals(roomForLarge(HALF, LARGE), LARGE);
  assertEquals(roomForLarge(LARGE, LARGE), LARGE);
  assertEquals(roomForLarge(LARGE + HALF - PAGE, LARGE), LARGE + HALF - PAGE);
  assertEquals(roomForLarge(LARGE + HALF, LARGE), 2 * LARGE);
});

Deno.test("memory that has no large page keeps its alignment", () => {
  assertEquals(largeAlignment(HALF - PAGE, LARGE), 1);
  assertEquals(largeAlignment(HALF, LARGE), LARGE);
  assertEquals(largeAlignment(5 * LARGE, LARGE), LARGE);
});

Deno.test("without large pages nothing changes", () => {
  assertEquals(roomForLarge(LARGE, undefined), LARGE);
  assertEquals(largeAlignment(LARGE, undefined), 1);
  assertEquals(largeStretch(0, LARGE, LARGE, undefined), undefined);
});

Deno.test("exactly those large pages are asked for of which the stretch fills at least half", () => {
  const steps = [0, PAGE, HALF - PAGE, HALF, HALF + PAGE, LARGE - PAGE];
  const places = [0, 1, 2, 3].flatMap((index) => steps.map((step) => index * LARGE + step));
  let found = 0;
  for (const size of places) {
    const room = roomForLarge(size, LARGE);
    for (const first of places) {
      for (const end of places.filter((end) => end > first && end <= size)) {
        const expected = new Set<number>();
        for (let start = 0; start + LARGE <= room; start += LARGE) {
          if (Math.min(end, start + LARGE) - Math.max(first, start) >= HALF) expected.add(start);
        }
        const actual = new Set<number>();
        const stretch = largeStretch(first, end, room, LARGE);
        for (let start = stretch?.start ?? 0; start < (stretch?.end ?? 0); start += LARGE) actual.add(start);
        assertEquals(actual, expected, `${first} to ${end} of ${size}`);
        found += actual.size;
      }
    }
  }
  assert(found > 0);
});
