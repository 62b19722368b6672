import { assertEquals } from "@std/assert";
import { lastUpTo } from "../../src/smf/search.ts";

Deno.test("the last number that is not above a value is found, in any sorted numbers", () => {
  for (const numbers of [[], [5], [1, 1, 4], [-3, 0, 2, 2, 9, 100]]) {
    const sorted = Float64Array.from(numbers);
    for (let value = -5; value <= 101; value++) {
      assertEquals(lastUpTo(sorted, value), numbers.findLastIndex((number) => number <= value), `${value}`);
    }
  }
});
