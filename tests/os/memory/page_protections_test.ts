import { assertEquals } from "@std/assert";
import { Protection } from "../../../src/os/memory/contract.ts";
import { PageProtections } from "../../../src/os/memory/page_protections.ts";
import { randomFrom } from "../../support/testing.ts";

const { READ_WRITE, READ_ONLY } = Protection;

Deno.test("pages begin with one protection and keep it until it is changed", () => {
  const pages = new PageProtections(0x3000, READ_WRITE);
  assertEquals(pages.are(0, 0x3000, READ_WRITE), true);
  pages.set(0x1000, 0x2000, READ_ONLY);
  assertEquals(pages.are(0, 0x1000, READ_WRITE), true);
  assertEquals(pages.are(0, 0x1001, READ_WRITE), false);
  assertEquals(pages.are(0x1000, 0x2000, READ_ONLY), true);
  assertEquals(pages.are(0x2000, 0x3000, READ_WRITE), true);
  pages.set(0x1000, 0x2000, READ_WRITE);
  assertEquals(pages.are(0, 0x3000, READ_WRITE), true);
});

Deno.test("nothing changes when no page is changed", () => {
  const pages = new PageProtections(0x3000, READ_WRITE);
  for (const at of [0, 0x1000, 0x3000]) pages.set(at, at, READ_ONLY);
  assertEquals(pages.are(0, 0x3000, READ_WRITE), true);
  assertEquals(pages.are(0x1000, 0x1000, READ_ONLY), true);
});

Deno.test("random changes have the same effect as on a list of all pages", () => {
  const random = randomFrom(9);
  const every = Object.values(Protection);
  for (let round = 0; round < 50; round++) {
    const count = 1 + random() % 12;
    const pages = new PageProtections(count, READ_WRITE);
    const list = Array(count).fill(READ_WRITE);
    for (let change = 0; change < 12; change++) {
      const start = random() % count, end = start + random() % (count - start + 1);
      const protection = every[random() % every.length];
      pages.set(start, end, protection);
      list.fill(protection, start, end);
      for (let from = 0; from < count; from++) {
        for (let to = from + 1; to <= count; to++) {
          for (const asked of every) {
            assertEquals(pages.are(from, to, asked), list.slice(from, to).every((each) => each === asked));
          }
        }
      }
    }
  }
});
