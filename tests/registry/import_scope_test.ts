import { assertEquals, assertThrows } from "@std/assert";
import { type LoadedModule, ModuleRegistry, type ModuleRegistryOptions } from "../../mod.ts";
import { compileModule } from "../support/compiled_module.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { answering, build, importing, nativeTest, turn } from "../support/modules.ts";
import { RegistryDirectory, value } from "../support/registries.ts";
import {
  assertLoadError,
  NO_PROC,
  readWord,
  TemporaryDirectory,
  WatchedAllocator,
} from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

Deno.test("names are answered by values, then modules in load order, then libraries, then the resolver", () => {
  const asked: string[] = [];
  using registry = new ModuleRegistry({
    imports: { a: 0x10n },
    libraries: NO_PROC ? [] : ["libc.so.6"],
    resolver: (name) => (asked.push(name), name === "nobody" ? null : 0x40n),
  });
  registry.loadBytes("first", version({ functions: { a: 1, b: 1 } }));
  registry.loadBytes("second", version({ functions: { b: 2, strlen: 2 } }));
  const module = registry.loadBytes(
    "m",
    version({ functions: { w: "a", x: "b", y: "strlen", z: NO_PROC ? "d" : "strnlen" }, data: { p: ["d"] } }),
  );
  assertEquals(module.imports().map(({ name, from }) => [name, from]), [
    ["a", "given"],
    ["b", "module 'first'"],
    ["strlen", "module 'second'"],
    ...NO_PROC ? [] : [["strnlen", "library 'libc.so.6'"]],
    ["d", "resolver"],
  ]);
  assertEquals(asked, ["d"]);
});

Deno.test("a module never imports from itself, nor from an older version of itself", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", version({ functions: { helper: 1 } }));
  assertLoadError(
    () => registry.reload("m", { bytes: version({ functions: { run: "helper" } }) }),
    "UndefinedSymbol",
  );
});

Deno.test("a weak name that nobody answers is 0, from nobody; one that is answered is used", () => {
  using registry = new ModuleRegistry();
  const bytes = version({ functions: { f: 0 }, data: { p: ["maybe"] }, weak: ["maybe"] });
  const module = registry.loadBytes("m", bytes);
  assertEquals(module.imports(), [{ name: "maybe", address: 0n, from: "nobody" }]);
  const { symbols } = module.bind({ p: { type: "u64" } });
  assertEquals(symbols.p, 0n);
  registry.loadBytes("provider", version({ functions: { maybe: 1 } }));
  const later = registry.loadBytes("later", bytes);
  assertEquals(later.imports()[0].from, "module 'provider'");
  assertEquals(later.bind({ p: { type: "u64" } }).symbols.p, registry.resolveSymbol("maybe"));
});

Deno.test("modules that import from each other load together, work, and end together, finalisers once", async () => {
  using directory = new TemporaryDirectory();
  const allocator = new WatchedAllocator();
  const log: string[] = [];
  const note = (what: string) => ({
    parameters: [] as const,
    result: "i32" as const,
    callback: () => log.push(what),
  });
  const registry = new ModuleRegistry({
    allocator,
    imports: { startA: note("start a"), startB: note("start b"), endA: note("end a"), endB: note("end b") },
  });
  const module = (own: string, other: string, answer: number) =>
    version({
      functions: {
        [`ask${own}`]: `answer${other}`,
        [`answer${own}`]: answer,
        up: `start${own}`,
        down: `end${own}`,
      },
      init: ["up"],
      fini: ["down"],
    });
  const paths = [directory.file("a.smf", module("A", "B", 1)), directory.file("b.smf", module("B", "A", 2))];
  const [a, b] = registry.loadAll(paths);
  assertEquals(log.splice(0), ["start a", "start b"]);
  assertEquals([a.getFunction("askA", INT)!(), b.getFunction("askB", INT)!()], [2, 1]);
  assertEquals([a.holders(), b.holders()], [[`module '${paths[1]}'`], [`module '${paths[0]}'`]]);

  // Either follows the other's reload.
  Deno.writeFileSync(paths[1], module("B", "A", 22));
  registry.reload(paths[1]);
  assertEquals(a.getFunction("askA", INT)!(), 22);
  using lease = a.addressOf("askA")!;
  assertEquals(lease.address > 0n, true);
  lease[Symbol.dispose]();
  log.splice(0);

  await registry[Symbol.asyncDispose]();
  assertEquals(allocator.live.size, 0);
  assertEquals(log.toSorted(), ["end a", "end b", "end b"], "of both versions of b");
});

Deno.test("a circle of modules ends when it is unloaded", () => {
  using directory = new TemporaryDirectory();
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  const paths = ["A", "B", "C"].map((own, index) =>
    directory.file(`${own}.smf`, version({ functions: { [own]: index, [`next${own}`]: "BCA"[index] } }))
  );
  const handles = registry.loadAll(paths);
  assertEquals(handles[2].getFunction("nextC", INT)!(), 0);
  for (const path of paths) registry.unload(path, { force: true });
  assertEquals(allocator.live.size, 0);
});

/** Modules that import from each other, each answering with the next one's number. */
function circleOf(count: number, registry: ModuleRegistry, directory: TemporaryDirectory): LoadedModule[] {
  return registry.loadAll(Array.from({ length: count }, (_, index) =>
    directory.file(
      `${index}.smf`,
      version({ functions: { [`f${index}`]: index, [`next${index}`]: `f${(index + 1) % count}` } }),
    )));
}

for (const count of [2, 3]) {
  Deno.test(`the members of a circle of ${count} can be closed one after the other; the last one ends all`, async () => {
    using directory = new TemporaryDirectory();
    const allocator = new WatchedAllocator();
    using registry = new ModuleRegistry({ allocator });
    const circle = circleOf(count, registry, directory);
    const last = circle.at(-1)!;
    const next = last.getFunction(`next${count - 1}`, INT)!;
    for (const module of circle.slice(0, -1)) {
      assertLoadError(() => module.close(), "Busy");
      await module.closeAsync();
      assertEquals([module.isOpen, next()], [false, 0], "what is left calls it still");
    }
    const before = allocator.live.size;
    await circle[0].closeAsync();
    assertEquals(allocator.live.size, before);
    last.close();
    assertEquals(allocator.live.size, 0);
    await circle[0].closeAsync();
  });
}

Deno.test("a member of a circle waits for importers that are not members", async () => {
  using directory = new TemporaryDirectory();
  using registry = new ModuleRegistry();
  const [a, b] = circleOf(2, registry, directory);
  const outside = registry.loadBytes("outside", version({ functions: { ask: "f0" } }));
  let closed = 0;
  const closing = [a, b].map((module) => module.closeAsync().then(() => closed++));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([closed, outside.getFunction("ask", INT)!()], [0, 0]);
  outside.close();
  await Promise.all(closing);
  registry.unload("outside");
});

Deno.test("if one of a group cannot be loaded none is", () => {
  using directory = new TemporaryDirectory();
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  const good = directory.file("good.smf", version({ functions: { a: "b" } }));
  for (
    const bytes of [
      new Uint8Array(3),
      version({ functions: { b: "a", other: "nobody" } }),
      version({ functions: { b: 1 }, data: { word: [0n] }, init: ["word"] }),
    ]
  ) {
    const bad = directory.file("bad.smf", bytes);
    assertThrows(() => registry.loadAll([good, bad]));
    assertEquals(registry.modules(), []);
    assertEquals(allocator.live.size, 0);
  }
});

Deno.test("members of a group answer each other before modules that are loaded already", () => {
  using directory = new TemporaryDirectory();
  using registry = new ModuleRegistry();
  registry.loadBytes("older", version({ functions: { answer: 1 } }));
  const [ask] = registry.loadAll([
    directory.file("ask.smf", version({ functions: { ask: "answer" }, data: { p: ["answer"] } })),
    directory.file("new.smf", version({ functions: { answer: 2 } })),
  ]);
  assertEquals(ask.getFunction("ask", INT)!(), 2);
  assertEquals(ask.bind({ p: { type: "u64" } }).symbols.p, ask.imports()[0].address);
  assertEquals(readWord(ask.dataMemory.address), ask.imports()[0].address);
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

nativeTest("the resolver answers for names that no module exports, and its answer is used", async () => {
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

nativeTest("an error of the resolver reaches the caller, and nothing is left", () => {
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
  using place = new RegistryDirectory();
  const bytes = build({
    routines: { f: { hex: "ff 25 00 00 00 00 ff 25 00 00 00 00", refersByGot: { 2: "one", 8: "two" } } },
  });
  const error = assertLoadError(() => place.registry.loadBytes("m", bytes), "UndefinedSymbol");
  assertEquals([error.data.symbols, error.data.path], [["one", "two"], "m"]);
  assertEquals([place.registry.modules(), place.allocator.live.size], [[], 0]);
});

Deno.test("many undefined names: the first eight are listed with suggestions, data has all", () => {
  using registry = new ModuleRegistry({ imports: { compute_1: 16n } });
  const names = Array.from({ length: 400 }, (_, index) => `compote_${index}`);
  const functions = Object.fromEntries(names.map((name, index) => [`f${index}`, name]));
  const error = assertLoadError(() => registry.loadBytes("m", version({ functions })), "UndefinedSymbol");
  assertEquals(error.data.symbols?.toSorted(), names.toSorted());
  assertEquals(error.message.split("did you mean").length, 9);
  assertEquals(error.message.includes("and 392 more"), true, error.message);
});

const PROGRAM = `
  #include <math.h>
  #include <stdio.h>
  #include <stdlib.h>
  double (*volatile root)(double) = cbrt;
  int run(void) {
    char *text = malloc(32);
    int length = snprintf(text, 32, "%.1f", root(27.0));
    free(text);
    return length;
  }
`;

testWithCompilers(
  ["gcc"],
  "the C library and the libraries that a module names are there by default",
  async (folder) => {
    const link = { reloadable: true, needed: ["libm.so.6"] };
    const path = await compileModule(folder, "program", PROGRAM, { link });
    const [run, names] = ["run", ["malloc", "snprintf", "free", "cbrt"].toSorted()];
    const call = (options: ModuleRegistryOptions): unknown => {
      using registry = new ModuleRegistry(options);
      using module = registry.load(path);
      return module.getFunction(run, { parameters: [], result: "i32" })!();
    };
    assertEquals(call({}), 3);
    assertEquals(call({ libraries: ["libdl.so.2"] }), 3);
    assertEquals(call({ allowLibraries: ["libm.*", "libc.so.6"] }), 3);
    const undefinedNames = (options: ModuleRegistryOptions): unknown =>
      [...assertLoadError(() => call(options), "UndefinedSymbol").data.symbols!].toSorted();
    assertEquals(undefinedNames({ libraries: [] }), names);
    // libm.so.6 was linked with the C library, so dlsym finds that one's names there, too.
    const refused = assertLoadError(() => call({ allowLibraries: ["libc.so.6"] }), "ForbiddenImport");
    assertEquals(refused.data.symbols, ["libm.so.6"]);
    assertLoadError(() => call({ allowImports: ["cbrt", "free"] }), "ForbiddenImport");

    // In a group, too.
    using registry = new ModuleRegistry();
    const [module] = registry.loadAll([path]);
    assertEquals(module.getFunction(run, { parameters: [], result: "i32" })!(), 3);
  },
);

testWithCompilers(["gcc"], "every other source comes before the default libraries", async (folder) => {
  const path = await compileModule(
    folder,
    "asks",
    "int getpid(void); int run(void) { return getpid() + 1; }",
  );
  const answer = new Deno.UnsafeCallback({ parameters: [], result: "i32" }, () => 41);
  const resolver = (name: string) => name === "getpid" ? Deno.UnsafePointer.value(answer.pointer) : null;
  for (const [options, expected] of [[{ resolver }, 42], [{}, Deno.pid + 1]] as const) {
    using registry = new ModuleRegistry(options);
    assertEquals(registry.load(path).getFunction("run", { parameters: [], result: "i32" })!(), expected);
  }
  answer.close();
  // Without its name in the list, the C library is not used by default.
  using registry = new ModuleRegistry({ allowLibraries: [] });
  assertLoadError(() => registry.load(path), "UndefinedSymbol", { symbols: ["getpid"] });
});
