import { assertEquals } from "@std/assert";
import { chosen } from "./choice.ts";
import { judge, lineOf, ratioOf, type Row } from "./table.ts";

const row = (archive: string, outcome: Partial<Row["outcome"]>): Row => ({
  package: "libthing-dev",
  archive: `/tmp/${archive}`,
  outcome: { loaded: true, open: 0, names: [], ...outcome },
});

Deno.test("archives that load and are small enough are good, with or without a shared library", () => {
  const rows = [row("liba.a", { linked: 105, shared: 100 }), row("libb.a", { linked: 900 })];
  assertEquals(judge(rows), []);
  assertEquals(rows.map(({ outcome }) => ratioOf(outcome)), [1.05, undefined]);
});

Deno.test("a run without archives is not good", () => {
  assertEquals(judge([]), ["the packages have no archives"]);
});

Deno.test("a module that is larger than 1.05 times the shared library is an error", () => {
  assertEquals(judge([row("liba.a", { linked: 106, shared: 100 })]), [
    "liba.a: the module is 1.060 times the shared library",
  ]);
});

const REFUSED = { "libold.a": /a module cannot hold a part of an address/ };

Deno.test("an archive may be refused for the listed reason alone", () => {
  const reason = "Cannot apply relocation R_X86_64_16: a module cannot hold a part of an address";
  assertEquals(judge([row("libold.a", { loaded: false, reason })], REFUSED), []);
  assertEquals(judge([row("libold.a", { loaded: false, reason: "died by SIGSEGV" })], REFUSED), [
    "libold.a: died by SIGSEGV",
  ]);
  assertEquals(judge([row("libother.a", { loaded: false, reason })], REFUSED), [`libother.a: ${reason}`]);
});

Deno.test("an archive that loads though it is listed as refused is an error", () => {
  assertEquals(judge([row("libold.a", {})], REFUSED), [
    "libold.a loads, though packages.ts lists it as refused",
  ]);
});

Deno.test("a line of the table says how far an archive came, its ratio, and the reason", () => {
  const words = (line: string) => line.split(/ {2,}| (?=no |loaded|linked)/).map((part) => part.trim());
  assertEquals(words(lineOf(row("liba.a", { linked: 90, shared: 100 }))), [
    "liba.a",
    "linked",
    "loaded",
    "0.900",
  ]);
  assertEquals(words(lineOf(row("libb.a", { loaded: false, reason: "why" }))), [
    "libb.a",
    "no",
    "no",
    "no .so",
    "why",
  ]);
});

Deno.test("a share is the same for the same seed, and has no element twice", () => {
  const all = Array.from({ length: 40 }, (_, i) => i);
  assertEquals(chosen(all, 8, 16), chosen(all, 8, 16));
  assertEquals(new Set(chosen(all, 40, 7)).size, 40);
  assertEquals(chosen(all, 8, 1).join() === chosen(all, 8, 2).join(), false);
});
