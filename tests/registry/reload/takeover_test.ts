import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type LoadedModule, LoadError, ModuleRegistry, type ReloadOptions } from "../../../mod.ts";
import { type ExecutableMemory, Protection } from "../../../src/os/memory/allocator.ts";
import {
  assertLoadError,
  checkLoadError,
  TemporaryDirectory,
  WatchedAllocator,
} from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const PROVIDER = {
  functions: { answer: 1, second: 11 },
  data: { total: [5n], where: ["total"] },
} as const;

/** More functions than a table has room for that needs no memory of its own. */
const MANY = Array.from({ length: 40 }, (_, index) => `f${index}`);

function provider(answer: number): Uint8Array {
  const many = Object.fromEntries(MANY.map((name) => [name, answer]));
  return version({ ...PROVIDER, functions: { answer, second: answer + 10, ...many } });
}

/** An allocator that a test can have refuse memory. */
class RefusingAllocator extends WatchedAllocator {
  refuseProtect: Protection | undefined;
  refuseAllocationAfter = Infinity;

  override allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    if (this.refuseAllocationAfter-- <= 0) {
      throw new LoadError("OutOfMemory", "Cannot allocate: the test refuses", { call: "mmap", errno: 12 });
    }
    return super.allocate(size, alignment, near);
  }

  override protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    if (protection === this.refuseProtect) {
      throw new LoadError("OutOfMemory", "Cannot protect: the test refuses", { call: "mprotect", errno: 12 });
    }
    super.protect(memory, protection, offset, length);
  }
}

/** A module with everything that can refer to it: live functions, an importer, a pinned handle. */
class Situation implements Disposable, AsyncDisposable {
  readonly allocator = new RefusingAllocator();
  readonly registry = new ModuleRegistry({ allocator: this.allocator });
  readonly pinned = this.registry.loadBytes("provider", provider(1));
  readonly live = this.registry.open("provider", { answer: INT, second: INT, total: { type: "i64" } });
  readonly importer = this.registry.loadBytes("importer", version({ functions: { ask: "answer" } }));
  readonly ask = this.importer.getFunction("ask", INT)!;
  readonly canonical = this.registry.resolveSymbol("answer");

  /** Observes everything that a failed reload must leave as it is. */
  state(): unknown {
    const { symbols } = this.live;
    return {
      answers: [symbols.answer(), symbols.second(), this.ask(), this.pinned.getFunction("answer", INT)!()],
      total: symbols.total,
      versions: this.registry.versions("provider"),
      canonical: this.registry.resolveSymbol("answer"),
      live: this.allocator.live.size,
      mapped: this.allocator.mappings(),
      holders: this.pinned.holders(),
    };
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
    assertEquals(this.allocator.live.size, 0);
  }

  /** Waits, because memory that was under a lease is freed at the next turn. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

const FAILURES: Record<string, {
  readonly prepare?: (situation: Situation) => void;
  readonly options: (situation: Situation) => ReloadOptions;
  readonly kind?: string;
}> = {
  "a bad file": { options: () => ({ bytes: new Uint8Array(100) }), kind: "InvalidFormat" },
  "an empty file": { options: () => ({ bytes: new Uint8Array() }), kind: "InvalidFormat" },
  "a missing export": {
    options: () => ({ bytes: version({ functions: { second: 2 }, data: { total: [1n] } }) }),
    kind: "Incompatible",
  },
  "an export of another kind": {
    options: () => ({ bytes: version({ functions: { second: 2, total: 3 }, data: { answer: [1n] } }) }),
    kind: "Incompatible",
  },
  "an unresolved import": {
    options: () => ({ bytes: version({ functions: { answer: 2, second: 3, more: "nobodyHasThis" } }) }),
    kind: "UndefinedSymbol",
  },
  "migrate that throws": {
    options: () => ({
      bytes: provider(2),
      state: "carry",
      migrate: () => {
        throw new LoadError("Busy", "thrown by migrate");
      },
    }),
    kind: "Busy",
  },
  "verify that throws": {
    options: () => ({
      bytes: provider(2),
      verify: () => {
        throw new LoadError("Busy", "thrown by verify");
      },
    }),
    kind: "Busy",
  },
  "verify that answers false": {
    options: () => ({ bytes: provider(2), state: "carry", verify: () => false }),
    kind: "Incompatible",
  },
  "mprotect refused for code": {
    options: ({ allocator }) => {
      allocator.refuseProtect = Protection.READ_EXECUTE;
      return { bytes: provider(2) };
    },
    kind: "OutOfMemory",
  },
  "memory refused for the image": {
    options: ({ allocator }) => {
      allocator.refuseAllocationAfter = 0;
      return { bytes: provider(2) };
    },
    kind: "OutOfMemory",
  },
  "memory refused for the table": {
    prepare: ({ registry }) => MANY.forEach((name) => registry.resolveSymbol(name)),
    options: ({ allocator }) => {
      allocator.refuseAllocationAfter = 1;
      return { bytes: provider(2), state: "carry", verify: () => true };
    },
    kind: "OutOfMemory",
  },
};

for (const [what, { prepare, options, kind }] of Object.entries(FAILURES)) {
  Deno.test(`a reload that fails by ${what} leaves answers, data and mappings as they were`, () => {
    using situation = new Situation();
    prepare?.(situation);
    // Binds once before, because the first binding maps memory.
    situation.state();
    const before = situation.state();
    const failure = assertThrows(() => situation.registry.reload("provider", options(situation)));
    situation.allocator.refuseProtect = undefined;
    situation.allocator.refuseAllocationAfter = Infinity;
    if (kind !== undefined) assertEquals(checkLoadError(failure, kind as "Busy").kind, kind);
    assertEquals(situation.state(), before);
    // The failed reload does not hinder the next one.
    situation.registry.reload("provider", { bytes: provider(3) });
    assertEquals(situation.live.symbols.answer(), 3);
    assertEquals(situation.ask(), 3);
    assertEquals(situation.registry.versions("provider").map(({ version }) => version), [1, 2]);
  });
}

/** Ways to make a rollback to version 1 fail; version 2 is the current one and has functions in use that 1 lacks. */
const ROLLBACK_FAILURES: typeof FAILURES = {
  "an export that only the newer version has": {
    prepare: ({ registry }) => {
      registry.reload("provider", {
        bytes: version({ ...PROVIDER, functions: { answer: 2, second: 12, fresh: 5 } }),
      });
      registry.resolveSymbol("fresh");
    },
    options: () => ({}),
    kind: "Incompatible",
  },
  "migrate that throws": FAILURES["migrate that throws"],
  "verify that throws": FAILURES["verify that throws"],
  "verify that answers false": FAILURES["verify that answers false"],
  "memory refused for the table": {
    prepare: ({ registry }) => {
      registry.reload("provider", { bytes: provider(2) });
      MANY.forEach((name) => registry.resolveSymbol(name));
    },
    options: ({ allocator }) => {
      allocator.refuseAllocationAfter = 0;
      return { state: "carry", verify: () => true };
    },
    kind: "OutOfMemory",
  },
};

for (const [what, { prepare, options, kind }] of Object.entries(ROLLBACK_FAILURES)) {
  Deno.test(`a rollback that fails by ${what} leaves answers, data and mappings as they were`, () => {
    using situation = new Situation();
    const { registry, allocator, pinned } = situation;
    const { symbols } = pinned.bind({ total: { type: "i64" }, where: { type: "u64" } });
    if (prepare === undefined) registry.reload("provider", { bytes: provider(2) });
    else prepare(situation);
    const state = () => [situation.state(), symbols.total, symbols.where];
    state();
    const before = state();
    const { bytes: _, ...takeover }: ReloadOptions = options(situation);
    const failure = assertThrows(() => registry.rollback("provider", takeover));
    allocator.refuseAllocationAfter = Infinity;
    assertEquals(checkLoadError(failure, kind as "Busy").kind, kind);
    assertEquals(state(), before);
    assertEquals([situation.live.symbols.answer(), situation.ask()], [2, 2]);
  });
}

Deno.test("an importer that was never touched calls the new code in its first call after the commit", () => {
  using situation = new Situation();
  assertEquals(situation.ask(), 1);
  situation.registry.reload("provider", { bytes: provider(2) });
  assertEquals(situation.ask(), 2);
  assertEquals(situation.registry.resolveSymbol("answer"), situation.canonical, "one address for ever");
});

Deno.test("every missing export is listed", () => {
  using situation = new Situation();
  const error = assertLoadError(
    () => situation.registry.reload("provider", { bytes: version({ functions: { unrelated: 1 } }) }),
    "Incompatible",
  );
  assertEquals([...error.data.symbols ?? []].toSorted(), ["answer", "second", "total"]);
});

Deno.test("with compatibility 'allow' missing names stay with the old version, which is kept for them", async () => {
  await using situation = new Situation();
  const { registry, live } = situation;
  registry.reload("provider", {
    bytes: version({ functions: { answer: 2 }, data: { total: [50n] } }),
    compatibility: "allow",
  });
  assertEquals([live.symbols.answer(), live.symbols.second(), live.symbols.total], [2, 11, 50n]);
  // The old version stays while newer ones lack the name, too, longer than keepVersions keeps it.
  for (let answer = 3; answer < 7; answer++) {
    registry.reload("provider", {
      bytes: version({ functions: { answer }, data: { total: [50n] } }),
      compatibility: "allow",
    });
    assertEquals([live.symbols.answer(), live.symbols.second()], [answer, 11]);
  }
  registry.reload("provider", { bytes: provider(9) });
  assertEquals([live.symbols.answer(), live.symbols.second()], [9, 19]);
});

Deno.test("with compatibility 'allow' a name still cannot turn from function to variable", () => {
  using situation = new Situation();
  assertLoadError(
    () =>
      situation.registry.reload("provider", {
        bytes: version({ functions: { second: 2 }, data: { answer: [1n], total: [1n] } }),
        compatibility: "allow",
      }),
    "Incompatible",
  );
});

Deno.test("a version may lack names that nobody uses any more", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("provider", provider(1));
  const importer = registry.loadBytes("importer", version({ functions: { ask: "answer" } }));
  registry.open("provider", { second: INT }).close();
  registry.unload("importer");
  importer.close();
  const next = registry.reload("provider", { bytes: version({ functions: { third: 3 } }) });
  assertEquals(next.getFunction("third", INT)!(), 3);
  // A later version can export the name again.
  registry.reload("provider", { bytes: provider(7) });
  using live = registry.open("provider", { answer: INT });
  assertEquals(live.symbols.answer(), 7);
});

Deno.test("verify sees the new code with the carried data, before anybody else does", () => {
  using situation = new Situation();
  const seen: unknown[] = [];
  situation.registry.reload("provider", {
    bytes: version({ ...PROVIDER, functions: { answer: 2, second: 12 }, data: { total: [99n] } }),
    state: "carry",
    verify(candidate) {
      const { symbols } = candidate.bind({ answer: INT, total: { type: "i64" } });
      seen.push(symbols.answer(), symbols.total, situation.live.symbols.answer(), situation.ask());
    },
  });
  assertEquals(seen, [2, 5n, 1, 1]);
});

Deno.test("migrate sees both versions, and the new version has the values that it writes", async () => {
  await using situation = new Situation();
  const numbers: number[] = [];
  situation.registry.reload("provider", {
    bytes: provider(2),
    migrate(previous, candidate) {
      numbers.push(previous.version, candidate.version);
      using from = previous.addressOf("total")!;
      using to = candidate.addressOf("total")!;
      const word = (address: bigint) =>
        new BigInt64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address)!, 8));
      word(to.address)[0] = word(from.address)[0] * 100n;
    },
  });
  assertEquals(numbers, [1, 2]);
  assertEquals(situation.live.symbols.total, 500n);
});

Deno.test("handles that migrate and verify were given end with the callbacks", () => {
  using situation = new Situation();
  const kept: LoadedModule[] = [];
  situation.registry.reload("provider", {
    bytes: provider(2),
    migrate: (previous, candidate) => void kept.push(previous, candidate),
    verify: (candidate) => {
      kept.push(candidate);
      candidate.close();
    },
  });
  for (const handle of kept) assertLoadError(() => handle.getFunction("answer", INT), "Closed");
  assertEquals(situation.live.symbols.answer(), 2);
});

for (const inside of ["migrate", "verify"] as const) {
  Deno.test(`a reload started inside ${inside} is refused, with that reason`, () => {
    using situation = new Situation();
    const { registry } = situation;
    const refused: unknown[] = [];
    registry.reload("provider", {
      bytes: provider(2),
      [inside]: () => {
        for (
          const work of [
            () => registry.reload("importer", { bytes: version({ functions: { ask: "answer" } }) }),
            () => registry.reloadAll(["provider"]),
            () => registry.rollback("provider"),
          ]
        ) refused.push(assertLoadError(work, "Busy").message.includes("migrate or verify"));
      },
    });
    assertEquals(refused, [true, true, true]);
    assertEquals(situation.live.symbols.answer(), 2);
  });

  Deno.test(`names that ${inside} binds and imports lead into the new version`, () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", provider(1));
    using first = registry.open("provider", { answer: INT });
    const found: { call?: () => number; ask?: () => number } = {};
    registry.reload("provider", {
      bytes: provider(2),
      [inside]: () => {
        found.call = registry.open("provider", { second: INT }).symbols.second;
        found.ask = registry.loadBytes("importer", version({ functions: { ask: "second" } }))
          .getFunction("ask", INT)!;
      },
    });
    assertEquals([first.symbols.answer(), found.call!(), found.ask!()], [2, 12, 12]);
    registry.reload("provider", { bytes: provider(3) });
    assertEquals([first.symbols.answer(), found.call!(), found.ask!()], [3, 13, 13]);
  });

  Deno.test(`a new version is refused if it lacks a name that ${inside} begins to use`, () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", provider(1));
    let call: (() => number) | undefined;
    assertLoadError(
      () =>
        registry.reload("provider", {
          bytes: version({ functions: { answer: 2 } }),
          [inside]: () => void (call = registry.open("provider", { second: INT }).symbols.second),
        }),
      "Incompatible",
    );
    assertEquals(call!(), 11);
  });

  Deno.test(`a module that ${inside} unloads is not reloaded, and nothing is left of the attempt`, () => {
    const allocator = new WatchedAllocator();
    {
      using registry = new ModuleRegistry({ allocator });
      registry.loadBytes("provider", provider(1)).getFunction("answer", INT);
      const live = registry.open("provider", { answer: INT });
      assertLoadError(
        () =>
          registry.reload("provider", {
            bytes: provider(2),
            [inside]: () => void registry.unload("provider", { force: true }),
          }),
        "Closed",
      );
      assertLoadError(() => live.symbols.answer(), "Closed");
      assertEquals(registry.modules(), []);
      assertEquals(allocator.live.size, 0);
    }
  });
}

Deno.test("initialisers of the candidate run once, finalisers only of one that ended", () => {
  const log: string[] = [];
  const note = (what: string) => ({
    parameters: [] as const,
    result: "void" as const,
    callback: () => void log.push(what),
  });
  const registry = new ModuleRegistry({
    keepVersions: 0,
    imports: { start1: note("start 1"), end1: note("end 1"), start2: note("start 2"), end2: note("end 2") },
  });
  const bytes = (number: number) =>
    version({
      functions: { answer: number, up: `start${number}`, down: `end${number}` },
      init: ["up"],
      fini: ["down"],
    });
  registry.loadBytes("m", bytes(1));
  const live = registry.open("m", { answer: INT });
  assertThrows(() => registry.reload("m", { bytes: bytes(2), verify: () => false }));
  assertEquals(log, ["start 1", "start 2", "end 2"]);
  registry.reload("m", { bytes: bytes(2) });
  assertEquals(live.symbols.answer(), 2);
  assertEquals(log.slice(3, 4), ["start 2"]);
  registry[Symbol.dispose]();
  assertEquals(log.slice(3).toSorted(), ["end 1", "end 2", "start 2"]);
});

Deno.test("a reload of bytes that are not loaded loads version 1", () => {
  using registry = new ModuleRegistry();
  const module = registry.reload("provider", { bytes: provider(4) });
  assertEquals([module.version, module.carried], [1, undefined]);
});

Deno.test("a handle from a reload reports what was carried, others do not", () => {
  using situation = new Situation();
  const { registry } = situation;
  assertEquals(registry.reload("provider", { bytes: provider(2) }).carried, undefined);
  const { carried } = registry.reload("provider", { bytes: provider(3), state: "carry" });
  assertEquals(carried?.carried, ["total", "where"]);
  assertEquals(carried?.fresh, []);
  assertStrictEquals(registry.loadBytes("provider", provider(3)).carried, undefined);
});

Deno.test("importers can be reloaded, too, and keep their providers loaded", () => {
  using situation = new Situation();
  const { registry } = situation;
  registry.reload("importer", { bytes: version({ functions: { ask: "second" } }) });
  const ask = registry.loadBytes("importer", provider(0)).getFunction("ask", INT)!;
  assertEquals(ask(), 11);
  registry.reload("provider", { bytes: provider(2) });
  assertEquals(ask(), 12);
  assert(registry.loadBytes("provider", provider(0)).holders().length > 0);
});

/** The import that makes `bound`, below, a version that calls back into this isolate. */
const CALLBACK = { imports: { callback: { parameters: [], result: "i32", callback: () => 5 } } } as const;
const bound = version({ functions: { answer: "callback" } });

const SHARING: Record<string, (registry: ModuleRegistry) => unknown> = {
  "its live functions are": (registry) => registry.open("provider", { answer: INT }).share(),
  "a module that imports from it is": (registry) => registry.loadBytes("importer", bound).share(),
  "live functions of a module that imports from it are": (registry) =>
    registry.open("importer", { ask: INT }).share(),
  "a module that imports from one that imports from it is": (registry) =>
    registry.loadBytes("far", version({ functions: { far: "ask" } })).share(),
};

for (const [what, share] of Object.entries(SHARING)) {
  Deno.test(`a version that calls back into this isolate is refused when ${what} shared`, async () => {
    await using registry = new ModuleRegistry(CALLBACK);
    registry.loadBytes("provider", version({ functions: { answer: 1 } }));
    const ask = registry.loadBytes("importer", version({ functions: { ask: "answer" } })).getFunction(
      "ask",
      INT,
    )!;
    registry.reload("provider", { bytes: bound });
    registry.rollback("provider");
    share(registry);
    const error = assertLoadError(() => registry.reload("provider", { bytes: bound }), "Incompatible");
    assert(error.message.includes("callback"), error.message);
    assertEquals(ask(), 1);
    assertEquals(registry.reload("provider", { bytes: version({ functions: { answer: 2 } }) }).version, 3);
  });
}

Deno.test("a version that calls back into this isolate is refused when verify shares the module", async () => {
  await using registry = new ModuleRegistry(CALLBACK);
  registry.loadBytes("provider", version({ functions: { answer: 1 } }));
  const live = registry.open("provider", { answer: INT });
  assertLoadError(
    () => registry.reload("provider", { bytes: bound, verify: () => void live.share() }),
    "Incompatible",
  );
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("Workers that have a version of their own do not hinder one that calls back into this isolate", async () => {
  await using registry = new ModuleRegistry(CALLBACK);
  registry.loadBytes("provider", version({ functions: { answer: 1 } })).share();
  assertEquals(registry.reload("provider", { bytes: bound }).getFunction("answer", INT)!(), 5);
});

Deno.test("a module is not shared while its provider calls back into this isolate", async () => {
  await using registry = new ModuleRegistry(CALLBACK);
  registry.loadBytes("provider", version({ functions: { answer: 1 } }));
  const importer = registry.loadBytes("importer", version({ functions: { ask: "answer" } }));
  const far = registry.loadBytes("far", version({ functions: { far: "ask" } }));
  registry.reload("provider", { bytes: bound });
  assertLoadError(() => importer.share(), "Unsupported");
  assertLoadError(() => far.share(), "Unsupported");
  assertLoadError(() => registry.open("importer", { ask: INT }).share(), "Unsupported");
  registry.rollback("provider");
  far.share();
  importer.share();
});

Deno.test("modules that import from each other can be shared", async () => {
  using directory = new TemporaryDirectory();
  await using registry = new ModuleRegistry();
  const circle = registry.loadAll([
    directory.file("a.smf", version({ functions: { one: 1, fromB: "two" } })),
    directory.file("b.smf", version({ functions: { two: 2, fromA: "one" } })),
  ]);
  for (const module of circle) module.share();
});
