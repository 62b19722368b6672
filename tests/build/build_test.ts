// Modules from sources: languages, the cache, errors.
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import {
  build,
  type BuildOptions,
  type BuiltModule,
  cc,
  CompileError,
  LinkCache,
  LoadError,
} from "../../src/build/mod.ts";
import { sourceKind } from "../../src/build/languages.ts";
import { ModuleRegistry } from "../../mod.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { SourceFolder } from "../support/source_folder.ts";
import { TemporaryDirectory } from "../support/testing.ts";

/** A folder of sources that are built together. */
class Sources extends SourceFolder {
  build(sources: string | string[], options: BuildOptions = {}): Promise<BuiltModule> {
    return build(sources, { folder: this.folder, ...options });
  }
}

/** The sources of a build whose objects came from the cache. */
function cachedSources({ runs }: BuiltModule): string[] {
  return runs.filter(({ cached }) => cached).map(({ source }) => source);
}

/** Loads a module and calls a function of it, by the types that it keeps. */
function call({ bytes }: BuiltModule, name: string, ...values: unknown[]): unknown {
  using registry = new ModuleRegistry();
  registry.loadBytes("built", bytes);
  return registry.open("built").symbols[name](...values);
}

Deno.test("the kind of a source is that of its name", () => {
  for (
    const [path, kind] of [
      ["a.c", "c"],
      ["x/a.C", "c++"],
      ["a.cpp", "c++"],
      ["a.b.rs", "rust"],
      ["a.zig", "zig"],
      ["a.S", "c"],
      ["x/Cargo.toml", "cargo"],
      ["liba.a", "object"],
    ]
  ) assertEquals(sourceKind(path), kind);
  for (const path of ["a", "a.txt", "constructor", "a.constructor", "x.c/y"]) {
    try {
      sourceKind(path);
      assert(false, path);
    } catch (error) {
      assert(error instanceof LoadError, `${error}`);
      assertEquals([error.kind, error.data.path], ["Unsupported", path]);
    }
  }
});

Deno.test("an object needs no compiler, and a source that is missing is Io", async () => {
  using cache = new TemporaryDirectory();
  const options = { cache: cache.path };
  const { bytes, runs, dependencies } = await build("fixtures/c/arith.o", options);
  assertEquals(bytes.subarray(0, 3), new TextEncoder().encode("SMF"));
  assertEquals(runs.map(({ source, command }) => [source, command]), [["fixtures/c/arith.o", []]]);
  assertEquals(dependencies, ["fixtures/c/arith.o"]);
  const error = await assertRejects(() => build(["fixtures/c/arith.o", "gone.c"], options), LoadError);
  assertEquals([error.kind, error.data.path], ["Io", "gone.c"]);
});

Deno.test("wrong options and sources are TypeErrors", async () => {
  await assertRejects(() => build("a.c", { flag: [] } as BuildOptions), TypeError, "did you mean 'flags'");
  await assertRejects(() => build([]), TypeError, "with at least one");
  await assertRejects(() => build([5 as unknown as string]), TypeError, "neither a path nor a URL");
});

Deno.test("a compiler that is not there is named, with what named it and a next step", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.c", new Uint8Array());
  const options = { folder: folder.path, compiler: "no-such-compiler -m64" };
  const error = await assertRejects(() => build("a.c", options), LoadError);
  assertEquals(error.kind, "Unsupported");
  assertMatch(error.message, /no 'no-such-compiler -m64', named by the option `compiler`/);
  assertMatch(error.hint, /^install no-such-compiler, or install gcc, .* CC;/);
});

testWithCompilers(
  ["gcc", "g++"],
  "C and C++ are compiled with what modules need, and linked together",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write("a.c", "int twice(int x) { return 2 * x; }");
    sources.write(
      "b.cpp",
      `#include <string>
    extern "C" int twice(int x);
    extern "C" int length(int x) { try { throw std::string("abc"); } catch (std::string &s) { return twice(s.size() + x); } }`,
    );
    const built = await sources.build(["a.c", "b.cpp"], { flags: ["-O1"] });
    assertEquals(call(built, "length", 4), 14);
    for (const { command } of built.runs) {
      for (const flag of ["-fPIC", "-g", "-fdata-sections", "-O1"]) assert(command.includes(flag), flag);
    }
    assertEquals(built.map.imports.some(({ name }) => name === "twice"), false);
  },
);

testWithCompilers(["gcc"], "only what has changed is compiled: source, header, flags", async (folder) => {
  const sources = new Sources(folder);
  sources.write("include/by.h", "#define BY 1\n");
  sources.write("a.c", `#include "by.h"\nint a(void) { return BY; }`);
  sources.write("b.c", "int b(void) { return 5; }");
  const again = (options: BuildOptions = {}) =>
    sources.build(["a.c", "b.c"], { compiler: "gcc", flags: ["-Iinclude"], ...options });
  const first = await again();
  assertEquals(cachedSources(first), []);
  assertEquals(first.dependencies.toSorted(), ["a.c", "b.c", "include/by.h"]);
  const second = await again();
  assertEquals(cachedSources(second), ["a.c", "b.c"]);
  assertEquals(second.bytes, first.bytes);

  sources.write("include/by.h", "#define BY 2\n");
  const third = await again();
  assertEquals(cachedSources(third), ["b.c"]);
  assertEquals(call(third, "a"), 2);
  sources.write("b.c", "int b(void) { return 6; }");
  assertEquals(cachedSources(await again()), ["a.c"]);
  assertEquals(cachedSources(await again({ flags: ["-Iinclude", "-DX"] })), []);

  // Going back needs no compiler.
  sources.write("include/by.h", "#define BY 1\n");
  const back = await again();
  assertEquals(cachedSources(back), ["a.c", "b.c"]);
  assertEquals(call(back, "a"), 1);
});

testWithCompilers(["gcc"], "a damaged cache costs a compilation, nothing else", async (folder) => {
  const sources = new Sources(folder);
  sources.write("a.c", "int a(void) { return 7; }");
  await sources.build("a.c");
  for (const { name } of Deno.readDirSync(`${folder}/.smf`)) {
    if (name.endsWith(".json")) Deno.writeTextFileSync(`${folder}/.smf/${name}`, "{");
  }
  const built = await sources.build("a.c");
  assertEquals([cachedSources(built), call(built, "a")], [[], 7]);
  for (const { name } of Deno.readDirSync(`${folder}/.smf`)) {
    if (name.endsWith(".o")) Deno.removeSync(`${folder}/.smf/${name}`);
  }
  assertEquals(cachedSources(await sources.build("a.c")), []);
});

testWithCompilers(
  ["gcc"],
  "the cache keeps the last eight states of a source, and no other files",
  async (folder) => {
    const sources = new Sources(folder);
    for (let state = 0; state < 12; state++) {
      sources.write("a.c", `int a(void) { return ${state}; }`);
      await sources.build("a.c");
    }
    const names = [...Deno.readDirSync(`${folder}/.smf`)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.endsWith(".o")).length, 8);
    assertEquals(names.length, 10, names.join());
    assertEquals(Deno.readTextFileSync(`${folder}/.smf/.gitignore`), "*\n");
  },
);

testWithCompilers(
  ["gcc"],
  "all sources that do not compile are one error, with the compiler's own text",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write("a.c", "int a(void) { return }");
    sources.write("b.c", "int b(void) { return 1; }");
    sources.write("c.c", `#include "gone.h"`);
    const options = { compiler: ["gcc"] };
    const error = await assertRejects(() => sources.build(["a.c", "b.c", "c.c"], options), CompileError);
    assertEquals(error.failures.map(({ path, code }) => [path, code]), [["a.c", 1], ["c.c", 1]]);
    const { stderr } = new Deno.Command("gcc", { args: ["-c", "a.c"], cwd: folder }).outputSync();
    assertEquals(error.failures[0].output, new TextDecoder().decode(stderr));
    assertStringIncludes(error.message, "a.c:1:");
    assertStringIncludes(error.message, "gone.h");
    // The source that compiled is not compiled again.
    sources.write("a.c", "int a(void) { return 1; }");
    sources.write("c.c", "");
    assertEquals(cachedSources(await sources.build(["a.c", "b.c", "c.c"], options)), ["b.c"]);
  },
);

testWithCompilers(
  ["gcc"],
  "warnings are given by every build, also by one that compiles nothing",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write("a.c", "int a(void) { int unused; return 1; }");
    for (const cached of [false, true]) {
      const { runs: [run] } = await sources.build("a.c", { flags: ["-Wall"] });
      assertEquals(run.cached, cached);
      assertStringIncludes(run.output, "unused variable");
    }
  },
);

testWithCompilers(["gcc"], "a signal ends the compilers", async (folder) => {
  const sources = new Sources(folder);
  sources.write("a.c", "int a(void) { return 1; }");
  const reason = new Error("enough");
  const error = await assertRejects(() => sources.build("a.c", { signal: AbortSignal.abort(reason) }));
  assertEquals(error, reason);
});

testWithCompilers(
  ["rustc"],
  "Rust exports its own C functions, keeps their types, and uses its standard library",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write(
      "part.rs",
      "pub fn words(text: &str) -> usize { text.split(' ').collect::<Vec<_>>().len() }",
    );
    sources.write(
      "r.rs",
      `mod part;
    #[no_mangle] pub extern "C" fn words(by: i32) -> i32 { part::words(&format!("a b {by}")) as i32 + by }`,
    );
    const built = await sources.build("r.rs");
    assertEquals(built.map.exports.map(({ name }) => name), ["words"]);
    assertEquals(call(built, "words", 4), 7);
    assertEquals(built.dependencies.toSorted(), ["part.rs", "r.rs"]);
    assertEquals(cachedSources(await sources.build("r.rs")), ["r.rs"]);
    sources.write("part.rs", "pub fn words(_: &str) -> usize { 10 }");
    const next = await sources.build("r.rs");
    assertEquals([cachedSources(next), call(next, "words", 4)], [[], 14]);
  },
);

testWithCompilers(
  ["cargo", "rustc"],
  "a crate is built by Cargo, which knows what has changed",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write(
      "crate/Cargo.toml",
      `[package]\nname = "my-crate"\nversion = "0.1.0"\nedition = "2021"\n
    [dependencies]\nhelper = { path = "../helper" }\n`,
    );
    sources.write(
      "crate/src/lib.rs",
      `#[no_mangle] pub extern "C" fn answer() -> i32 { helper::half() * 2 }`,
    );
    sources.write("helper/Cargo.toml", `[package]\nname = "helper"\nversion = "0.1.0"\nedition = "2021"\n`);
    sources.write("helper/src/lib.rs", `pub fn half() -> i32 { 21 }`);
    const flags = ["--offline"];
    const built = await sources.build("crate/Cargo.toml", { flags });
    assertEquals(call(built, "answer"), 42);
    assertEquals(cachedSources(built), []);
    assertEquals(cachedSources(await sources.build("crate/Cargo.toml", { flags })), ["crate/Cargo.toml"]);
    assert(built.dependencies.some((path) => path.endsWith("helper/src/lib.rs")), built.dependencies.join());
    sources.write("helper/src/lib.rs", `pub fn half() -> i32 { 22 }`);
    const next = await sources.build("crate/Cargo.toml", { flags });
    assertEquals([cachedSources(next), call(next, "answer")], [[], 44]);
    sources.write("crate/src/lib.rs", `#[no_mangle] pub extern "C" fn answer() -> i32 { "x" }`);
    const error = await assertRejects(() => sources.build("crate/Cargo.toml", { flags }), CompileError);
    assertStringIncludes(error.output, "mismatched types");
  },
);

testWithCompilers(["zig"], "Zig is compiled for every processor, and follows its imports", async (folder) => {
  const sources = new Sources(folder);
  sources.write(
    "z.zig",
    `const part = @import("part.zig"); export fn add(a: i32) i32 { return a + part.by; }`,
  );
  sources.write("part.zig", "pub const by: i32 = 3;");
  const built = await sources.build("z.zig");
  assertEquals(call(built, "add", 4), 7);
  assert(built.runs[0].command.includes("-mcpu=baseline"));
  assertEquals(cachedSources(await sources.build("z.zig")), ["z.zig"]);
  sources.write("part.zig", "pub const by: i32 = 4;");
  const next = await sources.build("z.zig");
  assertEquals([cachedSources(next), call(next, "add", 4)], [[], 8]);
  sources.write("z.zig", "export fn add() i32 { return x; }");
  const error = await assertRejects(() => sources.build("z.zig"), CompileError);
  assertStringIncludes(error.output, "undeclared identifier");
});

testWithCompilers(
  ["zig"],
  "zig cc is a C compiler, without its checks and for every processor",
  async (folder) => {
    const sources = new Sources(folder);
    sources.write("a.c", "int add(int a, int b) { return a + b; }");
    const built = await sources.build("a.c", { compiler: "zig cc" });
    assertEquals(call(built, "add", 2, 3), 5);
    assertEquals(built.runs[0].command.slice(0, 2), ["zig", "cc"]);
    assertEquals(built.map.imports, []);
  },
);

testWithCompilers(["gcc"], "several sources are compiled at once, as many as jobs says", async (folder) => {
  // A compiler that waits until two of it have started.
  const script = `#!/bin/sh
[ "$1" = --version ] && exec gcc --version
touch "started.$$"
for i in $(seq 100); do [ $(ls started.* | wc -l) -ge 2 ] && exec gcc "$@"; sleep 0.02; done
echo alone >&2; exit 1
`;
  const sources = new Sources(folder);
  sources.write("waiting", script);
  Deno.chmodSync(`${folder}/waiting`, 0o755);
  for (const name of ["a", "b"]) sources.write(`${name}.c`, `int ${name}(void) { return 1; }`);
  const options = { compiler: `${folder}/waiting` };
  const alone = await assertRejects(() => sources.build("a.c", options), CompileError);
  assertStringIncludes(alone.output, "alone");
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith("started.")) Deno.removeSync(`${folder}/${name}`);
  }
  const one = await assertRejects(() => sources.build(["a.c", "b.c"], { ...options, jobs: 1 }), CompileError);
  assertEquals(one.failures.map(({ path }) => path), ["a.c"]);
  Deno.removeSync(`${folder}/.smf`, { recursive: true });
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith("started.")) Deno.removeSync(`${folder}/${name}`);
  }
  assertEquals((await sources.build(["a.c", "b.c"], { ...options, jobs: 2 })).runs.length, 2);
});

testWithCompilers(
  ["gcc"],
  "builds with a link cache make the same modules and keep their objects",
  async (folder) => {
    const sources = new Sources(folder);
    const linkCache = new LinkCache();
    for (const version of [1, 2, 1]) {
      sources.write("a.c", `static int calls; int f(void) { return calls++ + ${version}; }`);
      sources.write("b.c", "struct point { int x, y; } origin; int g(struct point *to) { return to->x; }");
      const { bytes } = await sources.build(["a.c", "b.c"], { linkCache });
      assertEquals(bytes, (await sources.build(["a.c", "b.c"])).bytes);
      assert(linkCache.size > 0);
    }
  },
);

testWithCompilers(["gcc"], "rebuilds of a library go through a link cache", async (folder) => {
  const sources = new Sources(folder), linkCache = new LinkCache();
  sources.write("a.c", "int f(void) { return 1; }");
  using library = await cc("a.c", { folder, linkCache });
  const { size } = linkCache;
  assert(size > 0);
  sources.write("a.c", "int f(void) { return 2; }");
  await library.rebuild();
  assertEquals(library.symbols.f(), 2);
  assert(linkCache.size > size);
});
