import { assertEquals } from "@std/assert";
import { ExportIndex } from "../../src/registry/export_index.ts";
import { hashName } from "../../src/smf/hash.ts";
import { randomFrom } from "../support/testing.ts";

/** A module with names that can be changed, which counts how often it is indexed. */
class Fake {
  asked = 0;
  readonly exports = {
    nameHashes: (): Iterable<number> => {
      this.asked++;
      return this.names.map((name) => hashName(name));
    },
  };
  constructor(readonly label: string, public names: string[]) {}
}

const labels = (found: readonly Fake[]) => found.map(({ label }) => label).join("");

Deno.test("modules are found by name, in load order", () => {
  const index = new ExportIndex<Fake>();
  for (const [label, ...names] of ["axy", "by", "cxz"]) index.add(new Fake(label, names));
  assertEquals(["x", "y", "z", "w", "größe"].map((name) => labels(index.candidates(name))), [
    "ac",
    "ab",
    "c",
    "",
    "",
  ]);
});

Deno.test("modules are indexed at the first lookup, once each", () => {
  const index = new ExportIndex<Fake>();
  const modules = [new Fake("a", ["x"]), new Fake("b", ["y"])];
  modules.forEach((module) => index.add(module));
  assertEquals(modules.map(({ asked }) => asked), [0, 0]);
  for (let round = 0; round < 3; round++) index.candidates("x");
  assertEquals(modules.map(({ asked }) => asked), [1, 1]);
});

Deno.test("a module that has changed is found by its new names, at its old place", () => {
  const index = new ExportIndex<Fake>();
  const [a, b] = [new Fake("a", ["x"]), new Fake("b", ["x", "y"])];
  index.add(a);
  index.add(b);
  assertEquals(labels(index.candidates("y")), "b");
  a.names = ["y"];
  index.refresh(a);
  index.refresh(new Fake("stranger", ["y"]));
  assertEquals(labels(index.candidates("y")), "ab");
});

Deno.test("a module that was forgotten is not found, and comes last when it comes again", () => {
  const index = new ExportIndex<Fake>();
  const [a, b] = [new Fake("a", ["x"]), new Fake("b", ["x"])];
  index.add(a);
  index.add(b);
  assertEquals(labels(index.candidates("x")), "ab");
  index.delete(a);
  index.delete(a);
  assertEquals(labels(index.candidates("x")), "b");
  index.add(a);
  assertEquals(labels(index.candidates("x")), "ba");
  index.clear();
  assertEquals(labels(index.candidates("x")), "");
});

Deno.test("after any additions, changes and deletions lookups agree with a walk over all modules", () => {
  const random = randomFrom(11);
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
  const some = () => names.filter(() => random() % 4 === 0);
  const index = new ExportIndex<Fake>();
  const live: Fake[] = [];
  for (let step = 0; step < 5000; step++) {
    const module = live[random() % Math.max(1, live.length)];
    const action = random() % 6;
    if (action < 2 || module === undefined) {
      live.push(new Fake(`m${step};`, some()));
      index.add(live.at(-1)!);
    } else if (action === 2 || live.length > 30) {
      live.splice(live.indexOf(module), 1);
      index.delete(module);
    } else if (action === 3) {
      module.names = [...module.names, ...some()];
      index.refresh(module);
    } else {
      const name = names[random() % names.length];
      assertEquals(labels(index.candidates(name)), labels(live.filter((one) => one.names.includes(name))));
    }
  }
});
