// Hot modules: running code takes up new code, wherever it has the addresses of functions.
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { type LoadedModule, LoadError, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const PATCHABLE = ["-O2", "-g", "-ffunction-sections", "-fdata-sections", "-flive-patching=inline-clone"];
const PLAIN = ["-O2", "-g", "-ffunction-sections", "-fdata-sections"];
const INT = { parameters: [], result: "i32" } as const;
const ADDRESS = { parameters: [], result: "u64" } as const;

/** A registry with one hot module, whose versions are compiled as they are needed. */
class HotModule implements AsyncDisposable {
  readonly registry = new ModuleRegistry({
    keepVersions: Infinity,
    libraries: ["libstdc++.so.6", "libgcc_s.so.1"],
  });
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #compiler: "gcc" | "g++";

  constructor(folder: string, flags: readonly string[] = PATCHABLE, compiler: "gcc" | "g++" = "gcc") {
    this.#folder = folder;
    this.#flags = flags;
    this.#compiler = compiler;
  }

  /** Compiles a version under the file name that all versions have: it tells static functions apart. */
  compile(source: string, exports?: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
    return compiledVersion(this.#folder, source, {
      name: "m",
      compiler: this.#compiler,
      flags: this.#flags,
      link: { hot: true, ...(exports !== undefined && { exports }) },
    });
  }

  async load(source: string, exports?: readonly string[]): Promise<LoadedModule> {
    return this.registry.loadBytes("m", await this.compile(source, exports));
  }

  async reload(source: string, exports?: readonly string[]): Promise<void> {
    this.registry.reload("m", { bytes: await this.compile(source, exports) }).close();
  }

  rollback(): void {
    this.registry.rollback("m").close();
  }

  live<Name extends string>(...names: Name[]): Record<Name, () => number> {
    const definitions = Object.fromEntries(names.map((name) => [name, INT]));
    return this.registry.open("m", definitions).symbols as Record<Name, () => number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Every way in which C has the address of a function, and the version's number in every function. */
const C_SOURCE = (version: number) => `
  #include <stdlib.h>
  typedef int function(void);
  typedef function *getter(void);
  #define KEPT __attribute__((noinline))
  KEPT int external(void) { return ${version}; }
  KEPT __attribute__((visibility("hidden"))) int hidden(void) { return ${version}; }
  KEPT static int local(int x) { return x + ${version}; }
  static int taken(void) { return ${version}; }
  static int compare(const void *a, const void *b) {
    return ${version % 2 === 0 ? "-" : ""}(*(const int *)a - *(const int *)b);
  }
  function *variable = taken;
  function *const constant = taken;
  function *const table[] = { taken, hidden, external };
  static function **heap;
  static int (*comparison)(const void *, const void *);
  int keep(void) {
    heap = malloc(3 * sizeof *heap);
    heap[0] = taken;
    heap[1] = hidden;
    heap[2] = external;
    comparison = compare;
    return 0;
  }
  int call_external(void) { return external(); }
  int call_hidden(void) { return hidden(); }
  int call_local(void) { return local(heap == 0); }
  int call_variable(void) { return variable(); }
  int call_constant(void) { return constant(); }
  int call_table(void) { int sum = 0; for (int i = 0; i < 3; i++) sum += table[i](); return sum / 3; }
  int call_heap(void) { int sum = 0; for (int i = 0; i < 3; i++) sum += heap[i](); return sum / 3; }
  int sorted(void) {
    int numbers[] = {2, 3, 1};
    qsort(numbers, 3, sizeof(int), comparison);
    return numbers[0] * 100 + numbers[1] * 10 + numbers[2];
  }
  int same(void) {
    return variable == taken && constant == taken && table[0] == taken && table[1] == hidden &&
      table[2] == external && heap[0] == taken && heap[1] == hidden && heap[2] == external && comparison == compare;
  }
  function *address_of_taken(void) { return taken; }
  function *address_of_hidden(void) { return hidden; }
  static volatile int stopped, number, steps;
  KEPT int step(void) { number = ${version}; steps++; return stopped; }
  int run(void) { while (!step()); return number; }
  int stop(void) { return stopped = 1; }
  int number_of(void) { return number; }
  int steps_of(void) { return steps; }`;

const IMPORTER = `
  typedef int function(void);
  extern int external(void);
  extern function *address_of_taken(void);
  static function *kept[2];
  int take(void) { kept[0] = external; kept[1] = address_of_taken(); return 0; }
  int call_kept(void) { return kept[0]() * 1000 + kept[1](); }
  int call_imported(void) { return external(); }`;

const CALLS = [
  "call_external",
  "call_hidden",
  "call_local",
  "call_variable",
  "call_constant",
  "call_table",
  "call_heap",
] as const;

testWithCompilers(
  ["gcc"],
  "every way to a function takes up each of 20 versions, and those that two rollbacks bring back",
  async (folder) => {
    await using hot = new HotModule(folder);
    const { registry } = hot;
    const module = await hot.load(C_SOURCE(1));
    using _importer = registry.loadBytes("importer", await compiledVersion(folder, IMPORTER));
    const { take, call_kept, call_imported } = registry.open("importer", {
      take: INT,
      call_kept: INT,
      call_imported: INT,
    }).symbols;
    const live = hot.live(...CALLS, "keep", "sorted", "same", "stop", "number_of", "steps_of");
    const { run } = registry.open("m", { run: { ...INT, nonblocking: true } }).symbols;
    live.keep();
    take();
    const pointers = registry.open("m", { address_of_taken: ADDRESS, address_of_hidden: ADDRESS }).symbols;
    const addresses = () => [pointers.address_of_taken(), pointers.address_of_hidden()];
    const first = addresses();
    using lease = module.addressOf("external")!;
    const held = [...first, lease.address].map((address) =>
      new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(address)!, INT)
    );
    const running = run();
    using _stopping = { [Symbol.dispose]: () => void live.stop() };
    const check = (version: number): void => {
      assertEquals(CALLS.map((name) => live[name]()), CALLS.map(() => version));
      assertEquals([live.same(), addresses()], [1, first], "pointers are equal over versions");
      assertEquals(live.sorted(), version % 2 === 0 ? 321 : 123, "a callback of the C library");
      assertEquals([call_kept(), call_imported()], [version * 1001, version], "a callback of another module");
      assertEquals(held.map((pointer) => pointer.call()), held.map(() => version), "JavaScript's pointers");
      // The step that was running may be an old one; the one behind it is not.
      const from = live.steps_of();
      while (live.steps_of() < from + 2);
      assertEquals(live.number_of(), version, "a loop that never returns");
    };
    check(1);
    for (let version = 2; version <= 20; version++) {
      await hot.reload(C_SOURCE(version));
      check(version);
    }
    for (const version of [19, 18]) {
      hot.rollback();
      check(version);
    }
    live.stop();
    assertEquals(await running, 18);
  },
);

testWithCompilers(["g++"], "objects take up the bodies of virtual functions", async (folder) => {
  const source = (version: number) => `
    struct shape { virtual int area() const; virtual ~shape(); int side = 2; };
    struct square final : shape { int area() const override; };
    int shape::area() const { return ${version}; }
    shape::~shape() {}
    int square::area() const { return side * side * 100 + ${version}; }
    static shape *shapes[2];
    extern "C" int make() { shapes[0] = new shape; shapes[1] = new square; return 0; }
    extern "C" int areas() { return shapes[0]->area() * 1000 + shapes[1]->area(); }
    extern "C" int are_known() { return dynamic_cast<square *>(shapes[1]) != nullptr; }`;
  await using hot = new HotModule(folder, PLAIN, "g++");
  await hot.load(source(1));
  const { make, areas, are_known } = hot.live("make", "areas", "are_known");
  make();
  for (let version = 2; version <= 8; version++) {
    await hot.reload(source(version));
    assertEquals([areas(), are_known()], [version * 1001 + 400, 1]);
  }
  hot.rollback();
  assertEquals(areas(), 7 * 1001 + 400);
});

testWithCompilers(["gcc"], "a removed function goes on at its address", async (folder) => {
  const source = (version: number, body: string) => `
    typedef int function(void);
    int version(void) { return ${version}; }
    ${body}`;
  const one = (version: number) =>
    source(
      version,
      `static int gone(void) { return ${version}; }
       __attribute__((visibility("hidden"))) int hidden(void) { return ${version}; }
       function *get(void) { return gone; }
       function *get_hidden(void) { return hidden; }`,
    );
  const none = (version: number) =>
    source(version, "function *get(void) { return 0; } function *get_hidden(void) { return 0; }");
  await using hot = new HotModule(folder);
  await hot.load(one(1));
  const { get, get_hidden } = hot.registry.open("m", { get: ADDRESS, get_hidden: ADDRESS }).symbols;
  const addresses = [get(), get_hidden()];
  const call = () =>
    addresses.map((address) => new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(address)!, INT).call());
  await hot.reload(one(2));
  assertEquals(call(), [2, 2]);
  for (const version of [3, 4]) {
    await hot.reload(none(version));
    assertEquals([get(), ...call()], [0n, 2, 2], "its last code");
  }
  await hot.reload(one(5));
  assertEquals([get(), get_hidden()], addresses, "it comes back to its address");
  assertEquals(call(), [5, 5]);
});

testWithCompilers(["gcc"], "a function whose signature changes gets a new entry", async (folder) => {
  const source = (version: number, parameters: string, value: string, call: string) => `
    __attribute__((noinline)) int f(${parameters}) { return ${value} + ${version}; }
    int use(void) { return f(${call}); }
    void *get(void) { return (void *)f; }`;
  const one = (version: number) => source(version, "int a", "a * 10", "1");
  const two = (version: number) =>
    source(version, "int a, double b, int c", "a * 10 + (int)(b * 1000) + c * 100", "1, 2.0, 3");
  await using hot = new HotModule(folder, PLAIN);
  const exports = ["use", "get"];
  await hot.load(one(1), exports);
  const { use } = hot.live("use");
  const { get } = hot.registry.open("m", { get: ADDRESS }).symbols;
  const old = get();
  const callOld = () =>
    new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(old)!, { parameters: ["i32"], result: "i32" }).call(1);
  await hot.reload(one(2), exports);
  assertEquals([use(), get(), callOld()], [12, old, 12]);
  await hot.reload(two(3), exports);
  assertEquals([use(), callOld()], [2313, 12], "who has the old address keeps the old code");
  const now = get();
  assertNotEquals(now, old);
  await hot.reload(two(4), exports);
  assertEquals([use(), get(), callOld()], [2314, now, 12]);
  await hot.reload(one(5), exports);
  assertEquals([use(), get(), callOld()], [15, old, 15], "the old signature comes back to the old address");
  hot.rollback();
  assertEquals([use(), get(), callOld()], [2314, now, 15]);
  hot.rollback();
  hot.rollback();
  assertEquals([use(), get(), callOld()], [12, old, 12]);
});

/** A loop that calls a static function; the old one leaves registers alone that the new one needs. */
const LOOP = (version: number) => `
  #include <unistd.h>
  static volatile int ready, open_gate, sink;
  __attribute__((noinline)) static int helper(int x) {
    ${
  version === 1
    ? "return x + 1;"
    : "int a = sink, b = sink + 1, c = sink + 2, d = sink + 3, e = sink + 4, f = sink + 5; " +
      "for (int i = 0; i < 3; i++) { a += b * c; b += c * d; c += d * e; d += e * f; e += f * a; f += x; } " +
      "sink = a ^ b ^ c ^ d ^ e ^ f; return x + 100;"
}
  }
  __attribute__((noinline)) int wait(void) { ready = 1; while (!open_gate) usleep(100); return 0; }
  int run(int n) {
    int sum = 0, calls = 0;
    for (int i = 0; i < n; i++) { if (i == n / 2) wait(); sum += helper(i) - i; calls++; }
    return calls * 1000 + sum;
  }
  int is_ready(void) { return ready; }
  int let(void) { return open_gate = 1; }`;

for (
  const [flags, how, expected] of [
    [PLAIN, "stays within its version", 20_000 + 20],
    [["-O3", ...PLAIN.slice(1)], "stays within its version, with -O3", 20_000 + 20],
    [PATCHABLE, "is switched if it keeps to the ABI", 20_000 + 10 + 10 * 100],
  ] as const
) {
  testWithCompilers(["gcc"], `a static function that a running loop calls ${how}`, async (folder) => {
    await using hot = new HotModule(folder, flags);
    await hot.load(LOOP(1));
    const { is_ready, let: letGo } = hot.live("is_ready", "let");
    const definition = { parameters: ["i32"], result: "i32", nonblocking: true } as const;
    const { run } = hot.registry.open("m", { run: definition }).symbols;
    const running = run(20);
    while (is_ready() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await hot.reload(LOOP(2));
    letGo();
    assertEquals(await running, expected);
    assertEquals(await run(20), 20_000 + 20 * 100, "new code calls new functions");
  });
}

testWithCompilers(["gcc"], "variables of hot modules stay where they are by default", async (folder) => {
  const source = (version: number) => `
    static int counter;
    int count(void) { return counter += ${version}; }`;
  await using hot = new HotModule(folder);
  await hot.load(source(1));
  const { count } = hot.live("count");
  assertEquals(count(), 1);
  const carried = hot.registry.reload("m", { bytes: await hot.compile(source(10)) });
  assertEquals([carried.carried?.kept, count()], [["counter"], 11]);
  carried.close();
  hot.rollback();
  assertEquals(count(), 12, "a rollback goes back in code, not in state");
  hot.registry.reload("m", { bytes: await hot.compile(source(2)), state: "fresh" }).close();
  assertEquals(count(), 2);
  // A version that is not hot starts anew, as it would without one that was.
  hot.registry.reload("m", { bytes: await compiledVersion(folder, source(3)) }).close();
  assertEquals(count(), 3);
});

testWithCompilers(["gcc"], "entries are the module's own", async (folder) => {
  await using hot = new HotModule(folder);
  const module = await hot.load(C_SOURCE(1), ["address_of_*", "call_*"]);
  for (const name of ["\0\0hidden", "\0\0external", "\0m.c\0taken"]) {
    assertEquals(module.getFunction(name, INT), null, name);
    assertEquals(module.addressOf(name), null, name);
    assertThrows(() => hot.registry.open("m", { [name]: INT }), LoadError);
  }
  const importer = await compiledVersion(folder, "extern int hidden(void); int f(void) { return hidden(); }");
  assertThrows(() => hot.registry.loadBytes("importer", importer), LoadError, "hidden");
  module.close();
});

testWithCompilers(["gcc"], "a candidate runs its own code until it takes over", async (folder) => {
  const source = (version: number) => `
    typedef int function(void);
    __attribute__((noinline)) int external(void) { return ${version}; }
    static int taken(void) { return ${version}; }
    function *volatile variable = taken;
    int begun;
    __attribute__((constructor)) static void begin(void) { begun = external() * 100 + variable(); }
    int at_begin(void) { return begun; }
    int call(void) { return external() * 100 + variable(); }`;
  await using hot = new HotModule(folder);
  await hot.load(source(1));
  const { at_begin, call } = hot.live("at_begin", "call");
  assertEquals([at_begin(), call()], [101, 101]);
  let seen: unknown[] = [];
  const bytes = await hot.compile(source(2));
  const refused = () =>
    hot.registry.reload("m", {
      bytes,
      state: "fresh",
      verify(candidate) {
        seen = [candidate.getFunction("call", INT)!(), candidate.getFunction("at_begin", INT)!(), call()];
        return false;
      },
    });
  assertThrows(refused, LoadError);
  assertEquals(seen, [202, 202, 101]);
  assertEquals([at_begin(), call()], [101, 101], "the version that runs is as it was");
  hot.registry.reload("m", { bytes, state: "fresh" }).close();
  assertEquals([at_begin(), call()], [202, 202]);
  assert(hot.registry.versions("m").at(-1)!.current);
});
