import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import {
  ModuleRegistry,
  type ModuleRegistryOptions,
  type WatchEvent,
  type WatchOptions,
} from "../../../mod.ts";
import { HeaderFlag } from "../../../src/smf/mod.ts";
import type { TakeoverOptions } from "../../../mod.ts";
import {
  assertLoadError,
  checkLoadError,
  fixtureTest,
  TemporaryDirectory,
  unhashed,
} from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const answering = (answer: number, flags: number = HeaderFlag.Reloadable) =>
  version({ functions: { answer }, data: { total: [0n] }, flags });

/** A module in a directory, watched; disposing ends everything. */
class Watching implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly path = this.directory.file("m.smf", answering(1));
  readonly registry: ModuleRegistry;
  readonly #stop = new AbortController();
  readonly #events: AsyncGenerator<WatchEvent, void, void>;

  constructor(
    options: WatchOptions & TakeoverOptions = {},
    prepare: (watching: Watching) => string = ({ path }) => path,
    registryOptions: ModuleRegistryOptions = {},
  ) {
    this.registry = new ModuleRegistry(registryOptions);
    this.registry.load(prepare(this));
    this.#events = this.registry.watch({ debounce: 25, signal: this.#stop.signal, ...options });
  }

  async next(): Promise<WatchEvent> {
    // Ends a test that would otherwise wait without end; no change takes this long.
    const timer = setTimeout(() => this.#stop.abort(), 60_000);
    const { value, done } = await this.#events.next();
    clearTimeout(timer);
    assert(!done, "no event came");
    return value as WatchEvent;
  }

  answer(path = this.path): number {
    using live = this.registry.open(path, { answer: INT });
    return live.symbols.answer();
  }

  /** Renames a new file over the old one, so that nobody sees half a file. */
  replace(bytes: Uint8Array, path = this.path): void {
    const temporary = this.directory.file("temporary", bytes);
    Deno.renameSync(temporary, path);
  }

  /** As `replace`; does nothing while somebody reads the old file, which Windows then keeps. */
  replaceUnlessRead(bytes: Uint8Array): void {
    try {
      this.replace(bytes);
    } catch (error) {
      if (!(Deno.build.os === "windows" && error instanceof Deno.errors.PermissionDenied)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for await (const _ of this.#events);
    await this.registry[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}

Deno.test("a file that is renamed over is reloaded; the event says what happened", async () => {
  await using watching = new Watching();
  watching.replace(answering(2));
  const event = await watching.next();
  assert(event.kind === "reloaded", JSON.stringify(event));
  assertEquals([event.path, event.version, event.carried], [watching.path, 2, undefined]);
  assert(event.milliseconds > 0);
  assert(event.sinceChange > event.milliseconds, "waiting counts");
  assertEquals(watching.answer(), 2);
});

Deno.test("a file that is written in place is reloaded", async () => {
  await using watching = new Watching();
  Deno.writeFileSync(watching.path, answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
});

Deno.test("a file that is deleted and created again is reloaded", async () => {
  await using watching = new Watching();
  Deno.removeSync(watching.path);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(watching.answer(), 1, "without a file the old version runs on");
  Deno.writeFileSync(watching.path, answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
});

/** A module in a folder that can be replaced: its name, and what prepares it. */
function inFolder(name = "build/m.smf"): [string, (watching: Watching) => string] {
  return [name, ({ directory }) => {
    Deno.mkdirSync(dirname(directory.join(name)), { recursive: true });
    Deno.writeFileSync(directory.join(name), answering(1));
    return directory.join(name);
  }];
}

for (
  const [how, replace] of [
    ["removed and made again", (build: string) => {
      Deno.removeSync(build, { recursive: true });
      Deno.mkdirSync(build);
    }],
    ["renamed, and another renamed into its place", (build: string) => {
      Deno.mkdirSync(`${build}.new`);
      Deno.renameSync(build, Deno.makeTempDirSync({ dir: dirname(build) }));
      Deno.renameSync(`${build}.new`, build);
    }],
  ] as const
) {
  for (const folder of ["build", "build/debug"]) {
    Deno.test({
      name: `a file in ${folder} is watched on when build is ${how}`,
      ignore: Deno.build.os === "windows", // which does not let a watched folder go
      async fn() {
        const [name, prepare] = inFolder(`${folder}/m.smf`);
        await using watching = new Watching({}, prepare);
        const path = watching.directory.join(name);
        for (const answer of [2, 3]) {
          replace(watching.directory.join("build"));
          Deno.mkdirSync(dirname(path), { recursive: true });
          Deno.writeFileSync(path, answering(answer));
          let event = await watching.next();
          while (event.kind === "unchanged") event = await watching.next();
          assertEquals(event.kind, "reloaded");
          assertEquals(watching.answer(path), answer);
          // And so are later changes, which are not part of the same one.
          for (const later of [10 * answer, 11 * answer]) {
            await new Promise((resolve) => setTimeout(resolve, 400));
            Deno.writeFileSync(path, answering(later));
            let event = await watching.next();
            while (event.kind === "unchanged") event = await watching.next();
            assertEquals(event.kind, "reloaded");
            assertEquals(watching.answer(path), later);
          }
        }
      },
    });
  }
}

Deno.test({
  name: "a watch says that its folder is gone, and goes on when that is back",
  ignore: Deno.build.os === "windows",
  async fn() {
    const [name, prepare] = inFolder();
    await using watching = new Watching({ debounce: 5 }, prepare);
    const path = watching.directory.join(name);
    const build = dirname(path);
    Deno.renameSync(build, `${build}.old`);
    const gone = await watching.next();
    assert(gone.kind === "failed");
    checkLoadError(gone.error, "Io", { path });
    Deno.mkdirSync(build);
    Deno.writeFileSync(path, answering(2));
    assertEquals((await watching.next()).kind, "reloaded");
  },
});

Deno.test("a file that is written without a pause is reloaded all the same", async () => {
  await using watching = new Watching({ debounce: 200, longestWait: 300 });
  const timer = setInterval(() => watching.replaceUnlessRead(answering(2)), 10);
  try {
    assertEquals((await watching.next()).kind, "reloaded");
  } finally {
    clearInterval(timer);
  }
  assertEquals(watching.answer(), 2);
});

Deno.test("a file that is written without a pause, but never whole, fails in the end", async () => {
  await using watching = new Watching({ debounce: 15, longestWait: 15 });
  const timer = setInterval(() => watching.replaceUnlessRead(answering(2).subarray(0, 100)), 2);
  try {
    const event = await watching.next();
    assert(event.kind === "failed");
    checkLoadError(event.error, "InvalidFormat", { path: watching.path });
  } finally {
    clearInterval(timer);
  }
});

Deno.test({
  name: "a link that is led elsewhere is followed, and so are later changes there",
  ignore: Deno.build.os === "windows",
  async fn() {
    using other = new TemporaryDirectory();
    let link = "";
    await using watching = new Watching({}, ({ directory, path }) => {
      Deno.symlinkSync(path, link = directory.join("link.smf"));
      return link;
    });
    const target = other.file("elsewhere.smf", answering(2));
    const temporary = watching.directory.join("temporary.smf");
    Deno.symlinkSync(target, temporary);
    Deno.renameSync(temporary, link);
    assertEquals((await watching.next()).kind, "reloaded");
    assertEquals(watching.answer(link), 2);
    Deno.writeFileSync(target, answering(3));
    assertEquals((await watching.next()).kind, "reloaded");
    assertEquals(watching.answer(link), 3);
  },
});

Deno.test({
  name: "a directory on the way that is a link is followed",
  ignore: Deno.build.os === "windows",
  async fn() {
    let path = "";
    await using watching = new Watching({}, ({ directory }) => {
      for (const [index, name] of ["one", "two"].entries()) {
        Deno.mkdirSync(directory.join(name));
        Deno.writeFileSync(directory.join(`${name}/m.smf`), answering(10 + index));
      }
      Deno.symlinkSync("one", directory.join("current"));
      return path = directory.join("current/m.smf");
    });
    assertEquals(watching.answer(path), 10);
    Deno.symlinkSync("two", watching.directory.join("next"));
    Deno.renameSync(watching.directory.join("next"), watching.directory.join("current"));
    assertEquals((await watching.next()).kind, "reloaded");
    assertEquals(watching.answer(path), 11);
  },
});

Deno.test("a half-written file is waited for", async () => {
  await using watching = new Watching();
  const bytes = answering(2);
  Deno.writeFileSync(watching.path, bytes.subarray(0, 200));
  await new Promise((resolve) => setTimeout(resolve, 80));
  assertEquals(watching.answer(), 1);
  Deno.writeFileSync(watching.path, bytes);
  const event = await watching.next();
  assertEquals(event.kind, "reloaded", "no failure in between");
  assertEquals(watching.answer(), 2);
});

Deno.test("a file that never becomes whole fails in the end; the old version runs on, the watch, too", async () => {
  await using watching = new Watching({ debounce: 4 });
  Deno.writeFileSync(watching.path, answering(2).subarray(0, 200));
  const event = await watching.next();
  assert(event.kind === "failed");
  checkLoadError(event.error, "InvalidFormat", { path: watching.path });
  assertEquals(watching.answer(), 1);
  Deno.writeFileSync(watching.path, answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
});

Deno.test({
  name: "a file in whose place a FIFO is fails in the end, and nobody waits for its other end",
  ignore: Deno.build.os === "windows",
  async fn() {
    // The FIFO is made before the watch begins, because Deno's watcher does not survive it later.
    await using watching = new Watching({ debounce: 2 }, ({ path, registry }) => {
      registry.load(path);
      Deno.removeSync(path);
      assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
      return path;
    });
    const event = await watching.next();
    assert(event.kind === "failed", JSON.stringify(event));
    assert(checkLoadError(event.error, "Io", { path: watching.path }).message.includes("a FIFO"));
    assertEquals(watching.answer(), 1);
  },
});

Deno.test("a whole file that does not fit fails at once", async () => {
  await using watching = new Watching();
  using live = watching.registry.open(watching.path, { answer: INT });
  watching.replace(version({ functions: { other: 1 } }));
  const event = await watching.next();
  assert(event.kind === "failed");
  checkLoadError(event.error, "Incompatible");
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("an error that verify throws is the error of the event", async () => {
  const reason = new Error("not good enough");
  await using watching = new Watching({
    verify: () => {
      throw reason;
    },
  });
  watching.replace(answering(2));
  const event = await watching.next();
  assert(event.kind === "failed");
  assertEquals(event.error, reason);
  assertEquals(watching.answer(), 1);
});

Deno.test("a file with the same contents is reported as unchanged and not reloaded", async () => {
  await using watching = new Watching();
  watching.replace(answering(1));
  assertEquals(await watching.next(), { kind: "unchanged", path: watching.path });
  assertEquals(watching.registry.versions(watching.path).length, 1);
});

Deno.test("a version that is not marked RELOADABLE is skipped with the reason, and the next marked one is taken", async () => {
  await using watching = new Watching();
  for (
    const [answer, flags, runs] of [[2, 0, 1], [3, 0, 1], [4, HeaderFlag.Reloadable, 4], [5, 0, 4], [
      6,
      HeaderFlag.Reloadable,
      6,
    ]]
  ) {
    watching.replace(answering(answer, flags));
    const event = await watching.next();
    if (flags === 0) {
      const reason = "the new version is not marked as reloadable";
      assertEquals(event, { kind: "skipped", path: watching.path, reason });
    } else assertEquals(event.kind, "reloaded");
    assertEquals(watching.answer(), runs);
  }
});

Deno.test("a module that was loaded without the mark RELOADABLE takes the first version that has it", async () => {
  await using watching = new Watching({}, ({ path }) => {
    Deno.writeFileSync(path, answering(1, 0));
    return path;
  });
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
});

Deno.test("a module that is not marked RELOADABLE is skipped, unless forced", async () => {
  const still = ({ path }: Watching) => {
    Deno.writeFileSync(path, answering(1, 0));
    return path;
  };
  {
    await using watching = new Watching({}, still);
    watching.replace(answering(2, 0));
    assertEquals((await watching.next()).kind, "skipped");
    assertEquals(watching.answer(), 1);
  }
  await using watching = new Watching({ force: true }, still);
  watching.replace(answering(2, 0));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
});

Deno.test("state is carried and reported", async () => {
  await using watching = new Watching({ state: "carry" });
  watching.replace(answering(2));
  const event = await watching.next();
  assert(event.kind === "reloaded");
  assertEquals(event.carried?.carried, ["total"]);
});

for (
  const [name, options, kept, after] of [["all versions", {}, 4, 5], [
    "as many versions as its registry says",
    { keepVersions: 2 },
    3,
    3,
  ]] as const
) {
  Deno.test(`a watch keeps ${name}`, async () => {
    await using watching = new Watching({}, undefined, options);
    for (const answer of [2, 3, 4]) {
      watching.replace(answering(answer));
      assertEquals((await watching.next()).kind, "reloaded");
    }
    assertEquals(watching.registry.versions(watching.path).length, kept);
    // A reload by hand does not drop what the watch keeps.
    watching.registry.reload(watching.path, { bytes: answering(5) });
    assertEquals(watching.registry.versions(watching.path).length, after);
  });
}

Deno.test("two modules in one directory are told apart", async () => {
  let second = "";
  await using watching = new Watching({}, (watching) => {
    second = watching.directory.file("n.smf", answering(100));
    watching.registry.load(second);
    return watching.path;
  });
  watching.replace(answering(101), second);
  const event = await watching.next();
  assertEquals([event.kind, event.path], ["reloaded", second]);
  assertEquals([watching.answer(), watching.answer(second)], [1, 101]);
  watching.replace(answering(2));
  assertEquals((await watching.next()).path, watching.path);
});

Deno.test("only the given paths are watched", async () => {
  await using watching = new Watching();
  const second = watching.directory.file("n.smf", answering(100));
  watching.registry.load(second);
  assertLoadError(() => watching.registry.watch({ paths: [watching.directory.join("not loaded")] }), "Io");
  const stop = new AbortController();
  const events = watching.registry.watch({ paths: [second], debounce: 5, signal: stop.signal });
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  stop.abort();
  // The system may report late that the file was written before the watch began.
  for await (const event of events) assertEquals(event, { kind: "unchanged", path: second });
});

Deno.test("many changes in a row are one reload", async () => {
  await using watching = new Watching({ debounce: 60 });
  for (let answer = 2; answer < 30; answer++) Deno.writeFileSync(watching.path, answering(answer));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 29);
  assertEquals(watching.registry.versions(watching.path).at(-1)?.version, 2);
});

for (
  const [how, end] of [
    ["leaving the loop", async (events: AsyncGenerator<WatchEvent>, change: () => void) => {
      change();
      for await (const _ of events) break;
    }],
    ["return before the first event was asked for", async (events: AsyncGenerator<WatchEvent>) => {
      await events.return(undefined);
    }],
    [
      "the signal",
      async (events: AsyncGenerator<WatchEvent>, _: () => void, stop: AbortController) => {
        setTimeout(() => stop.abort(), 5);
        for await (const _ of events);
      },
    ],
    [
      "the signal, with a change on its way",
      async (events: AsyncGenerator<WatchEvent>, change: () => void, stop: AbortController) => {
        change();
        setTimeout(() => stop.abort(), 5);
        for await (const _ of events);
      },
    ],
    [
      "disposing of the registry",
      async (events: AsyncGenerator<WatchEvent>, _: () => void, __: AbortController, end: () => void) => {
        setTimeout(end, 5);
        for await (const _ of events);
      },
    ],
  ] as const
) {
  Deno.test(`a watch is ended by ${how}, and leaves nothing open`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.file("m.smf", answering(1));
    using registry = new ModuleRegistry();
    registry.load(path);
    const stop = new AbortController();
    const events = registry.watch({ debounce: 20, signal: stop.signal });
    const change = () => Deno.writeFileSync(path, answering(2));
    await end(events, change, stop, () => registry[Symbol.dispose]());
    assertEquals(await events.next(), { done: true, value: undefined });
  });
}

fixtureTest("a signal that is aborted already watches nothing", async () => {
  using registry = new ModuleRegistry();
  registry.load("fixtures/counter_v1.smf");
  for await (const _ of registry.watch({ signal: AbortSignal.abort() })) assert(false);
});

Deno.test("a module that was unloaded meanwhile is not reloaded", async () => {
  await using watching = new Watching();
  const handle = watching.registry.load(watching.path);
  watching.registry.unload(watching.path);
  watching.replace(answering(2));
  const event = await watching.next();
  assert(event.kind === "failed");
  checkLoadError(event.error, "Closed");
  assertEquals(handle.getFunction("answer", INT)!(), 1);
});

Deno.test("a module that fails because another one lacks a name is tried again when that is reloaded", async () => {
  let second = "";
  await using watching = new Watching({}, (watching) => {
    second = watching.directory.file("n.smf", version({ functions: { ask: 1 } }));
    watching.registry.load(second);
    return watching.path;
  });
  watching.replace(version({ functions: { ask: "fresh" } }), second);
  const event = await watching.next();
  assert(event.kind === "failed");
  checkLoadError(event.error, "UndefinedSymbol");
  watching.replace(version({ functions: { answer: 2, fresh: 30 } }));
  const kinds = [await watching.next(), await watching.next()].map(({ kind, path }) => [kind, path]);
  assertEquals(kinds, [["reloaded", watching.path], ["reloaded", second]]);
  using live = watching.registry.open(second, { ask: INT });
  assertEquals(live.symbols.ask(), 30);
});

for (
  const [how, change] of Object.entries<(watching: Watching) => void>({
    "written in place": ({ path }) => Deno.writeFileSync(path, answering(2)),
    "renamed over": (watching) => watching.replace(answering(2)),
    "deleted, and created again later": ({ path }) => {
      Deno.removeSync(path);
      setTimeout(() => Deno.writeFileSync(path, answering(2)), 60);
    },
  })
) {
  Deno.test(`a file that was ${how} after it was loaded, before the watch, is reloaded`, async () => {
    await using watching = new Watching({}, (watching) => {
      watching.registry.load(watching.path);
      change(watching);
      return watching.path;
    });
    assertEquals((await watching.next()).kind, "reloaded");
    assertEquals(watching.answer(), 2);
    watching.replace(answering(2));
    assertEquals((await watching.next()).kind, "unchanged");
  });
}

const MINUTE = 60_000;

for (
  const [what, sinceWritten, expected] of [
    ["written long before it was loaded counts as what was loaded", MINUTE, ["unchanged"]],
    ["written when it was loaded may have been written after it", -MINUTE, ["reloaded", "unchanged"]],
  ] as const
) {
  Deno.test(`a file without a hash that was ${what}`, async () => {
    await using watching = new Watching({}, ({ path }) => {
      Deno.writeFileSync(path, unhashed(answering(1)));
      const time = new Date(Date.now() - sinceWritten);
      Deno.utimeSync(path, time, time);
      return path;
    });
    const kinds: string[] = [];
    if (expected.length > 1) kinds.push((await watching.next()).kind);
    watching.replace(unhashed(answering(1)));
    kinds.push((await watching.next()).kind);
    assertEquals(kinds, [...expected]);
  });
}

Deno.test("a file without a hash that changed before the watch began is reloaded", async () => {
  await using watching = new Watching({}, ({ path, registry }) => {
    Deno.writeFileSync(path, unhashed(answering(1)));
    Deno.utimeSync(path, new Date(0), new Date(0));
    registry.load(path);
    Deno.writeFileSync(path, unhashed(answering(2)));
    return path;
  });
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
});

Deno.test("a file that was reloaded by hand is not reloaded again", async () => {
  await using watching = new Watching();
  watching.replace(answering(2));
  assertEquals(watching.registry.reload(watching.path).version, 2);
  assertEquals((await watching.next()).kind, "unchanged");
  watching.replace(answering(1));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 1);
});

Deno.test("a version that a rollback has left is not reloaded because its file is touched", async () => {
  await using watching = new Watching();
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  watching.registry.rollback(watching.path);
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "unchanged");
  assertEquals(watching.answer(), 1);
  watching.replace(answering(3));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 3);
});

Deno.test("a module that was unloaded and loaded again is watched on", async () => {
  await using watching = new Watching();
  const { registry, path } = watching;
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  registry.unload(path, { force: true });
  watching.replace(answering(3));
  assertEquals((await watching.next()).kind, "failed");
  registry.load(path);
  // The bytes that the watch saw last are not those that are loaded now.
  watching.replace(answering(2));
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
  assertEquals(registry.versions(path).map(({ version }) => version), [1, 2]);
});

Deno.test("modules loaded from bytes have no file to watch", async () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  const events = registry.watch({ signal: AbortSignal.timeout(10) });
  for await (const _ of events) assert(false);
  assertLoadError(() => registry.watch({ paths: ["m"] }), "Io", { path: "m" });
});

/** The default options, with which a file that has a hash is looked at early. */
const DEFAULTS: WatchOptions = { debounce: undefined as unknown as number };

Deno.test("a file with a hash is reloaded at an early look, and its change is reported once", async () => {
  await using watching = new Watching(DEFAULTS);
  for (const answer of [2, 3, 4]) {
    watching.replace(answering(answer));
    let event = await watching.next();
    while (Deno.build.os === "windows" && event.kind === "unchanged") event = await watching.next();
    assertEquals([event.kind, watching.answer()], ["reloaded", answer]);
  }
  // Whatever the system tells late of these changes is over by then.
  await new Promise((resolve) => setTimeout(resolve, 150));
  watching.replace(answering(5));
  let last = await watching.next();
  // Wine tells of a change once more, later than any system does.
  while (Deno.build.os === "windows" && last.kind === "unchanged") last = await watching.next();
  assertEquals(last.kind, "reloaded");
});

Deno.test("an early look does not take a file for whole that is half written", async () => {
  await using watching = new Watching(DEFAULTS);
  const bytes = answering(2);
  for (const end of [bytes.length / 2, bytes.length - 1, bytes.length]) {
    using file = Deno.openSync(watching.path, { write: true, truncate: true });
    file.writeSync(bytes.subarray(0, end));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals((await watching.next()).kind, "reloaded");
  assertEquals(watching.answer(), 2);
});

Deno.test("a file without a hash waits until it has not changed for a while", async () => {
  await using watching = new Watching(DEFAULTS);
  watching.replace(unhashed(answering(2)));
  const event = await watching.next();
  assert(event.kind === "reloaded" && event.sinceChange >= 45, JSON.stringify(event));
});

Deno.test("a version that is refused at an early look is reported once, and again when another is saved", async () => {
  await using watching = new Watching(DEFAULTS);
  watching.replace(answering(2, 0));
  assertEquals((await watching.next()).kind, "skipped");
  await new Promise((resolve) => setTimeout(resolve, 150));
  watching.replace(answering(3));
  assertEquals((await watching.next()).kind, "reloaded");
});

Deno.test("an early look tries a failed module again once what it lacked is there", async () => {
  const stop = new AbortController();
  using directory = new TemporaryDirectory();
  const flags = HeaderFlag.Reloadable;
  const provider = directory.file("provider.smf", version({ functions: { value: 1 }, flags }));
  const importer = directory.file("importer.smf", version({ functions: { ask: "value" }, flags }));
  await using registry = new ModuleRegistry();
  registry.load(provider);
  registry.load(importer);
  const events = registry.watch({ signal: stop.signal });
  const next = async () => (await events.next()).value as WatchEvent;
  const first = next();
  directory.file("importer.smf", version({ functions: { ask: "other" }, flags }));
  const failed = await first;
  assertEquals([failed.kind, failed.path], ["failed", importer]);
  directory.file("provider.smf", version({ functions: { value: 1, other: 7 }, flags }));
  assertEquals((await next()).path, provider);
  const retried = await next();
  assertEquals([retried.kind, retried.path], ["reloaded", importer]);
  assertEquals(registry.load(importer).getFunction("ask", INT)!(), 7);
  stop.abort();
  await events.return();
});
