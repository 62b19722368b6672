// The linker's part of the published bundle: made when something is linked, once, and never before.
import { assertEquals, assertThrows } from "@std/assert";
import { deferLinker } from "../../.ci/build/lazy_linker.ts";

/** A bundle that counts how often its linker is made. */
const BUNDLE = `// ../src/errors/load_error.ts
var made = 0;
function count() {
  return made;
}
// ../src/link/names.ts
made++;
var NAMES = ["linked"];
// ../src/link/linker.ts
function linkObjects(a, b) {
  return [NAMES[0], a, b];
}
async function later() {
  return 1;
}
export {
  count,
  linkObjects
};
`;

interface Bundle {
  readonly count: () => number;
  readonly linkObjects: (...values: unknown[]) => unknown;
}

async function run(text: string): Promise<Bundle> {
  return await import(`data:text/javascript,${encodeURIComponent(text)}`);
}

Deno.test("the linker is made at its first use and only then", async () => {
  assertEquals((await run(BUNDLE)).count(), 1);
  const { count, linkObjects } = await run(deferLinker(BUNDLE).text);
  assertEquals(count(), 0);
  assertEquals([linkObjects(1, 2), linkObjects(3, 4)], [["linked", 1, 2], ["linked", 3, 4]]);
  assertEquals(count(), 1);
});

Deno.test("lines stay where they are", () => {
  const [before, after] = [BUNDLE, deferLinker(BUNDLE).text].map((text) => text.split("\n"));
  assertEquals(after.length, before.length);
  assertEquals(after.map((line, index) => line.startsWith(before[index])), before.map(() => true));
});

Deno.test("exports that are not functions are in the result of makeLinker alone", async () => {
  const { text, later } = deferLinker(BUNDLE.replace("  count,", "  NAMES as names,\n  count,"));
  assertEquals(later, ["names"]);
  const { makeLinker, ...bundle } = await run(text) as Bundle & { makeLinker: () => { names: unknown } };
  assertEquals("names" in bundle, false);
  assertEquals(makeLinker().names, ["linked"]);
  assertEquals(bundle.linkObjects(1, 2), ["linked", 1, 2]);
  assertEquals(bundle.count(), 1);
});

Deno.test("a bundle without a linker at its end is refused", () => {
  assertThrows(() => deferLinker(BUNDLE.replaceAll("src/link/", "src/load/")), Error, "does not end");
});
