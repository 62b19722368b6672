import { assertEquals, assertThrows } from "@std/assert";
import { ModuleRegistry, type ModuleRegistryOptions } from "../../../mod.ts";
import { SymbolType } from "../../../src/smf/mod.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { build, importing, nativeTest, ROUTINES } from "../../support/modules.ts";
import {
  assertLoadError,
  fixtureTest,
  NO_PROC,
  readWord,
  TemporaryDirectory,
  WatchedAllocator,
} from "../../support/testing.ts";
import { INT, SLEEP, version } from "../../support/versions.ts";

const answering = (answer: number, total = 0n) =>
  version({ functions: { answer }, data: { total: [total] }, sourceHash: BigInt(answer) });

Deno.test("reloadAll replaces all", () => {
  using directory = new TemporaryDirectory();
  const [first, second] = [directory.file("a.smf", answering(1)), directory.file("b.smf", answering(10))];
  using registry = new ModuleRegistry();
  registry.loadAll([first, second]);
  const live = [registry.open(first, { answer: INT }), registry.open(second, { answer: INT })];
  Deno.writeFileSync(first, answering(2));
  Deno.writeFileSync(second, answering(20));
  assertEquals(registry.reloadAll([second, first]).map(({ path }) => path), [second, first]);
  assertEquals(live.map(({ symbols }) => symbols.answer()), [2, 20]);
});

Deno.test("reloadAll replaces none if one fails, at whatever step", () => {
  using directory = new TemporaryDirectory();
  const allocator = new WatchedAllocator();
  const paths = ["a.smf", "b.smf", "c.smf"].map((name, index) => directory.file(name, answering(index + 1)));
  using registry = new ModuleRegistry({ allocator });
  registry.loadAll(paths);
  const live = paths.map((path) => registry.open(path, { answer: INT }));
  const answers = () => live.map(({ symbols }) => symbols.answer());
  const before = allocator.live.size;
  paths.forEach((path, index) => Deno.writeFileSync(path, answering(index + 11)));
  for (
    const [failing, bytes] of [
      [0, new Uint8Array(9)],
      [1, version({ functions: { other: 1 } })],
      [2, version({ functions: { answer: 1, more: "nobody" } })],
    ] as const
  ) {
    Deno.writeFileSync(paths[failing], bytes);
    assertThrows(() => registry.reloadAll(paths));
    assertEquals(answers(), [1, 2, 3]);
    assertEquals(allocator.live.size, before);
    Deno.writeFileSync(paths[failing], answering(failing + 11));
  }
  let seen = 0;
  assertLoadError(() => registry.reloadAll(paths, { verify: () => ++seen < 3 }), "Incompatible");
  assertEquals(answers(), [1, 2, 3]);
  assertEquals(allocator.live.size, before);
  registry.reloadAll(paths);
  assertEquals(answers(), [11, 12, 13]);
});

Deno.test("reloadAll of one module twice replaces it once", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", answering(1));
  const allocator = new WatchedAllocator();
  {
    using registry = new ModuleRegistry({ allocator });
    registry.load(path);
    const live = registry.open(path, { answer: INT });
    Deno.writeFileSync(path, answering(2));
    const handles = registry.reloadAll([path, path]);
    assertEquals(handles.map(({ version }) => version), [2, 2]);
    assertEquals(live.symbols.answer(), 2);
    live.close();
    assertEquals(handles[0].getFunction("answer", INT)!(), 2, "the handles are there still");
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("names that verify of one module begins to use of another work after both are replaced", () => {
  using directory = new TemporaryDirectory();
  const [first, second] = [directory.file("a.smf", answering(1)), directory.file("b.smf", answering(10))];
  using registry = new ModuleRegistry();
  registry.loadAll([first, second]);
  let call: (() => number) | undefined;
  const paths = [first, second];
  Deno.writeFileSync(first, answering(2));
  registry.reloadAll(paths, {
    verify: (candidate) => {
      if (candidate.path === second) call = registry.open(first, { answer: INT }).symbols.answer;
    },
  });
  assertEquals(call!(), 2);
});

/** Two modules in files, a registry that has loaded both, and its allocator. */
class Pair implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly allocator = new WatchedAllocator();
  readonly registry: ModuleRegistry;
  readonly paths: readonly string[];

  constructor(one: Uint8Array, other: Uint8Array, options: ModuleRegistryOptions = {}) {
    this.registry = new ModuleRegistry({ allocator: this.allocator, ...options });
    this.paths = [this.directory.file("one.smf", one), this.directory.file("other.smf", other)];
    this.registry.loadAll(this.paths);
  }

  write(one: Uint8Array, other: Uint8Array): void {
    [one, other].forEach((bytes, index) => Deno.writeFileSync(this.paths[index], bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

for (const order of ["provider first", "importer first"]) {
  Deno.test(`a new version imports what only another new version exports: ${order}`, async () => {
    await using pair = new Pair(
      version({ functions: { ask: 1 } }),
      version({ functions: { other: 2 } }),
      { keepVersions: 0 },
    );
    const { registry, paths } = pair;
    const live = registry.open(paths[0], { ask: INT });
    registry.open(paths[1], { other: INT });
    const next = (answer: number) =>
      pair.write(
        version({ functions: { ask: "fresh" }, data: { pointer: ["level"] }, details: DATA }),
        version({ functions: { other: 2, fresh: answer }, data: { level: [BigInt(answer)] } }),
      );
    next(30);
    const seen: number[] = [];
    const [module] = registry.reloadAll(order === "importer first" ? paths : paths.toReversed(), {
      verify: (candidate) => {
        if (candidate.path === paths[0]) seen.push(candidate.getFunction("ask", INT)!());
      },
    });
    assertEquals([seen, live.symbols.ask()], [[30], 30]);
    assertEquals(module.isOpen, true);
    // The modules stay linked.
    next(40);
    registry.reload(paths[1]);
    assertEquals(live.symbols.ask(), 40);
    next(50);
    registry.reloadAll(paths);
    assertEquals(live.symbols.ask(), 50);
    using importer = registry.load(paths[0]);
    const [pointer] = importer.imports().filter(({ name }) => name === "level");
    assertEquals(readWord(pointer.address), 50n);
    // Now that it is in use, it may not be missing.
    Deno.writeFileSync(paths[1], version({ functions: { other: 2 } }));
    assertEquals(
      assertLoadError(() => registry.reload(paths[1]), "Incompatible").data.symbols?.toSorted(),
      ["fresh", "level"],
    );
  });
}

const DATA = { level: { type: SymbolType.Data } };

Deno.test("names that candidates expose to each other go if the reload fails, and can come again", async () => {
  await using pair = new Pair(version({ functions: { ask: 1 } }), version({ functions: { other: 2 } }));
  const { registry, paths, allocator } = pair;
  const live = [registry.open(paths[0], { ask: INT }), registry.open(paths[1], { other: INT })];
  pair.write(
    version({ functions: { ask: "fresh", back: 3 } }),
    version({ functions: { other: 2, fresh: "back" } }),
  );
  let before = 0;
  for (let round = 0; round < 3; round++) {
    assertLoadError(() =>
      registry.reloadAll(paths, {
        verify: (candidate) => {
          if (candidate.path === paths[0]) return candidate.getFunction("ask", INT)!() === 3;
          // Nobody but the new versions sees it.
          assertEquals(registry.resolveSymbol("fresh"), null);
          assertLoadError(() => registry.open(paths[1], { fresh: INT }), "UndefinedSymbol");
          return false;
        },
      }), "Incompatible");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(registry.resolveSymbol("fresh"), null);
    if (round > 0) assertEquals(allocator.live.size, before);
    before = allocator.live.size;
  }
  // Nobody uses the name: a version may lack it.
  Deno.writeFileSync(paths[1], version({ functions: { other: 4 } }));
  registry.reload(paths[1]);
  Deno.writeFileSync(paths[1], version({ functions: { other: 2, fresh: "back" } }));
  registry.reloadAll(paths);
  assertEquals((live[0].symbols as { ask(): number }).ask(), 3);
});

Deno.test("a new version does not import what its provider's new version lacks", async () => {
  await using pair = new Pair(version({ functions: { ask: "old" } }), version({ functions: { old: 2 } }));
  const { registry, paths } = pair;
  const live = registry.open(paths[0], { ask: INT });
  pair.write(version({ functions: { ask: "old" } }), version({ functions: { other: 2 } }));
  assertLoadError(() => registry.reloadAll(paths), "UndefinedSymbol");
  assertEquals(live.symbols.ask(), 2);
  pair.write(version({ functions: { ask: "other" } }), version({ functions: { other: 5 } }));
  // The version that is replaced uses it until then.
  registry.reloadAll(paths, { compatibility: "allow" });
  assertEquals(live.symbols.ask(), 5);
});

Deno.test("new versions are not shared if one of them calls back into this isolate", async () => {
  using directory = new TemporaryDirectory();
  await using registry = new ModuleRegistry({
    imports: { callback: { parameters: [], result: "i32", callback: () => 1 } },
  });
  const paths = [
    directory.file("a.smf", version({ functions: { ask: 1 } })),
    directory.file("b.smf", version({ functions: { other: 2 } })),
  ];
  registry.loadAll(paths);
  const live = registry.open(paths[0], { ask: INT });
  live.share();
  Deno.writeFileSync(paths[0], version({ functions: { ask: "fresh" } }));
  Deno.writeFileSync(paths[1], version({ functions: { other: 2, fresh: "callback" } }));
  for (const order of [paths, paths.toReversed()]) {
    assertLoadError(() => registry.reloadAll(order), "Incompatible");
  }
  assertEquals(live.symbols.ask(), 1);
});

Deno.test({
  name: "calls that verify began and did not await end in the version that they began in",
  ignore: NO_PROC,
  async fn() {
    await using pair = new Pair(
      version({ functions: { ask: 1 } }),
      version({ functions: { other: 2 } }),
      { libraries: ["libc.so.6"], keepVersions: 0 },
    );
    const { registry, paths } = pair;
    pair.write(
      version({ functions: { ask: 1, nap: "fresh" } }),
      version({ functions: { other: 2, fresh: "usleep" } }),
    );
    let nap: Promise<number> | undefined;
    assertLoadError(() =>
      registry.reloadAll(paths, {
        verify: (candidate) => {
          if (candidate.path === paths[1]) return false;
          nap = candidate.getFunction("nap", SLEEP)!(60_000);
        },
      }), "Incompatible");
    registry.reload(paths[1]);
    assertEquals(await nap, 0);
  },
});

fixtureTest("reloadAll refuses what is not loaded", () => {
  using registry = new ModuleRegistry();
  registry.load("fixtures/counter_v1.smf");
  assertLoadError(() => registry.reloadAll(["fixtures/counter_v1.smf", "fixtures/mylib.smf"]), "Io");
  assertEquals(registry.versions("fixtures/counter_v1.smf").length, 1);
});

nativeTest("reloading importer and provider together, again and again, leaves nothing behind", async () => {
  const allocator = new FailingAllocator();
  {
    await using registry = new ModuleRegistry({ allocator });
    const directory = Deno.makeTempDirSync();
    try {
      const paths = ["provider", "importer"].map((name) => `${directory}/${name}.smf`);
      Deno.writeFileSync(paths[0], build({ routines: { value: ROUTINES.add32 } }));
      Deno.writeFileSync(paths[1], importing("value", "f"));
      registry.loadAll(paths);
      const INTS = { parameters: ["i32", "i32"], result: "i32" } as const;
      const [{ symbols }] = [
        registry.open(paths[1], { f: INTS }),
        // Keeps the provider loaded when the handles below are closed.
        registry.open(paths[0], { value: INTS }),
      ];
      const counts: number[] = [];
      for (let round = 0; round < 8; round++) {
        for (const handle of registry.reloadAll([...paths].reverse())) handle.close();
        counts.push(allocator.live.size);
      }
      assertEquals(new Set(counts.slice(2)).size, 1, `flat: ${counts}`);
      assertEquals(symbols.f(2, 3), 6);
      for (const path of paths) registry.unload(path, { force: true });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }
  assertEquals(allocator.live.size, 0);
});
