// Reloads at a safe point: nobody sees functions of two versions mixed.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { nativeTest } from "../../support/modules.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { TestWorker, until } from "../../support/workers.ts";
import { INT, version } from "../../support/versions.ts";

const AT = { at: "safe point" } as const;

/** Two functions that change together. */
const PAIR = (version: number) => `
  long total;
  int one(void) { return ${version}; }
  int two(void) { return ${version}; }
  int answer(void) { return ${version}; }`;

/** Loops over both, and counts pairs of two versions; the last word counts rounds. */
const LOOP = (safePoint: string, more = "") => `
  void smf_safe_point(void);
  int one(void), two(void);
  volatile int stop[1];
  volatile int mixed[1];
  volatile int rounds[1];
  ${more}
  int run(void) {
    while (!stop[0]) {
      int first = one();
      for (volatile int spin = 0; spin < 200; spin++) ;
      if (first != two()) mixed[0]++;
      rounds[0]++;
      ${safePoint}
    }
    return one();
  }
  int pass(void) { smf_safe_point(); return 7; }`;

const RUN = {
  run: { parameters: [], result: "i32", nonblocking: true },
  pass: INT,
  stop: { type: "i32" },
  mixed: { type: "i32" },
  rounds: { type: "i32" },
} as const;

/** A loop that calls a module which is reloaded. */
class Looping implements AsyncDisposable {
  readonly registry = new ModuleRegistry();
  readonly #folder: string;
  readonly #words: Record<"stop" | "mixed" | "rounds", Int32Array>;
  readonly loops: readonly Promise<number>[];
  readonly pass: () => number;

  private constructor(folder: string, loop: Uint8Array, pair: Uint8Array, threads: number) {
    this.#folder = folder;
    this.registry.loadBytes("pair", pair);
    this.registry.loadBytes("loop", loop);
    const { symbols } = this.registry.open("loop", RUN);
    const module = this.registry.reload("loop", { bytes: loop });
    const word = (name: string): Int32Array => {
      using lease = module.addressOf(name)!;
      const pointer = Deno.UnsafePointer.create(lease.address)!;
      return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 4));
    };
    this.#words = { stop: word("stop"), mixed: word("mixed"), rounds: word("rounds") };
    this.pass = symbols.pass;
    this.loops = Array.from({ length: threads }, () => symbols.run());
    module.close();
  }

  static async start(
    folder: string,
    safePoint = "smf_safe_point();",
    threads = 1,
    more = "",
  ): Promise<Looping> {
    const [loop, pair] = [
      await compiledVersion(folder, LOOP(safePoint, more)),
      await compiledVersion(folder, PAIR(1)),
    ];
    const looping = new Looping(folder, loop, pair, threads);
    await until(() => looping.rounds > 0);
    return looping;
  }

  get mixed(): number {
    return this.#words.mixed[0];
  }

  get rounds(): number {
    return Atomics.load(this.#words.rounds, 0);
  }

  pair(version: number): Promise<Uint8Array<ArrayBuffer>> {
    return compiledVersion(this.#folder, PAIR(version));
  }

  async end(): Promise<number[]> {
    Atomics.store(this.#words.stop, 0, 1);
    return await Promise.all(this.loops);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.registry[Symbol.asyncDispose]();
  }
}

testWithCompilers(["gcc"], "loops that do not return see all functions of one version", async (folder) => {
  await using looping = await Looping.start(folder, "smf_safe_point();", 3);
  const { registry } = looping;
  const live = registry.open("pair", { one: INT });
  for (let version = 2; version <= 12; version++) {
    const bytes = await looping.pair(version);
    const before = looping.rounds;
    await registry.reload("pair", { bytes, ...AT });
    assertEquals(live.symbols.one(), version);
    await until(() => looping.rounds > before + 10);
  }
  assertEquals(looping.mixed, 0);
  // At once, some loop is between its two calls.
  const versions = [await looping.pair(13), await looping.pair(14)];
  for (let reload = 0; reload < 200 && looping.mixed === 0; reload++) {
    registry.reload("pair", { bytes: versions[reload % 2] });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert(looping.mixed > 0);
  registry.reload("pair", { bytes: versions[0] });
  assertEquals(await looping.end(), [13, 13, 13]);
});

testWithCompilers(
  ["gcc"],
  "a loop without a safe point refuses the reload in time, and nothing changes",
  async (folder) => {
    await using looping = await Looping.start(folder, "");
    const bytes = await looping.pair(2);
    const { registry } = looping;
    const error = await assertRejects(
      () => registry.reload("pair", { bytes, ...AT, timeout: 50 }),
      LoadError,
    );
    assertEquals(error.kind, "Busy");
    assert(
      error.message.includes("no safe point within 50 ms: 1 nonblocking calls in flight"),
      error.message,
    );
    assertEquals(registry.versions("pair").length, 1);

    const stop = new AbortController();
    const waiting = registry.reload("pair", { bytes, ...AT, signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 20);
    await assertRejects(() => waiting, Error, "enough");
    assertEquals(registry.versions("pair").length, 1);
    // Calls of this isolate do not wait for it, and the gate is open again.
    assertEquals(looping.pass(), 7);
    // A call that returns is as good as one that waits.
    const late = registry.reload("pair", { bytes, ...AT });
    await looping.end();
    assertEquals((await late).version, 2);
  },
);

testWithCompilers(["gcc"], "calls of a module with threads of its own have to return", async (folder) => {
  const more = "int pthread_create(void *, void *, void *, void *); void *start = pthread_create;";
  await using looping = await Looping.start(folder, "smf_safe_point();", 1, more);
  const bytes = await looping.pair(2);
  const error = await assertRejects(
    () => looping.registry.reload("pair", { bytes, ...AT, timeout: 50 }),
    LoadError,
  );
  assert(error.hint.includes("starts threads of its own"), error.hint);
});

testWithCompilers(
  ["gcc"],
  "a Worker that calls all the time is stopped in its event loop",
  async (folder) => {
    const script = new URL("../../support/module_worker.ts", import.meta.url);
    using worker = new TestWorker<ModuleOrder>(script);
    await using looping = await Looping.start(folder);
    const { registry } = looping;
    using live = registry.open("pair", { answer: INT });
    assertEquals(await worker.ask({ kind: "attach live", token: live.share() }), "attached");
    for (let version = 2; version <= 5; version++) {
      const bytes = await looping.pair(version);
      (await registry.reload("pair", { bytes, ...AT })).close();
      assertEquals(await worker.ask({ kind: "call" }), version);
    }
    // One that does not come to its event loop is waited for.
    const word = new SharedArrayBuffer(4);
    assertEquals(await worker.ask({ kind: "call until", word }), "calling");
    const bytes = await looping.pair(6);
    const error = await assertRejects(
      () => registry.reload("pair", { bytes, ...AT, timeout: 100 }),
      LoadError,
    );
    assert(error.message.includes("1 Workers at work"), error.message);
    const late = registry.reload("pair", { bytes, ...AT });
    Atomics.store(new Int32Array(word), 0, 1);
    await worker.answer();
    (await late).close();
    assertEquals(await worker.ask({ kind: "call" }), 6);
    assertEquals(looping.mixed, 0);
  },
);

nativeTest("without calls the next turn of the event loop is a safe point", async () => {
  await using registry = new ModuleRegistry();
  const bytes = (answer: number) => version({ functions: { answer } });
  registry.loadBytes("a", bytes(1));
  const { symbols } = registry.open("a", { answer: INT });
  const both = [2, 3].map((answer) => registry.reload("a", { bytes: bytes(answer), ...AT }));
  assertEquals(symbols.answer(), 1);
  assertEquals((await Promise.all(both)).map((module) => module.version), [2, 3]);
  assertEquals(symbols.answer(), 3);
  // What a reload throws rejects the promise.
  const refuse = registry.reload("a", { bytes: bytes(4), ...AT, verify: () => false });
  await assertRejects(() => refuse, LoadError, "verify refused");
  assertEquals(symbols.answer(), 3);
});

nativeTest("a registry that ends while a reload waits rejects it, and options belong together", async () => {
  const registry = new ModuleRegistry();
  registry.loadBytes("a", version({ functions: { answer: 1 } }));
  const waiting = registry.reload("a", { bytes: version({ functions: { answer: 2 } }), ...AT });
  const rejected = assertRejects(() => waiting, LoadError, "the registry was disposed");
  registry[Symbol.dispose]();
  await rejected;
  const other = new ModuleRegistry();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => other.reload("a", { timeout: 5 } as any), TypeError, 'at: "safe point"');
  // deno-lint-ignore no-explicit-any
  assertThrows(() => other.reloadAll([], { at: "once" } as any), TypeError, "'safe point'");
});

testWithCompilers(["gcc"], "a rollback waits for a safe point, too", async (folder) => {
  await using looping = await Looping.start(folder, "smf_safe_point();", 2);
  const { registry } = looping;
  const bytes = await looping.pair(2);
  const live = registry.open("pair", { one: INT });
  for (let round = 0; round < 5; round++) {
    await registry.reload("pair", { bytes, ...AT });
    assertEquals(live.symbols.one(), 2);
    const before = looping.rounds;
    const module = await registry.rollback("pair", AT);
    assertEquals([module.version, live.symbols.one()], [1, 1]);
    await until(() => looping.rounds > before + 10);
  }
  assertEquals(looping.mixed, 0);
  assertEquals(await looping.end(), [1, 1]);
});

testWithCompilers(
  ["gcc"],
  "a rollback that finds no safe point says so, and changes nothing",
  async (folder) => {
    await using looping = await Looping.start(folder, "");
    const { registry } = looping;
    registry.reload("pair", { bytes: await looping.pair(2) });
    const live = registry.open("pair", { one: INT });
    const error = await assertRejects(() => registry.rollback("pair", { ...AT, timeout: 50 }), LoadError);
    assert(error.message.startsWith("Cannot roll back module: no safe point within 50 ms"), error.message);
    assertEquals([error.kind, live.symbols.one()], ["Busy", 2]);
    // deno-lint-ignore no-explicit-any
    assertThrows(() => registry.rollback("pair", { timeout: 5 } as any), TypeError, 'at: "safe point"');
  },
);

testWithCompilers(
  ["gcc"],
  "a watch reloads at safe points, and reports a module that comes to none",
  async (folder) => {
    await using looping = await Looping.start(folder);
    const { registry } = looping;
    const path = `${folder}/watched.smf`;
    const bytes = (answer: number) => version({ functions: { answer } });
    Deno.writeFileSync(path, bytes(1));
    registry.load(path);
    const live = registry.open(path, { answer: INT });
    const watch = (timeout: number) => registry.watch({ ...AT, timeout, paths: [path], debounce: 5 });
    const events = watch(10_000);
    Deno.writeFileSync(path, bytes(2));
    const reloaded = await events.next();
    assertEquals([reloaded.value?.kind, live.symbols.answer()], ["reloaded", 2]);
    await events.return(undefined);

    const busy = await Looping.start(folder, "");
    const other = `${folder}/other.smf`;
    Deno.writeFileSync(other, bytes(1));
    busy.registry.load(other);
    const failing = busy.registry.watch({ ...AT, timeout: 30, paths: [other], debounce: 5 });
    Deno.writeFileSync(other, bytes(2));
    const { value } = await failing.next();
    assert(value?.kind === "failed" && (value.error as LoadError).kind === "Busy");
    await failing.return(undefined);
    await busy[Symbol.asyncDispose]();
  },
);
