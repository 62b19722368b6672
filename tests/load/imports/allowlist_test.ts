import { assertEquals } from "@std/assert";
import { ModuleRegistry, parseSmf } from "../../../mod.ts";
import { ImportAllowlist } from "../../../src/load/imports/allowlist.ts";
import { assertLoadError, WatchedAllocator } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";

/** The names in `names` that `allowed` refuses. */
function refused(allowed: readonly string[], ...names: string[]): readonly string[] {
  const file = parseSmf(
    version({ functions: Object.fromEntries(names.map((name, index) => [`f${index}`, name])) }),
  );
  const imports = [...file.symbols].filter(({ index }) => !file.isDefined(index)).map(({ index }) => index);
  try {
    new ImportAllowlist(allowed).check(file, imports);
    return [];
  } catch (error) {
    return (error as { data: { symbols: readonly string[] } }).data.symbols;
  }
}

Deno.test("names are allowed exactly, and all refused names are listed", () => {
  assertEquals(refused(["malloc", "free"], "malloc", "free"), []);
  assertEquals(refused(["malloc"], "malloc", "mallocx", "xmalloc", "Malloc"), [
    "mallocx",
    "xmalloc",
    "Malloc",
  ]);
  assertEquals(refused([], "malloc", "free"), ["malloc", "free"]);
});

Deno.test("'*' stands for any characters and '?' for one, whatever characters these are", () => {
  assertEquals(refused(["str*"], "strlen", "str", "ostr"), ["ostr"]);
  assertEquals(refused(["*"], "a", "a/b", ".hidden", "main.go/pkg", "größe", "a\nb"), []);
  assertEquals(refused(["a?c"], "abc", "a/c", "aßc", "a😀c", "ac", "abbc"), ["ac", "abbc"]);
  assertEquals(refused(["*_v?"], "f_v1", "f_v12"), ["f_v12"]);
});

Deno.test("all other characters stand for themselves", () => {
  assertEquals(
    refused(
      ["operator[]", "a.b", "{x,y}", "(p)", "a|b", "^a$", "a\\b", "a+"],
      "operator[]",
      "a.b",
      "{x,y}",
      "(p)",
      "a|b",
      "^a$",
      "a\\b",
      "a+",
      "axb",
      "x",
      "a",
    ),
    ["axb", "x", "a"],
  );
});

Deno.test("a module with a forbidden import is refused before anything is mapped", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({
    allocator,
    imports: { good: 1n, bad: 2n, worse: 3n },
    allowImports: ["go*"],
  });
  const error = assertLoadError(
    () => registry.loadBytes("m", version({ functions: { a: "bad", b: "good", c: "worse" } })),
    "ForbiddenImport",
    { path: "m" },
  );
  assertEquals(error.data.symbols, ["bad", "worse"]);
  assertEquals(allocator.nearby, [], "nothing was asked of the allocator");
  registry.loadBytes("n", version({ functions: { b: "good" } }));
});

Deno.test("a glob full of stars is matched in bounded time", () => {
  // A backtracking regular expression takes 41.5 s for this name.
  assertEquals(refused(["*a*a*b"], "a".repeat(4_000)), ["a".repeat(4_000)]);
  assertEquals(refused(["*a".repeat(40) + "b"], "a".repeat(4_000), "a".repeat(4_000) + "b"), [
    "a".repeat(4_000),
  ]);
});

Deno.test("weak imports are imports too", () => {
  using registry = new ModuleRegistry({ allowImports: [] });
  assertLoadError(
    () => registry.loadBytes("m", version({ functions: { a: 1 }, data: { p: ["bad"] }, weak: ["bad"] })),
    "ForbiddenImport",
  );
});

Deno.test("exports of other modules are imports like all others", () => {
  using registry = new ModuleRegistry({ allowImports: ["allowed"] });
  registry.loadBytes("provider", version({ functions: { allowed: 1, secret: 2 } }));
  registry.loadBytes("a", version({ functions: { f: "allowed" } }));
  assertLoadError(() => registry.loadBytes("b", version({ functions: { f: "secret" } })), "ForbiddenImport");
});
