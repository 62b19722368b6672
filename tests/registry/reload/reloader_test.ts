import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleRegistry, type ModuleRegistryOptions } from "../../../mod.ts";
import { SymbolType } from "../../../src/smf/mod.ts";
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

Deno.test("versions are numbered from 1, oldest first, the last is the current one", () => {
  using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  assertEquals(registry.versions("m"), [
    { version: 1, sourceHash: 1n, current: false },
    { version: 2, sourceHash: 2n, current: true },
  ]);
});

for (const keepVersions of [0, 1, 3]) {
  Deno.test(`keepVersions ${keepVersions} bounds the history and what stays mapped`, () => {
    const allocator = new WatchedAllocator();
    {
      using registry = new ModuleRegistry({ keepVersions, allocator });
      const live = (registry.loadBytes("m", answering(1)), registry.open("m", { answer: INT }));
      registry.unload("nothing");
      const sizes: number[] = [];
      for (let answer = 2; answer <= 12; answer++) {
        registry.reload("m", { bytes: answering(answer) }).close();
        sizes.push(allocator.live.size);
        const kept = registry.versions("m").map(({ version }) => version);
        assertEquals(
          kept,
          Array.from(
            { length: Math.min(answer, keepVersions + 1) },
            (_, index) => answer - Math.min(answer - 1, keepVersions) + index,
          ),
        );
        assertEquals(live.symbols.answer(), answer);
      }
      assertEquals(new Set(sizes.slice(keepVersions + 1)).size, 1, `flat: ${sizes}`);
    }
    assertEquals(allocator.live.size, 0);
  });
}

Deno.test("keepVersions is a whole number from 0 on, or Infinity", () => {
  for (const keepVersions of [NaN, -1, 0.5, -Infinity]) {
    const error = assertThrows(() => new ModuleRegistry({ keepVersions }), RangeError);
    assert(error.message.includes(`${keepVersions}`), error.message);
  }
  for (const keepVersions of [0, 1, 1000, Infinity]) new ModuleRegistry({ keepVersions })[Symbol.dispose]();
});

Deno.test("rollback goes back version by version, with everybody", () => {
  using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", { answer: INT });
  const ask = registry.loadBytes("importer", version({ functions: { ask: "answer" } })).getFunction(
    "ask",
    INT,
  )!;
  registry.reload("m", { bytes: answering(2) });
  registry.reload("m", { bytes: answering(3) });
  assertEquals(registry.rollback("m").version, 2);
  assertEquals([live.symbols.answer(), ask()], [2, 2]);
  assertEquals(registry.rollback("m").version, 1);
  assertEquals([live.symbols.answer(), ask()], [1, 1]);
  assertLoadError(() => registry.rollback("m"), "Incompatible", { path: "m" });
  assertEquals([live.symbols.answer(), ask()], [1, 1]);
});

Deno.test("after a rollback the next version has a number that none had before", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  registry.rollback("m");
  assertEquals(registry.reload("m", { bytes: answering(3) }).version, 3);
});

Deno.test("without kept versions there is nothing to go back to", () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  assertLoadError(() => registry.rollback("m"), "Incompatible");
  assertLoadError(() => registry.rollback("other"), "Io");
});

/** With a variable that points to one that only this version has, unless `own` is empty. */
function pointing(own: string): Uint8Array {
  return version({
    functions: { answer: 1, twin: 7 },
    data: { total: [0n], pointer: [own === "" ? 0n : own], ...own === "" ? {} : { [own]: [1n] } },
  });
}

const kept: unknown[] = [];

/** What goes on and on, and must keep nothing for each round. */
const ROUNDS: Record<string, (registry: ModuleRegistry, round: number) => void> = {
  "reload and rollback": (registry, round) => {
    registry.reload("m", { bytes: full(round + 2) }).close();
    registry.rollback("m").close();
  },
  "reload and rollback, with state": (registry, round) => {
    registry.reload("m", { bytes: full(round + 2), state: "carry" }).close();
    registry.rollback("m", { state: "carry" }).close();
  },
  "reload with an address in the first version": (registry, round) => {
    if (round === 0) registry.reload("m", { bytes: pointing("only") });
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
  },
  "reload and rollback with an address in the first version": (registry, round) => {
    if (round === 0) registry.reload("m", { bytes: pointing("only") });
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
    registry.rollback("m", { state: "carry" }).close();
  },
  "reload that lacks what is in use": (registry, round) =>
    registry.reload("m", { bytes: lacking(round + 2), compatibility: "allow" }).close(),
  "reload that lacks what is in use, and rollback": (registry, round) => {
    registry.reload("m", { bytes: lacking(round + 2), compatibility: "allow" }).close();
    registry.rollback("m").close();
  },
  "rollback that lacks what is in use": (registry, round) => {
    registry.reload("m", {
      bytes: full(round + 2, { fresh: 5 }),
    }).close();
    if (round === 0) kept.push(registry.open("m", { fresh: INT }));
    registry.rollback("m", { compatibility: "allow" }).close();
  },
  "reload that lacks an imported variable": (registry, round) =>
    registry.reload("m", {
      bytes: version({ functions: { answer: round, twin: 7 } }),
      compatibility: "allow",
    }).close(),
};

function full(answer: number, more: Record<string, number> = {}): Uint8Array {
  return version({ functions: { answer, twin: 7, ...more }, data: { total: [0n] } });
}

function lacking(answer: number): Uint8Array {
  return version({ functions: { answer }, data: { total: [0n] } });
}

for (const [what, go] of Object.entries(ROUNDS)) {
  Deno.test(`round after round of ${what} maps no more than the first`, async () => {
    const allocator = new WatchedAllocator();
    const registry = new ModuleRegistry({ allocator });
    registry.loadBytes("m", full(1));
    const live = registry.open("m", { answer: INT, twin: INT });
    registry.loadBytes("importer", version({ functions: { ask: "twin" }, data: { word: ["total"] } }));
    const sizes: [number, number][] = [];
    for (let round = 0; round < 24; round++) {
      go(registry, round);
      assertEquals(live.symbols.twin(), 7);
      // Where leases were, memory goes at the next turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
      sizes.push([allocator.live.size, allocator.mappings().length]);
    }
    // Neighbours that are alike may count as one mapping.
    const [[live4, mapped4], ...later] = sizes.slice(3);
    assert(later.every(([live, mapped]) => live <= live4 && mapped < mapped4 + 10), JSON.stringify(sizes));
    await registry[Symbol.asyncDispose]();
    assertEquals(allocator.live.size, 0);
  });
}

Deno.test("a version that a variable points into stays over many reloads, and goes when none does any more", async () => {
  const allocator = new WatchedAllocator();
  await using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
  const first = registry.loadBytes("m", pointing("only"));
  const live = registry.open("m", { answer: INT, pointer: { type: "u64" } });
  const reload = async () => {
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await reload();
  const { size } = allocator.live;
  for (let round = 0; round < 4; round++) {
    await reload();
    assertEquals([allocator.live.size, first.holders()], [size, ["1 address in carried variables"]]);
    assertEquals(readWord(live.symbols.pointer), 1n);
  }
  const current = registry.loadBytes("m", pointing(""));
  const lease = current.addressOf("pointer")!;
  new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(lease.address)!, 8))[0] =
    0n;
  lease[Symbol.dispose]();
  current.close();
  await reload();
  assertEquals(first.holders(), []);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(allocator.live.size, size - 1);
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("a version that is gone back from goes, unless somebody has a handle", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  registry.loadBytes("m", answering(1));
  using _live = registry.open("m", { answer: INT });
  const second = registry.reload("m", { bytes: answering(2) });
  registry.rollback("m");
  assertEquals(second.getFunction("answer", INT)!(), 2);
  const before = allocator.live.size;
  second.close();
  assert(allocator.live.size < before);
});

Deno.test("a rollback that is refused leaves everything as it was, however often", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", { answer: INT });
  const second = registry.reload("m", { bytes: answering(2) });
  const before = [allocator.live.size, registry.versions("m"), second.holders()];
  for (let round = 0; round < 5; round++) {
    assertLoadError(() => registry.rollback("m", { verify: () => false, state: "carry" }), "Incompatible");
  }
  assertEquals([allocator.live.size, registry.versions("m"), second.holders()], before);
  assertEquals(live.symbols.answer(), 2);
  assertEquals(registry.rollback("m").version, 1);
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("a rollback that is refused leaves the earlier version's variables as they were", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(1, 1n));
  const { symbols } = first.bind({ total: { type: "i64" } });
  registry.reload("m", { bytes: answering(2, 700n) });
  for (const callbacks of [{ verify: () => false }, { migrate: () => void registry.unload("m") }]) {
    assertThrows(() => registry.rollback("m", { ...callbacks, state: "carry" }));
    assertEquals(symbols.total, 1n);
  }
});

Deno.test("a rollback that lacks what is in use now is refused", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: version({ functions: { answer: 2, fresh: 20 } }) });
  using live = registry.open("m", { fresh: INT });
  assertLoadError(() => registry.rollback("m"), "Incompatible");
  assertEquals(live.symbols.fresh(), 20);
});

Deno.test("state can be carried back", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1, 1n));
  using live = registry.open("m", { total: { type: "i64" } });
  registry.reload("m", { bytes: answering(2, 700n) });
  assertEquals(registry.rollback("m", { state: "carry" }).carried?.carried, ["total"]);
  assertEquals(live.symbols.total, 700n);
});

Deno.test("versions with addresses of each other in their variables end together", async () => {
  const allocator = new WatchedAllocator();
  const registry = new ModuleRegistry({ allocator });
  const pointing = (own: string) =>
    version({ functions: { answer: 1 }, data: { pointer: [own], [own]: [1n] } });
  registry.loadBytes("m", pointing("onlyInFirst"));
  // The first version's variable stays behind the pointer; the way back leads into the second.
  registry.reload("m", { bytes: pointing("onlyInSecond"), state: "carry" });
  const second = registry.loadBytes("m", pointing(""));
  using lease = second.addressOf("pointer")!;
  using own = second.addressOf("onlyInSecond")!;
  new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(lease.address)!, 8))[0] =
    own.address;
  const back = registry.rollback("m", { state: "carry" });
  assertEquals(back.carried?.oldPointers.length, 1);
  lease[Symbol.dispose]();
  own[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  assertEquals(allocator.live.size, 0);
});

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

Deno.test("what verify of one module begins to use of another is there after both are replaced", () => {
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

/** Two modules in files, and everything to see what a reload of both does. */
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
    // They stay linked.
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

Deno.test("what new versions offered each other is gone if they fail, and can come again", async () => {
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

Deno.test("handles on old versions go on, whatever keepVersions says, and say who holds them", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const handles = [registry.loadBytes("m", answering(1))];
  for (let answer = 2; answer < 6; answer++) handles.push(registry.reload("m", { bytes: answering(answer) }));
  assertEquals(handles.map((handle) => handle.getFunction("answer", INT)!()), [1, 2, 3, 4, 5]);
  using lease = handles[0].addressOf("answer")!;
  assertEquals(handles[0].holders(), ["a lease on the address of 'answer'"]);
  assert(lease.address > 0n);
});
