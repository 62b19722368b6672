// Thread-local variables that one module exports and others use.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type LoadedModule, LoadError, ModuleRegistry } from "../../../mod.ts";
import { compileModule } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { assertLoadError } from "../../support/testing.ts";

const LIBC = { libraries: ["libc.so.6"] };

/** Calls `int32_t name(void)`. */
const call = (module: LoadedModule, name: string) =>
  module.getFunction(name, { parameters: [], result: "i32" })!();

/** Two variables, of which only importers may use the second. */
const provider = (first = 7) => `
  __thread long before = 1;
  __thread int tv = ${first};
  __thread char zero[100];
  int bump(void) { return ++tv; }`;

const IMPORTER = `
  #include <pthread.h>
  extern __thread int tv;
  extern __thread char zero[100];
  int test(void) { return tv; }
  int add(void) { zero[99]++; return tv += 10; }
  static void *ask(void *unused) { return (void *)(long)(tv * 1000 + zero[99]); }
  int in_thread(void) {
    pthread_t thread; void *answer;
    return pthread_create(&thread, 0, ask, 0) || pthread_join(thread, &answer) ? -1 : (int)(long)answer;
  }`;

for (
  const [name, flags] of [
    ["general dynamic", ["-O2", "-fPIC"]],
    ["descriptors", ["-O2", "-fPIC", "-mtls-dialect=gnu2"]],
    ["initial exec", ["-O2", "-fPIC", "-ftls-model=initial-exec"]],
    ["programs' code", ["-O2", "-fPIE"]],
  ] as const
) {
  testWithCompilers(["gcc"], `modules share variables of each thread: ${name}`, async (folder) => {
    const a = await compileModule(folder, "a", provider(), { flags });
    const b = await compileModule(folder, "b", IMPORTER, { flags });
    using registry = new ModuleRegistry(LIBC);
    const [first, second] = [registry.load(a), registry.load(b)];
    assertEquals([call(second, "test"), call(first, "bump"), call(second, "test")], [7, 8, 8]);
    assertEquals([call(second, "add"), call(first, "bump")], [18, 19]);
    assertEquals([call(second, "in_thread"), call(second, "test")], [7000, 19]);
    assertEquals(
      second.imports().filter(({ name }) => name === "tv"),
      [{ name: "tv", address: 0n, from: `module '${a}'` }],
    );
    const other = first.getFunction("bump", { parameters: [], result: "i32", nonblocking: true })!;
    assertEquals([await other(), call(first, "bump")], [8, 20]);
  });
}

testWithCompilers(
  ["gcc"],
  "modules that are loaded together may use each other's variables",
  async (folder) => {
    const source = (own: string, other: string, value: number) => `
    static int number = ${value};
    __thread int *${own} = &number;
    extern __thread int *${other};
    int test(void) { return *${other} * 10 + *${own}; }
    int seen;
    __attribute__((constructor)) static void start(void) { seen = test(); }`;
    const paths = [
      await compileModule(folder, "x", source("x", "y", 1)),
      await compileModule(folder, "y", source("y", "x", 2), {
        flags: ["-O2", "-fPIC", "-mtls-dialect=gnu2"],
      }),
    ];
    for (const order of [paths, paths.toReversed()]) {
      using registry = new ModuleRegistry(LIBC);
      registry.loadAll(order);
      const [x, y] = paths.map((path) => registry.load(path));
      assertEquals([call(x, "test"), call(y, "test")], [21, 12]);
      assertEquals(x.bind({ seen: { type: "i32" } }).symbols.seen, 21);
      registry.reloadAll(order);
      assertEquals(paths.map((path) => call(registry.load(path), "test")), [21, 12]);
    }
  },
);

testWithCompilers(["gcc"], "an importer keeps its provider loaded until it ends", async (folder) => {
  const a = await compileModule(folder, "a", provider());
  const b = await compileModule(folder, "b", IMPORTER);
  await using registry = new ModuleRegistry(LIBC);
  const first = registry.load(a), second = registry.load(b);
  registry.unload(a, { force: true });
  assertEquals([call(second, "test"), call(second, "in_thread")], [7, 7000]);
  assertEquals(first.holders(), [`module '${b}'`]);
  second.close();
  assertEquals(registry.modules(), []);
});

testWithCompilers(
  ["gcc"],
  "a reload does not leave an importer with the variables of the old version, unless that is allowed",
  async (folder) => {
    const a = await compileModule(folder, "a", provider());
    const b = await compileModule(folder, "b", IMPORTER);
    const replace = (first: number) => compileModule(folder, "a", provider(first));
    using registry = new ModuleRegistry({ ...LIBC, keepVersions: 1 });
    registry.load(a);
    registry.load(b);
    const now = (path: string, name: string) => call(registry.load(path), name);
    await replace(20);
    const error = assertLoadError(() => registry.reload(a), "Incompatible", { symbols: ["tv", "zero"] });
    assertStringIncludes(
      error.message,
      `module '${b}' would go on with the thread-local variables 'tv', 'zero' of the old version`,
    );
    assertStringIncludes(error.hint, "reloadAll");
    assertEquals(now(a, "bump"), 8);
    // Together all get the new variables, again and again: kept versions do not count.
    registry.reloadAll([a, b]);
    assertEquals([now(b, "test"), now(a, "bump"), now(b, "test")], [20, 21, 21]);
    registry.reload(b);
    await replace(30);
    registry.reloadAll([b, a]);
    assertEquals([now(b, "test"), now(a, "bump"), now(b, "test")], [30, 31, 31]);
    assertLoadError(() => registry.rollback(a), "Incompatible", { symbols: ["tv", "zero"] });
    // With "allow" the importer keeps what it has, and new importers get the new variables.
    await replace(40);
    registry.reload(a, { compatibility: "allow" });
    assertEquals([now(b, "test"), now(a, "bump"), now(b, "in_thread")], [31, 41, 30000]);
    registry.reload(b);
    assertEquals([now(b, "test"), now(b, "in_thread")], [41, 40000]);
  },
);

testWithCompilers(["gcc"], "weak variables are those of a module, or missing", async (folder) => {
  const source = `
    extern __thread int tv __attribute__((weak));
    int test(void) { int *volatile where = &tv; return where ? *where : -1; }`;
  const a = await compileModule(folder, "a", provider());
  const weak = await compileModule(folder, "weak", source);
  using registry = new ModuleRegistry(LIBC);
  registry.load(a);
  assertEquals(call(registry.load(weak), "test"), 7);
});

testWithCompilers(["gcc"], "a module of nothing but a variable, and one that uses it", async (folder) => {
  const only = await compileModule(folder, "only", "__thread int tv = 3;");
  const user = await compileModule(folder, "user", "extern __thread int tv; int test(void) { return tv; }");
  using registry = new ModuleRegistry(LIBC);
  const module = registry.load(only);
  assertEquals(call(registry.load(user), "test"), 3);
  // It has no address that all threads share.
  assertEquals([module.addressOf("tv"), registry.resolveSymbol("tv")], [null, null]);
  assertEquals(module.exports().map(({ name }) => name), ["tv"]);
  const bind = () => module.bind({ tv: { type: "i32" } });
  assertStringIncludes(
    assertLoadError(bind, "Incompatible").message,
    "'tv' is a thread-local variable, not a variable",
  );
});

testWithCompilers(["gcc"], "a variable of another kind is said to be of another kind", async (folder) => {
  const plain = await compileModule(folder, "plain", "int tv = 3;");
  const perThread = await compileModule(folder, "per_thread", "__thread int tv2 = 3;");
  const users = [
    await compileModule(folder, "u1", "extern __thread int tv; int test(void) { return tv; }"),
    await compileModule(folder, "u2", "extern int tv2; int test(void) { return tv2; }"),
  ];
  using registry = new ModuleRegistry(LIBC);
  for (const path of [plain, perThread]) registry.load(path);
  const [first, second] = users.map((path) => assertLoadError(() => registry.load(path), "UndefinedSymbol"));
  assertEquals([first.data.symbols, second.data.symbols], [["tv"], ["tv2"]]);
  assertStringIncludes(
    first.message,
    `'tv': module '${plain}' defines it as an ordinary symbol, not a thread-local variable`,
  );
  assertStringIncludes(
    second.message,
    `'tv2': module '${perThread}' defines it as a thread-local variable, not an ordinary one`,
  );
});

testWithCompilers(["gcc"], "the names of the process's libraries do not matter", async (folder) => {
  // errno is a thread-local variable of the C library.
  const a = await compileModule(folder, "a", "__thread int errno = 42;");
  const b = await compileModule(folder, "b", "extern __thread int errno; int test(void) { return errno; }");
  using registry = new ModuleRegistry(LIBC);
  registry.load(a);
  assertEquals(call(registry.load(b), "test"), 42);
});

testWithCompilers(["gcc"], "initial-exec code that comes too late is told so", async (folder) => {
  const a = await compileModule(folder, "a", provider());
  const b = await compileModule(folder, "b", IMPORTER, {
    flags: ["-O2", "-fPIC", "-ftls-model=initial-exec"],
  });
  using registry = new ModuleRegistry(LIBC);
  // The C library places the block dynamically once a thread has used it.
  call(registry.load(a), "bump");
  try {
    assertEquals(call(registry.load(b), "test"), 8);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    assertEquals(error.kind, "Unsupported");
    assertStringIncludes(error.hint, "-ftls-model=initial-exec");
  }
});

testWithCompilers(["g++"], "C++ variables with constructors and destructors", async (folder) => {
  const a = await compileModule(
    folder,
    "a",
    `#include <string>
    int destroyed;
    struct Text { std::string text; Text() : text("a long text that is on the heap, ") {} ~Text() { destroyed++; } };
    thread_local Text text;
    extern "C" int count() { return destroyed; }`,
    { language: "cpp" },
  );
  const b = await compileModule(
    folder,
    "b",
    `#include <string>
    #include <thread>
    struct Text { std::string text; Text(); ~Text(); };
    extern thread_local Text text;
    extern "C" int test() { text.text += "and longer"; return text.text.size(); }
    extern "C" int in_thread() { int size = 0; std::thread([&] { size = test(); }).join(); return size; }`,
    { language: "cpp" },
  );
  await using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libstdc++.so.6"] });
  const first = registry.load(a), second = registry.load(b);
  assertEquals([call(second, "test"), call(second, "test"), call(second, "in_thread")], [43, 53, 43]);
  assertEquals(call(first, "count"), 1);
});
