import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { assertLoadError, fixtureTest, WatchedAllocator } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

const ANSWER = { answer: INT } as const;

function answering(value: number): Uint8Array {
  return version({ functions: { answer: value, other: value + 100 }, data: { total: [BigInt(value)] } });
}

/** A registry with `answer` returning 1. */
function loaded(options: ConstructorParameters<typeof ModuleRegistry>[0] = {}): ModuleRegistry {
  const registry = new ModuleRegistry(options);
  registry.loadBytes("m", answering(1));
  return registry;
}

Deno.test("a live function is the same function over reloads and runs the newest code", () => {
  using registry = loaded();
  using live = registry.open("m", ANSWER);
  const { answer } = live.symbols;
  for (let value = 2; value <= 20; value++) {
    registry.reload("m", { bytes: answering(value) });
    assertEquals(answer(), value);
    assertStrictEquals(live.symbols.answer, answer);
  }
});

Deno.test("a loaded handle stays at its version", () => {
  using registry = loaded();
  const pinned = registry.loadBytes("m", answering(1));
  const answer = pinned.getFunction("answer", INT)!;
  registry.reload("m", { bytes: answering(2) });
  assertEquals(answer(), 1);
  assertEquals(pinned.version, 1);
});

for (const callPath of ["auto", "pointer"] as const) {
  Deno.test(`a live function follows on the path '${callPath}'`, () => {
    using registry = loaded();
    using live = registry.open("m", ANSWER, { callPath });
    assertEquals(live.symbols.answer(), 1);
    registry.reload("m", { bytes: answering(2) });
    assertEquals(live.symbols.answer(), 2);
  });
}

Deno.test("a live static reads the current version's variable", () => {
  using registry = loaded();
  using live = registry.open("m", { total: { type: "i64" } });
  assertEquals(live.symbols.total, 1n);
  registry.reload("m", { bytes: answering(9) });
  assertEquals(live.symbols.total, 9n);
});

Deno.test("names, optional symbols and missing symbols have the meaning that Deno.dlopen gives them", () => {
  using registry = loaded();
  using live = registry.open("m", {
    renamed: { ...INT, name: "answer" },
    absent: { ...INT, optional: true },
    noData: { type: "i64", name: "nothing", optional: true },
  });
  assertEquals(live.symbols.renamed(), 1);
  assertEquals(live.symbols.absent, null);
  assertEquals(live.symbols.noData, null);
});

Deno.test("all missing names are in one error, and nothing stays open", () => {
  const allocator = new WatchedAllocator();
  {
    using registry = loaded({ allocator });
    const error = assertLoadError(
      () =>
        registry.open("m", { answer: INT, one: INT, answerData: { type: "i64", name: "answer" }, two: INT }),
      "UndefinedSymbol",
    );
    assertEquals(error.data.symbols, ["one", "answer", "two"], "a function is not a variable");
    // A failed attempt leaves none of the names in use.
    registry.reload("m", { bytes: version({ functions: { unrelated: 1 } }) });
  }
  assertEquals(allocator.live.size, 0);
});

fixtureTest("opening a file that cannot be bound leaves it unloaded", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  assertLoadError(() => registry.open("fixtures/counter_v1.smf", { nothing: INT }), "UndefinedSymbol");
  assertEquals(registry.modules(), []);
  assertEquals(allocator.live.size, 0);
});

Deno.test("the symbols are frozen and have no prototype", () => {
  using registry = loaded();
  using live = registry.open("m", ANSWER);
  assert(Object.isFrozen(live.symbols));
  assertEquals(Object.getPrototypeOf(live.symbols), null);
  assertEquals(live.path, "m");
});

Deno.test("after close calls and statics throw; closing twice does nothing; the module goes on", () => {
  using registry = loaded();
  const live = registry.open("m", { answer: INT, total: { type: "i64" } });
  const other = registry.open("m", ANSWER);
  assertEquals(live.isOpen, true);
  live.close();
  live.close();
  assertEquals(live.isOpen, false);
  const { symbols } = live;
  assertLoadError(() => symbols.answer(), "Closed");
  assertLoadError(() => symbols.total, "Closed");
  assertLoadError(() => live.share(), "Closed");
  assertEquals(other.symbols.answer(), 1);
});

fixtureTest("the last live library ends a module that nothing else holds", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  const live = registry.open("fixtures/counter_v1.smf", ANSWER);
  const second = registry.open("fixtures/counter_v1.smf", ANSWER);
  live.close();
  assertEquals(second.symbols.answer(), 41);
  second.close();
  assertEquals(registry.modules(), []);
  assertEquals(allocator.live.size, 0);
});

Deno.test("unloading leaves live functions working, unloading by force ends them", () => {
  using registry = loaded();
  const live = registry.open("m", ANSWER);
  registry.unload("m");
  assertEquals(live.symbols.answer(), 1);
  registry.loadBytes("m", answering(5));
  const fresh = registry.open("m", ANSWER);
  registry.unload("m", { force: true });
  assertLoadError(() => fresh.symbols.answer(), "Closed");
  assertEquals(live.symbols.answer(), 1, "it belongs to the module that was unloaded before");
});

Deno.test("a live library ends with its registry", () => {
  const registry = loaded();
  const { symbols } = registry.open("m", ANSWER);
  registry[Symbol.dispose]();
  assertLoadError(() => symbols.answer(), "Closed");
});

Deno.test("live functions cannot be shared if the module uses a callback or an allocator of this isolate", () => {
  {
    using registry = loaded({ allocator: new WatchedAllocator() });
    const live = registry.open("m", ANSWER);
    assertLoadError(() => live.share(), "Unsupported");
  }
  using registry = new ModuleRegistry({
    imports: { callback: { parameters: [], result: "i32", callback: () => 1 } },
  });
  registry.loadBytes("m", version({ functions: { run: "callback" } }));
  const live = registry.open("m", { run: INT });
  const error = assertLoadError(() => live.share(), "Unsupported");
  assert(error.message.includes("'callback'"), error.message);
});
