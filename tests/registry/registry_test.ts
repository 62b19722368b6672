import { join } from "@std/path";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { toFileUrl } from "@std/path";
import { LoadError, type LoadErrorKind, ModuleRegistry } from "../../mod.ts";
import { Binding } from "../../src/smf/mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  isMapped,
  linkTest,
  nativeTest,
  ROUTINES,
  sample,
  turn,
  word,
} from "../support/modules.ts";

function assertKind(work: () => unknown, kind: LoadErrorKind): LoadError {
  const error = assertThrows(work, LoadError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

async function assertKindLater(promise: Promise<unknown>, kind: LoadErrorKind): Promise<LoadError> {
  const error = await assertRejects(() => promise, LoadError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

/** A directory with a registry on it; both go at the end. */
class Place implements Disposable {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly allocator = new FailingAllocator();
  readonly registry = new ModuleRegistry({ allocator: this.allocator });

  write(name: string, bytes: Uint8Array): string {
    const path = join(this.directory, name);
    Deno.writeFileSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
    assertEquals(this.allocator.live.size, 0, "everything is freed with the registry");
  }
}

const value = (module: ReturnType<ModuleRegistry["load"]>, name = "value") =>
  module.getFunction(name, ANSWER)?.();

linkTest("spellings, links and URLs of one file are one module", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  Deno.symlinkSync(path, `${place.directory}/link.smf`);
  Deno.mkdirSync(`${place.directory}/sub`);
  const modules = [
    path,
    `${place.directory}/./a.smf`,
    `${place.directory}/sub/../a.smf`,
    `${place.directory}/link.smf`,
    toFileUrl(path),
  ].map((spelling) => place.registry.load(spelling));
  const addresses = new Set(modules.map((module) => module.codeMemory.address));
  assertEquals(addresses.size, 1);
  assertEquals(place.registry.modules(), [path]);
  assertEquals(place.allocator.live.size, 1);
});

nativeTest("a relative path and the absolute one are one module", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const before = Deno.cwd();
  Deno.chdir(place.directory);
  try {
    const absolute = place.registry.load(path);
    assertEquals(place.registry.load("a.smf").codeMemory, absolute.codeMemory);
    assertEquals(place.registry.load("./a.smf").codeMemory, absolute.codeMemory);
  } finally {
    Deno.chdir(before);
  }
});

nativeTest("files with equal contents are different modules", () => {
  using place = new Place();
  const first = place.registry.load(place.write("a.smf", answering(1)));
  const second = place.registry.load(place.write("b.smf", answering(1)));
  assertNotEquals(first.codeMemory.address, second.codeMemory.address);
});

nativeTest("a hard link is a path, and so a module, of its own", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  Deno.linkSync(path, `${place.directory}/hard.smf`);
  const first = place.registry.load(path);
  assertNotEquals(place.registry.load(`${place.directory}/hard.smf`).codeMemory, first.codeMemory);
});

nativeTest("handles are counted: the first caller's close leaves the second's module", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(6));
  const first = place.registry.load(path);
  const second = place.registry.load(path);
  first.close();
  assertEquals(value(second), 6);
  assertEquals(place.registry.modules(), [path]);
  second.close();
  assertEquals(place.registry.modules(), []);
  assertEquals(place.allocator.live.size, 0);
});

nativeTest("loadAsync gives the module that load gives", async () => {
  using place = new Place();
  const path = place.write("a.smf", answering(6));
  const later = await place.registry.loadAsync(toFileUrl(path));
  assertEquals(place.registry.load(path).codeMemory, later.codeMemory);
  assertEquals((await place.registry.loadAsync(path)).codeMemory, later.codeMemory);
  assertEquals(place.allocator.live.size, 1);
});

linkTest("concurrent loadAsync calls share one load, and each has a handle of its own", async () => {
  using place = new Place();
  const path = place.write("a.smf", answering(6));
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(path, link);
  let allocations = 0;
  const allocate = place.allocator.allocate.bind(place.allocator);
  place.allocator.allocate = (...parameters) => {
    allocations++;
    return allocate(...parameters);
  };
  const modules = await Promise.all(
    [path, link, path, `${place.directory}/./a.smf`].map((spelling) => place.registry.loadAsync(spelling)),
  );
  assertEquals(allocations, 1);
  assertEquals(new Set(modules).size, 4);
  for (const module of modules.slice(0, 3)) module.close();
  assertEquals(value(modules[3]), 6);
});

nativeTest("the first of concurrent callers may close before the second sees its handle", async () => {
  using place = new Place();
  const path = place.write("a.smf", answering(6));
  const first = place.registry.loadAsync(path).then((module) => module.close());
  const second = await place.registry.loadAsync(path);
  await first;
  assertEquals(value(second), 6);
});

nativeTest("load while loadAsync is under way: one module, no memory left of the other load", async () => {
  using place = new Place();
  const path = place.write("a.smf", answering(6));
  const pending = place.registry.loadAsync(path);
  await Promise.resolve();
  const now = place.registry.load(path);
  const later = await pending;
  assertEquals(later.codeMemory, now.codeMemory);
  assertEquals(place.allocator.live.size, 1);
});

nativeTest(
  "concurrent callers of a load that fails all get the error, and the next load is a new one",
  async () => {
    using place = new Place();
    const path = place.write("a.smf", new Uint8Array(200));
    const results = await Promise.allSettled([
      place.registry.loadAsync(path),
      place.registry.loadAsync(path),
    ]);
    for (const result of results) {
      assert(result.status === "rejected" && result.reason instanceof LoadError);
      assertEquals([result.reason.kind, result.reason.data.path], ["InvalidFormat", path]);
    }
    place.write("a.smf", answering(2));
    assertEquals(value(await place.registry.loadAsync(path)), 2);
  },
);

linkTest("loadAsync follows a link to where it leads now", async () => {
  using place = new Place();
  const [one, two] = [place.write("one.smf", answering(1)), place.write("two.smf", answering(2))];
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(one, link);
  assertEquals(value(await place.registry.loadAsync(link)), 1);
  Deno.removeSync(link);
  Deno.symlinkSync(two, link);
  assertEquals(value(place.registry.load(link)), 2);
  assertEquals(value(await place.registry.loadAsync(link)), 2);
  assertEquals(place.registry.modules(), [one, two]);
});

linkTest("loadAsync of a link that leads elsewhere now, without a load in between", async () => {
  using place = new Place();
  const [one, two] = [place.write("one.smf", answering(1)), place.write("two.smf", answering(2))];
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(one, link);
  (await place.registry.loadAsync(link)).close();
  Deno.removeSync(link);
  Deno.symlinkSync(two, link);
  assertEquals(value(await place.registry.loadAsync(link)), 2);
  assertEquals(place.registry.modules(), [two]);
});

nativeTest(
  "loadAsync on a registry that is disposed meanwhile rejects with Closed, and nothing is left",
  async () => {
    const directory = Deno.makeTempDirSync();
    const path = `${directory}/a.smf`;
    Deno.writeFileSync(path, answering(1));
    for (let turns = 0; turns < 12; turns++) {
      const allocator = new FailingAllocator();
      const registry = new ModuleRegistry({ allocator });
      const pending = registry.loadAsync(path);
      const outcome = pending.then(() => "loaded", (error) => (error as LoadError).kind);
      for (let index = 0; index < turns; index++) await new Promise((resolve) => setTimeout(resolve, 0));
      registry[Symbol.dispose]();
      const seen = await outcome;
      assert(seen === "Closed" || seen === "loaded", seen);
      assertEquals(allocator.live.size, 0);
    }
    Deno.removeSync(directory, { recursive: true });
  },
);

nativeTest("loadBytes copies the bytes and needs no file", () => {
  using place = new Place();
  const bytes = answering(9);
  const module = place.registry.loadBytes("made", bytes);
  bytes.fill(0);
  assertEquals([value(module), module.path, place.registry.modules()], [9, "made", ["made"]]);
});

nativeTest("loadBytes with a name that is loaded gives that module, whatever the bytes are", () => {
  using place = new Place();
  const module = place.registry.loadBytes("made", answering(9));
  assertEquals(place.registry.loadBytes("made", answering(10)).codeMemory, module.codeMemory);
  assertEquals(place.registry.loadBytes("made", new Uint8Array(3)).codeMemory, module.codeMemory);
});

nativeTest("unload says whether something was there", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  assertEquals(place.registry.unload(path), false);
  place.registry.load(path);
  assertEquals(place.registry.unload(toFileUrl(path), { force: true }), true);
  assertEquals(place.registry.unload(path), false);
  assertEquals(place.registry.unload(`${place.directory}/never.smf`), false);
});

nativeTest("unload works when the file is gone, under every spelling", () => {
  using place = new Place();
  Deno.mkdirSync(`${place.directory}/sub`);
  const before = Deno.cwd();
  Deno.chdir(place.directory);
  try {
    const spellings: ((path: string) => string | URL)[] = [
      (path) => path,
      (path) => toFileUrl(path),
      () => "a.smf",
      () => "./a.smf",
      () => `${place.directory}/sub/../a.smf`,
    ];
    for (const asked of spellings) {
      for (const loaded of spellings) {
        using registry = new ModuleRegistry();
        const path = place.write("a.smf", answering(1));
        registry.load(loaded(path));
        Deno.removeSync(path);
        assertEquals(
          registry.unload(asked(path), { force: true }),
          true,
          `${loaded(path)}, then ${asked(path)}`,
        );
        assertEquals(registry.modules(), []);
      }
    }
  } finally {
    Deno.chdir(before);
  }
});

nativeTest("a loaded module whose file is gone is still there for load and loadAsync", async () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const module = place.registry.load(path);
  Deno.removeSync(path);
  assertEquals(place.registry.load(path).codeMemory, module.codeMemory);
  assertEquals((await place.registry.loadAsync(path)).codeMemory, module.codeMemory);
  place.registry.unload(path, { force: true });
  assertKind(() => place.registry.load(path), "Io");
  await assertKindLater(place.registry.loadAsync(path), "Io");
});

nativeTest("load after unload reads the file again, beside what old handles hold", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const old = place.registry.load(path);
  place.registry.unload(path);
  place.write("a.smf", answering(2));
  const fresh = place.registry.load(path);
  assertEquals([value(old), value(fresh)], [1, 2]);
});

nativeTest("the end of a version that was unloaded does not touch the one loaded after it", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const old = place.registry.load(path);
  place.registry.unload(path);
  const fresh = place.registry.load(path);
  old.close();
  assertEquals(place.registry.modules(), [path]);
  assertEquals(place.registry.load(path).codeMemory, fresh.codeMemory);
  assertEquals(place.registry.unload(path), true);
});

/** Calls an address as what {@linkcode answering} makes. */
function callAt(address: bigint | null): number {
  assert(address !== null);
  const pointer = Deno.UnsafePointer.create(address) as Deno.PointerObject<never>;
  return new Deno.UnsafeFnPointer(pointer, ANSWER).call();
}

/** `mov eax, value; ret` */
const answers = (value: number) => ({ hex: `b8 ${value.toString(16).padStart(2, "0")} 00 00 00 c3` });

nativeTest("resolveSymbol answers Global exports only, the first in load order", () => {
  using place = new Place();
  const { registry } = place;
  assertStrictEquals(registry.resolveSymbol("both"), null);
  const { address, size } = registry.loadBytes(
    "first",
    build({
      routines: {
        hidden: { ...answers(1), binding: Binding.Local },
        weak: { ...answers(2), binding: Binding.Weak },
        both: answers(3),
      },
      data: { datum: word(1n) },
    }),
  ).dataMemory;
  registry.loadBytes("second", build({ routines: { both: answers(4), hidden: answers(5) } }));
  assertEquals(callAt(registry.resolveSymbol("both")), 3);
  assertEquals(callAt(registry.resolveSymbol("hidden")), 5, "the first one's is Local");
  const datum = registry.resolveSymbol("datum");
  assert(datum !== null && datum >= address && datum < address + BigInt(size));
  for (const name of ["weak", "missing", "", "__proto__", "constructor"]) {
    assertStrictEquals(registry.resolveSymbol(name), null, name);
  }
  registry.unload("first", { force: true });
  assertEquals(callAt(registry.resolveSymbol("both")), 4);
  assertStrictEquals(registry.resolveSymbol("datum"), null);
  registry.unload("second", { force: true });
  assertStrictEquals(registry.resolveSymbol("both"), null);
});

nativeTest("resolveSymbol answers one address, which follows reloads", () => {
  using place = new Place();
  const { registry } = place;
  registry.loadBytes("m", answering(3));
  const address = registry.resolveSymbol("value");
  assertEquals(registry.resolveSymbol("value"), address);
  registry.reload("m", { bytes: answering(4) });
  assertEquals([registry.resolveSymbol("value"), callAt(address)], [address, 4]);
});

nativeTest("resolveSymbol never answers with an importer's own undefined symbol", () => {
  using place = new Place();
  const { registry } = place;
  registry.loadBytes("provider", answering(3));
  registry.loadBytes("importer", importing("value"));
  registry.loadBytes("later", answering(4));
  assertEquals(callAt(registry.resolveSymbol("value")), 3);
  registry.unload("provider");
  assertEquals(callAt(registry.resolveSymbol("value")), 4);
  registry.unload("later");
  assertStrictEquals(registry.resolveSymbol("value"), null);
});

nativeTest("a forgotten provider's name is not answered by its importer", () => {
  using place = new Place();
  const { registry } = place;
  const provider = registry.loadBytes("provider", answering(3));
  registry.loadBytes("importer", importing("value"));
  registry.unload("provider");
  assertStrictEquals(registry.resolveSymbol("value"), null);
  assertKind(() => registry.loadBytes("second", importing("value")), "UndefinedSymbol");
  assertEquals(value(provider), 3);
});

nativeTest("imports are answered in load order, before the resolver", () => {
  const asked: string[] = [];
  using registry = new ModuleRegistry({
    resolver: (name) => {
      asked.push(name);
      return null;
    },
  });
  registry.loadBytes("first", answering(1));
  registry.loadBytes("second", answering(2));
  const importer = registry.loadBytes("importer", importing("value"));
  assertEquals(value(importer, "ask"), 2, "1 from the first, plus 1");
  assertEquals(asked, []);
  const [record] = importer.imports();
  assertEquals([record.name, record.from], ["value", "module 'first'"]);
});

nativeTest("the resolver answers what no module exports, and its answer is used", async () => {
  {
    using other = new ModuleRegistry();
    const answer = other.loadBytes("other", answering(30));
    using lease = answer.addressOf("value")!;
    using registry = new ModuleRegistry({ resolver: (name) => name === "value" ? lease.address : undefined });
    const importer = registry.loadBytes("importer", importing("value"));
    assertEquals(value(importer, "ask"), 31);
    assertEquals(importer.imports(), [{ name: "value", address: lease.address, from: "resolver" }]);
  }
  await turn();
});

nativeTest("what the resolver throws reaches the caller, and nothing is left", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({
    allocator,
    resolver: () => {
      throw new RangeError("from the resolver");
    },
  });
  assertThrows(() => registry.loadBytes("importer", importing("value")), RangeError, "from the resolver");
  assertEquals([allocator.live.size, registry.modules().length], [0, 0]);
});

nativeTest("all imports that nobody answers are listed in one error", () => {
  using place = new Place();
  const bytes = build({
    routines: { f: { hex: "ff 25 00 00 00 00 ff 25 00 00 00 00", refersByGot: { 2: "one", 8: "two" } } },
  });
  const error = assertKind(() => place.registry.loadBytes("m", bytes), "UndefinedSymbol");
  assertEquals([error.data.symbols, error.data.path], [["one", "two"], "m"]);
  assertEquals([place.registry.modules(), place.allocator.live.size], [[], 0]);
});

nativeTest("an importer keeps its provider alive after unload, and lets it go at its own end", () => {
  using place = new Place();
  const { registry, allocator } = place;
  const { address } = registry.loadBytes("provider", answering(3)).codeMemory;
  const importer = registry.loadBytes("importer", importing("value"));
  registry.unload("provider", { force: true });
  assertEquals(isMapped(address), true);
  assertEquals(value(importer, "ask"), 4);
  importer.close();
  assertEquals(allocator.live.size, 0);
});

nativeTest(
  "an importer calls the newest version of what it imports, without a reload of its own",
  async () => {
    const allocator = new FailingAllocator();
    {
      using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
      const old = registry.loadBytes("provider", answering(3));
      const importer = registry.loadBytes("importer", importing("value"));
      const ask = importer.getFunction("ask", ANSWER)!;
      const fresh = registry.reload("provider", { bytes: answering(7) });
      assertEquals([ask(), value(old), value(fresh)], [8, 3, 7]);
      const { address } = old.codeMemory;
      await old.closeAsync();
      assertEquals([isMapped(address), ask()], [false, 8]);
    }
    await turn();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("a reload that lacks a function that others import is refused, and changes nothing", () => {
  using place = new Place();
  const { registry } = place;
  const provider = registry.loadBytes("provider", answering(3));
  const importer = registry.loadBytes("importer", importing("value"));
  const error = assertKind(
    () => registry.reload("provider", { bytes: answering(4, "other") }),
    "Incompatible",
  );
  assertEquals(error.data.symbols, ["value"]);
  assertEquals([value(importer, "ask"), value(provider), provider.isOpen], [4, 3, true]);
});

nativeTest("a function that nobody imports any more may go at a reload", () => {
  using place = new Place();
  const { registry } = place;
  registry.loadBytes("provider", answering(3));
  registry.loadBytes("importer", importing("value")).close();
  const fresh = registry.reload("provider", { bytes: answering(4, "other") });
  assertEquals(value(fresh, "other"), 4);
});

nativeTest("a function that only a failed load wanted may go at a reload", () => {
  using place = new Place();
  const { registry } = place;
  registry.loadBytes("provider", answering(3));
  const bytes = build({
    routines: {
      f: { hex: "ff 25 00 00 00 00 ff 25 00 00 00 00", refersByGot: { 2: "value", 8: "missing" } },
    },
  });
  assertKind(() => registry.loadBytes("importer", bytes), "UndefinedSymbol");
  const fresh = registry.reload("provider", { bytes: answering(4, "other") });
  assertEquals(value(fresh, "other"), 4);
});

nativeTest("a module never imports from itself or from its own older version", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  place.registry.load(path);
  place.write("a.smf", importing("value"));
  assertKind(() => place.registry.reload(path), "UndefinedSymbol");
});

nativeTest("reload picks up the changed file; old handles stay with the old version", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const old = place.registry.load(path);
  const kept = old.getFunction("value", ANSWER)!;
  place.write("a.smf", answering(2));
  const fresh = place.registry.reload(path);
  assertEquals([old.version, fresh.version], [1, 2]);
  assertEquals([kept(), value(old), value(fresh)], [1, 1, 2]);
  assertEquals(place.registry.load(path).codeMemory, fresh.codeMemory);
  assertEquals(place.registry.reload(toFileUrl(path)).version, 3);
  old.close();
  assertEquals(place.registry.modules(), [path]);
  assertEquals(value(fresh), 2);
});

nativeTest("reload of what is not loaded loads it", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  assertEquals([value(place.registry.reload(path)), place.registry.modules()], [1, [path]]);
});

nativeTest("a reload that fails leaves everything as it was", () => {
  using place = new Place();
  const path = place.write("a.smf", answering(1));
  const module = place.registry.load(path);
  const failures: [Uint8Array | null, LoadErrorKind][] = [
    [new Uint8Array(10), "InvalidFormat"],
    [answering(2).subarray(0, 120), "InvalidFormat"],
    [importing("nobody"), "UndefinedSymbol"],
    [build({ routines: ROUTINES, init: [0x10n] }), "InvalidFormat"],
    [null, "Io"],
  ];
  for (const [bytes, kind] of failures) {
    if (bytes === null) Deno.removeSync(path);
    else place.write("a.smf", bytes);
    assertKind(() => place.registry.reload(path), kind);
    assertEquals(place.registry.modules(), [path]);
    assertEquals([value(module), module.isOpen], [1, true]);
    assertEquals(place.registry.load(path).codeMemory, module.codeMemory);
    assertEquals(place.allocator.live.size, 1);
  }
  place.write("a.smf", answering(2));
  assertEquals([value(place.registry.reload(path)), value(module)], [2, 1]);
});

nativeTest("a load that fails leaves nothing, and the same path can be loaded later", () => {
  using place = new Place();
  const path = place.write("a.smf", new Uint8Array(500));
  assertKind(() => place.registry.load(path), "InvalidFormat");
  assertEquals([place.registry.modules(), place.allocator.live.size], [[], 0]);
  place.write("a.smf", answering(4));
  assertEquals(value(place.registry.load(path)), 4);
});

nativeTest("modules that are loaded in load order are listed in load order", () => {
  using place = new Place();
  for (const name of ["b", "a", "c"]) place.registry.loadBytes(name, answering(1));
  assertEquals(place.registry.modules(), ["b", "a", "c"]);
  place.registry.unload("a", { force: true });
  place.registry.loadBytes("a", answering(1));
  assertEquals(place.registry.modules(), ["b", "c", "a"]);
});

nativeTest("disposing ends every module, the last loaded first", () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const modules = [
    registry.loadBytes("provider", answering(1)),
    registry.loadBytes("importer", importing("value")),
    registry.loadBytes("plain", answering(2)),
  ];
  const addresses = modules.map((module) => module.codeMemory.address).reverse();
  const kept = modules[0].getFunction("value", ANSWER)!;
  registry[Symbol.dispose]();
  const freed = allocator.freed.map(({ address }) => address).filter((address) =>
    addresses.includes(address)
  );
  assertEquals([freed, allocator.live.size], [addresses, 0]);
  assertEquals(modules.map((module) => module.isOpen), [false, false, false]);
  assertKind(() => kept(), "Closed");
  for (const module of modules) module.close();
  registry[Symbol.dispose]();
});

nativeTest("disposing ends versions that were unloaded or replaced but are still held", () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const held = registry.loadBytes("m", answering(1));
  registry.unload("m");
  registry.loadBytes("m", answering(2));
  registry[Symbol.dispose]();
  assertEquals([held.isOpen, allocator.live.size], [false, 0]);
});

nativeTest("disposing with a nonblocking call in flight is Busy and changes nothing", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const other = registry.loadBytes("other", answering(5));
  const module = registry.loadBytes("m", sample());
  const flag = new Int32Array(1);
  const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
  const result = module.getFunction("wait", wait)!(flag);
  assertKind(() => registry[Symbol.dispose](), "Busy");
  assertEquals([value(other), registry.modules()], [5, ["other", "m"]]);
  Atomics.store(flag, 0, 3);
  assertEquals(await result, 3);
  registry[Symbol.dispose]();
  assertEquals(allocator.live.size, 0);
});

nativeTest("`await using` on a registry waits for nonblocking calls", async () => {
  const allocator = new FailingAllocator();
  const flag = new Int32Array(1);
  let result: Promise<number>;
  {
    await using registry = new ModuleRegistry({ allocator });
    registry.loadBytes("other", answering(5));
    const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
    result = registry.loadBytes("m", sample()).getFunction("wait", wait)!(flag);
    setTimeout(() => Atomics.store(flag, 0, 8), 5);
  }
  assertEquals(allocator.live.size, 0);
  assertEquals(await result, 8);
});

nativeTest(
  "`await using` on a registry waits for what was unloaded by force and is still running",
  async () => {
    const allocator = new FailingAllocator();
    const flag = new Int32Array(1);
    let result: Promise<number>;
    {
      await using registry = new ModuleRegistry({ allocator });
      const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
      result = registry.loadBytes("m", sample()).getFunction("wait", wait)!(flag);
      registry.unload("m", { force: true });
      assertEquals(allocator.live.size, 1);
      setTimeout(() => Atomics.store(flag, 0, 8), 5);
    }
    assertEquals(allocator.live.size, 0);
    assertEquals(await result, 8);
  },
);

nativeTest(
  "`await using` on a registry does not wait for leases; what they keep goes with them",
  async () => {
    const allocator = new FailingAllocator();
    const registry = new ModuleRegistry({ allocator });
    const provider = registry.loadBytes("provider", answering(5));
    const importer = registry.loadBytes("importer", importing("value", "ask"));
    registry.loadBytes("other", answering(1));
    const leases = [importer.addressOf("ask")!, importer.addressOf("ask")!];
    await registry[Symbol.asyncDispose]();
    assertEquals([provider.isOpen, importer.isOpen], [false, false]);
    assertEquals(allocator.live.size > 0, true, "the importer, and what it imports from");
    const raw = new Deno.UnsafeFnPointer(
      Deno.UnsafePointer.create(leases[0].address) as Deno.PointerObject<never>,
      ANSWER,
    );
    assertEquals(raw.call(), 6);
    leases[0][Symbol.dispose]();
    await registry[Symbol.asyncDispose]();
    leases[1][Symbol.dispose]();
    await turn();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("`await using` on a registry waits for calls also where leases are out", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const flag = new Int32Array(1);
  const module = registry.loadBytes("m", sample());
  using _lease = module.addressOf("wait")!;
  const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
  const result = module.getFunction("wait", wait)!(flag);
  let disposed = false;
  const disposing = registry[Symbol.asyncDispose]().then(() => disposed = true);
  await turn();
  await turn();
  assertEquals(disposed, false);
  Atomics.store(flag, 0, 8);
  assertEquals(await result, 8);
  await disposing;
  assertEquals(allocator.live.size, 1);
  _lease[Symbol.dispose]();
  await turn();
});

nativeTest("a disposed registry refuses everything with Closed", async () => {
  const registry = new ModuleRegistry();
  registry[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  assertKind(() => registry.load("a.smf"), "Closed");
  assertKind(() => registry.loadBytes("a", answering(1)), "Closed");
  assertKind(() => registry.unload("a"), "Closed");
  assertKind(() => registry.reload("a"), "Closed");
  assertKind(() => registry.resolveSymbol("a"), "Closed");
  await assertKindLater(registry.loadAsync("a.smf"), "Closed");
  assertEquals(registry.modules(), []);
});

nativeTest(
  "memory that is refused at disposal: the others end all the same, disposing again succeeds",
  () => {
    const allocator = new FailingAllocator();
    const registry = new ModuleRegistry({ allocator });
    for (const name of ["a", "b", "c"]) registry.loadBytes(name, answering(1));
    allocator.refuse = 1;
    assertKind(() => registry[Symbol.dispose](), "OutOfMemory");
    assertEquals(allocator.live.size, 1, "only the one that was refused is left");
    registry[Symbol.dispose]();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("memory that is refused at asynchronous disposal: disposing again succeeds", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  for (const name of ["a", "b", "c"]) registry.loadBytes(name, answering(1));
  allocator.refuse = 1;
  await assertKindLater(registry[Symbol.asyncDispose](), "OutOfMemory");
  assertEquals(allocator.live.size, 1);
  await registry[Symbol.asyncDispose]();
  assertEquals(allocator.live.size, 0);
});

nativeTest("two registries know nothing of each other", () => {
  using one = new Place();
  using two = new Place();
  const path = one.write("a.smf", answering(1));
  const first = one.registry.load(path);
  const second = two.registry.load(path);
  assertNotEquals(first.codeMemory.address, second.codeMemory.address);
  assertKind(() => two.registry.loadBytes("importer", importing("nobody")), "UndefinedSymbol");
  one.registry.unload(path, { force: true });
  assertEquals(value(second), 1);
});

nativeTest("callPath of the registry is what its modules use, a call may ask for another", () => {
  using registry = new ModuleRegistry({ callPath: "pointer" });
  const module = registry.loadBytes("m", answering(1));
  module.getFunction("value", ANSWER);
  assertEquals(module.callPaths(), [{ name: "value", path: "pointer" }]);
  module.getFunction("value", ANSWER, { callPath: "fast" });
  assertEquals(module.callPaths().map(({ path }) => path), ["pointer", "fast"]);
});

Deno.test("a URL that is no file: URL is refused as Io", async () => {
  using registry = new ModuleRegistry();
  assertKind(() => registry.load(new URL("https://example.com/a.smf")), "Io");
  await assertKindLater(registry.loadAsync(new URL("data:,x")), "Io");
});

Deno.test("making and disposing a registry opens nothing", () => {
  const registry = new ModuleRegistry();
  registry[Symbol.dispose]();
});

nativeTest("a file that is no regular file is refused as Io, without waiting for it", async () => {
  using place = new Place();
  assertKind(() => place.registry.load(place.directory), "Io");
  assertKind(() => place.registry.load("/dev/zero"), "Io");
  await assertKindLater(place.registry.loadAsync(place.directory), "Io");
  await turn();
});
