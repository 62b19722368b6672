// Exports: the names that cannot be exported, and the order in the symbol table.
import { assert, assertEquals } from "@std/assert";
import { sortedByHash } from "../../src/link/exports.ts";
import { SectionIndex, SymbolVisibility } from "../../src/os/elf.ts";
import { hashName } from "../../src/smf/hash.ts";
import { collidingNames } from "../support/collisions.ts";
import { DATA, ElfWriter, functionObject, linkFails } from "../support/objects.ts";

const names = (exports: readonly { name: string }[]) => exports.map(({ name }) => name);
const named = (names: readonly string[]) => names.map((name) => ({ name }));

Deno.test("exports are written in ascending order of their names' hashes", () => {
  const sorted = sortedByHash(named(Array.from({ length: 1000 }, (_, i) => `f${i}`)));
  assertEquals(new Set(names(sorted)).size, 1000);
  for (let i = 1; i < 1000; i++) assert(hashName(sorted[i - 1].name) < hashName(sorted[i].name));
});

Deno.test("names of one hash are written in ascending order of their bytes", () => {
  const colliding = collidingNames(3).sort();
  assertEquals(names(sortedByHash(named(colliding.toReversed()))), colliding);
  assertEquals(names(sortedByHash(named(["liquid", "costarring"]))), ["costarring", "liquid"]);
});

Deno.test("the order does not depend on the one before", () => {
  const some = ["b", "größe", "", "日本", "a", "liquid", "costarring"];
  assertEquals(sortedByHash(named(some)), sortedByHash(named(some.toReversed())));
  assertEquals(sortedByHash([]), []);
});

Deno.test("names that cannot be exported are listed in the error", () => {
  const exports = ["d", "y", "z"];
  const error = linkFails(functionObject("d", 4), "UndefinedSymbol", "undefined exports 'y', 'z'", {
    exports,
  });
  assert(error.hint.includes("mangled"), error.hint);
  assertEquals(error.data.symbols, ["y", "z"]);
  const hidden = new ElfWriter();
  const section = hidden.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8) });
  hidden.symbol({ name: "h", section, visibility: SymbolVisibility.HIDDEN });
  const isHidden = linkFails(hidden.build(), "Unsupported", "'h': it is hidden", { exports: ["h"] });
  assert(isHidden.hint.includes("-fvisibility=hidden"), isHidden.hint);
  const absolute = new ElfWriter();
  absolute.symbol({ name: "k", section: SectionIndex.ABS, value: 5 });
  const isConstant = linkFails(absolute.build(), "Unsupported", "'k': it is a constant", { exports: ["k"] });
  assertEquals(isConstant.hint, "export a function that returns it");
});
