import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { treemap } from "../../../src/cli/analysis/treemap.ts";
import { randomFrom } from "../../support/testing.ts";

const inside = { x: 10, y: 20, width: 600, height: 400 };

Deno.test("areas in proportion fill the rectangle, and none overlap", () => {
  const next = randomFrom(7);
  for (const count of [1, 2, 3, 17, 200]) {
    const areas = Array.from({ length: count }, () => 1 + Math.floor(next() * 1000)).sort((a, b) => b - a);
    const laid = treemap(areas, inside);
    const total = areas.reduce((sum, area) => sum + area, 0);
    assertEquals(laid.length, count);
    laid.forEach(({ x, y, width, height }, index) => {
      assertAlmostEquals(width * height, areas[index] / total * inside.width * inside.height, 1e-6);
      assert(x >= inside.x - 1e-9 && x + width <= inside.x + inside.width + 1e-9);
      assert(y >= inside.y - 1e-9 && y + height <= inside.y + inside.height + 1e-9);
    });
    for (const [a, one] of laid.entries()) {
      for (const other of laid.slice(a + 1)) {
        const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
        const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
        assert(across <= 1e-9 || down <= 1e-9);
      }
    }
  }
});

Deno.test("equal areas become nearly square", () => {
  const laid = treemap(new Array(24).fill(1), inside);
  for (const { width, height } of laid) assert(Math.max(width / height, height / width) <= 1.5);
});

Deno.test("no areas are no rectangles", () => {
  assertEquals(treemap([], inside), []);
});
