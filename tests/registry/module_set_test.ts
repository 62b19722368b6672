import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { toFileUrl } from "@std/path";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { Binding } from "../../src/smf/mod.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  isMapped,
  linkTest,
  nativeTest,
  turn,
  word,
} from "../support/modules.ts";
import { assertLoadErrorLater, RegistryDirectory, value } from "../support/registries.ts";
import { assertLoadError } from "../support/testing.ts";

linkTest("spellings, links and URLs of one file are one module", () => {
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
  const first = place.registry.load(place.write("a.smf", answering(1)));
  const second = place.registry.load(place.write("b.smf", answering(1)));
  assertNotEquals(first.codeMemory.address, second.codeMemory.address);
});

nativeTest("a hard link is a path, and so a module, of its own", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  Deno.linkSync(path, `${place.directory}/hard.smf`);
  const first = place.registry.load(path);
  assertNotEquals(place.registry.load(`${place.directory}/hard.smf`).codeMemory, first.codeMemory);
});

nativeTest("handles are counted: the first caller's close leaves the second's module", () => {
  using place = new RegistryDirectory();
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

nativeTest("loadBytes copies the bytes and needs no file", () => {
  using place = new RegistryDirectory();
  const bytes = answering(9);
  const module = place.registry.loadBytes("made", bytes);
  bytes.fill(0);
  assertEquals([value(module), module.path, place.registry.modules()], [9, "made", ["made"]]);
});

nativeTest("loadBytes with a name that is loaded gives that module, whatever the bytes are", () => {
  using place = new RegistryDirectory();
  const module = place.registry.loadBytes("made", answering(9));
  assertEquals(place.registry.loadBytes("made", answering(10)).codeMemory, module.codeMemory);
  assertEquals(place.registry.loadBytes("made", new Uint8Array(3)).codeMemory, module.codeMemory);
});

nativeTest("unload returns whether the module was loaded", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  assertEquals(place.registry.unload(path), false);
  place.registry.load(path);
  assertEquals(place.registry.unload(toFileUrl(path), { force: true }), true);
  assertEquals(place.registry.unload(path), false);
  assertEquals(place.registry.unload(`${place.directory}/never.smf`), false);
});

nativeTest("unload works when the file is gone, under every spelling", () => {
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  const module = place.registry.load(path);
  Deno.removeSync(path);
  assertEquals(place.registry.load(path).codeMemory, module.codeMemory);
  assertEquals((await place.registry.loadAsync(path)).codeMemory, module.codeMemory);
  place.registry.unload(path, { force: true });
  assertLoadError(() => place.registry.load(path), "Io");
  await assertLoadErrorLater(place.registry.loadAsync(path), "Io");
});

nativeTest("load after unload reads the file again, while old handles keep the old module", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  const old = place.registry.load(path);
  place.registry.unload(path);
  place.write("a.smf", answering(2));
  const fresh = place.registry.load(path);
  assertEquals([value(old), value(fresh)], [1, 2]);
});

nativeTest("the end of a version that was unloaded does not touch the one loaded after it", () => {
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
  const { registry } = place;
  registry.loadBytes("m", answering(3));
  const address = registry.resolveSymbol("value");
  assertEquals(registry.resolveSymbol("value"), address);
  registry.reload("m", { bytes: answering(4) });
  assertEquals([registry.resolveSymbol("value"), callAt(address)], [address, 4]);
});

nativeTest("resolveSymbol never answers with an importer's own undefined symbol", () => {
  using place = new RegistryDirectory();
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
  using place = new RegistryDirectory();
  const { registry } = place;
  const provider = registry.loadBytes("provider", answering(3));
  registry.loadBytes("importer", importing("value"));
  registry.unload("provider");
  assertStrictEquals(registry.resolveSymbol("value"), null);
  assertLoadError(() => registry.loadBytes("second", importing("value")), "UndefinedSymbol");
  assertEquals(value(provider), 3);
});

nativeTest("an importer keeps its provider alive after unload, and lets it go at its own end", () => {
  using place = new RegistryDirectory();
  const { registry, allocator } = place;
  const { address } = registry.loadBytes("provider", answering(3)).codeMemory;
  const importer = registry.loadBytes("importer", importing("value"));
  registry.unload("provider", { force: true });
  assertEquals(isMapped(address), true);
  assertEquals(value(importer, "ask"), 4);
  importer.close();
  assertEquals(allocator.live.size, 0);
});

nativeTest("a load that fails leaves nothing, and the same path can be loaded later", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", new Uint8Array(500));
  assertLoadError(() => place.registry.load(path), "InvalidFormat");
  assertEquals([place.registry.modules(), place.allocator.live.size], [[], 0]);
  place.write("a.smf", answering(4));
  assertEquals(value(place.registry.load(path)), 4);
});

nativeTest("modules that are loaded in load order are listed in load order", () => {
  using place = new RegistryDirectory();
  for (const name of ["b", "a", "c"]) place.registry.loadBytes(name, answering(1));
  assertEquals(place.registry.modules(), ["b", "a", "c"]);
  place.registry.unload("a", { force: true });
  place.registry.loadBytes("a", answering(1));
  assertEquals(place.registry.modules(), ["b", "c", "a"]);
});

nativeTest("two registries do not share modules or imports", () => {
  using one = new RegistryDirectory();
  using two = new RegistryDirectory();
  const path = one.write("a.smf", answering(1));
  const first = one.registry.load(path);
  const second = two.registry.load(path);
  assertNotEquals(first.codeMemory.address, second.codeMemory.address);
  assertLoadError(() => two.registry.loadBytes("importer", importing("nobody")), "UndefinedSymbol");
  one.registry.unload(path, { force: true });
  assertEquals(value(second), 1);
});

nativeTest("modules use the registry's callPath unless getFunction asks for another", () => {
  using registry = new ModuleRegistry({ callPath: "pointer" });
  const module = registry.loadBytes("m", answering(1));
  module.getFunction("value", ANSWER);
  assertEquals(module.callPaths(), [{ name: "value", path: "pointer" }]);
  module.getFunction("value", ANSWER, { callPath: "fast" });
  assertEquals(module.callPaths().map(({ path }) => path), ["pointer", "fast"]);
});

Deno.test("a URL that is not a file: URL is refused as Io", async () => {
  using registry = new ModuleRegistry();
  const remote = assertLoadError(() => registry.load(new URL("https://example.com/a.smf")), "Io");
  assertMatch(
    remote.hint,
    /as TypeScript \(smf embed MODULE -o FILE\.ts\), or fetch the bytes and load those/,
  );
  const other = await assertLoadErrorLater(registry.loadAsync(new URL("data:,x")), "Io");
  assertEquals(other.hint, "fetch the bytes first and load those (loadBytes)");
});

nativeTest("a file that is not a regular file is refused as Io, without waiting for it", async () => {
  using place = new RegistryDirectory();
  assertLoadError(() => place.registry.load(place.directory), "Io");
  assertLoadError(() => place.registry.load("/dev/zero"), "Io");
  await assertLoadErrorLater(place.registry.loadAsync(place.directory), "Io");
  await turn();
});

Deno.test("arguments of the wrong kind are a TypeError that says what was given", async () => {
  await using registry = new ModuleRegistry();
  const loader = new ModuleLoader();
  const path = "fixtures/mylib.smf";
  // deno-lint-ignore no-explicit-any
  const wrong = (value: unknown): any => value;
  for (
    const [work, message] of [
      [() => registry.load(wrong(undefined)), "the path is undefined, not a string or URL"],
      [() => loader.load(wrong(null)), "the path is null, not a string or URL"],
      [() => registry.load(wrong(5)), "the path is a number, not a string or URL"],
      [() => registry.unload(wrong({ path })), "the path is of type Object, not a string or URL"],
      [() => registry.loadAll([path, wrong(undefined)]), "the path is undefined, not a string or URL"],
      [() => registry.loadBytes("m", wrong("string")), "the bytes are a string, not a Uint8Array"],
      [() => registry.loadBytes(wrong(undefined), new Uint8Array()), "its name is undefined, not a string"],
      [() => loader.loadBytes(wrong([1, 2])), "the bytes are of type Array, not a Uint8Array"],
      [() => registry.load(path, { integrity: wrong(5) }), "option 'integrity' is 5, not a string"],
      [() => loader.load(path, undefined, { integrity: wrong(5) }), "option 'integrity' is 5, not a string"],
    ] as const
  ) {
    assertThrows(work, TypeError, message);
  }
  await assertRejects(() => registry.loadAsync(wrong(undefined)), TypeError, "the path is undefined");
  await assertRejects(() => loader.loadAsync(wrong(7)), TypeError, "the path is a number");
  assertEquals(registry.modules().length, 0);
});

Deno.test({
  name: "in a working directory that was deleted only absolute paths lead somewhere",
  ignore: Deno.build.os !== "linux", // Windows does not delete it
  async fn() {
    const before = Deno.cwd();
    using files = new RegistryDirectory();
    const path = Deno.realPathSync(files.write("m.smf", answering(1)));
    await using registry = new ModuleRegistry();
    const directory = Deno.makeTempDirSync();
    Deno.chdir(directory);
    Deno.removeSync(directory);
    try {
      for (const load of [() => registry.load("m.smf"), () => new ModuleLoader().load("m.smf")]) {
        const { message, hint } = assertLoadError(load, "Io", { path: "m.smf" });
        assert(message.includes("the working directory was deleted"), message);
        assert(hint.includes("absolute path"), hint);
      }
      await assertRejects(() => registry.loadAsync("m.smf"), LoadError, "the working directory was deleted");
      assertEquals(registry.unload("m.smf"), false);
      assertEquals(registry.load(path).version, 1);
      assertEquals(registry.reload(path).version, 2);
    } finally {
      Deno.chdir(before);
    }
  },
});
