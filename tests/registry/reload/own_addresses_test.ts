// A module, its importers and JavaScript see one address of an exported function.
import { assertEquals } from "@std/assert";
import { LoadedModule, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const ADDRESS = { parameters: [], result: "u64" } as const;
const INT = { parameters: [], result: "i32" } as const;

/** A module that holds the address of its function in every way that C has. */
const provider = (number: number, more = "") => `
  typedef int function(void);
  int answer(void) { return ${number}; }
  static int hidden(void) { return 1; }
  function *const table[] = { hidden, answer };
  function *variable = answer;
  function *stored;
  ${more}
  __attribute__((constructor)) static void begin(void) { stored = answer; }
  function *by_code(void) { return answer; }
  function *by_table(void) { return table[1]; }
  function *by_variable(void) { return variable; }
  function *by_store(void) { return stored; }
  int call_it(void) { return answer(); }
  int call_table(void) { return table[1]() + table[0](); }
  int begun = 0;
  __attribute__((constructor)) static void call(void) { begun = table[1](); }
  int at_begin(void) { return begun; }
`;
const OWN = ["by_code", "by_table", "by_variable", "by_store"];

const IMPORTER = `
  typedef int function(void);
  extern int answer(void);
  function *kept = answer;
  function *imported(void) { return answer; }
  function *by_kept(void) { return kept; }
  int call_kept(void) { return kept(); }
`;

function addressesOf(module: LoadedModule, names: readonly string[]): bigint[] {
  return names.map((name) => module.getFunction(name, ADDRESS)!());
}

function checkAll(registry: ModuleRegistry, own: LoadedModule, importer: LoadedModule): bigint {
  const canonical = registry.resolveSymbol("answer")!;
  assertEquals(addressesOf(own, OWN), OWN.map(() => canonical));
  assertEquals(addressesOf(importer, ["imported", "by_kept"]), [canonical, canonical]);
  using lease = own.addressOf("answer")!;
  assertEquals(lease.address, canonical);
  return canonical;
}

const VARIANTS: [compiler: string, why: string, flags: string[]][] = [
  ["gcc", "GOT slots", ["-O2"]],
  ["gcc", "distances in code", ["-O2", "-fno-semantic-interposition", "-fno-plt"]],
  ["gcc", "code for programs", ["-O2", "-fPIE"]],
  ["gcc", "code for fixed addresses", ["-O2", "-fno-pic"]],
  ["gcc", "code for fixed addresses, not optimised", ["-O0", "-fno-pic"]],
];

for (const [compiler, why, flags] of VARIANTS) {
  testWithCompilers(
    [compiler],
    `a function has one address for its own module too: ${why}`,
    async (folder) => {
      await using registry = new ModuleRegistry();
      const build = (text: string) => compiledVersion(folder, text, { flags });
      let own = registry.loadBytes("provider", await build(provider(1)));
      const importer = registry.loadBytes("importer", await build(IMPORTER));
      const canonical = checkAll(registry, own, importer);
      assertEquals(own.getFunction("call_table", INT)!(), 2);
      for (const [number, state] of [[2, "carry"], [3, "fresh"], [4, "carry"]] as const) {
        const bytes = await build(provider(number));
        own = registry.reload("provider", {
          bytes,
          state,
          verify(candidate) {
            // The candidate's own code runs, not that of the version that still serves.
            assertEquals(candidate.getFunction("call_table", INT)!(), number + 1);
          },
        });
        assertEquals(checkAll(registry, own, importer), canonical);
        assertEquals(own.getFunction("call_it", INT)!(), number);
        assertEquals(own.getFunction("call_table", INT)!(), number + 1);
        assertEquals(importer.getFunction("call_kept", INT)!(), number);
      }
      assertEquals(own.getFunction("at_begin", INT)!(), 3, "carried from the third version");
    },
  );
}

testWithCompilers(["gcc"], "a candidate's initialisers call the candidate's functions", async (folder) => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("provider", await compiledVersion(folder, provider(1)));
  registry.loadBytes("importer", await compiledVersion(folder, IMPORTER));
  const own = registry.reload("provider", { bytes: await compiledVersion(folder, provider(2)) });
  assertEquals(own.getFunction("at_begin", INT)!(), 2);
});

testWithCompilers(["gcc"], "an ifunc has one address for its own module too", async (folder) => {
  const source = (number: number) => `
    typedef int function(void);
    static int chosen(void) { return ${number}; }
    static function *choose(void) { return chosen; }
    int answer(void) __attribute__((ifunc("choose")));
    function *variable = answer, *stored;
    function *const table[] = { answer, answer };
    __attribute__((constructor)) static void begin(void) { stored = answer; }
    function *by_code(void) { return answer; }
    function *by_table(void) { return table[1]; }
    function *by_variable(void) { return variable; }
    function *by_store(void) { return stored; }`;
  await using registry = new ModuleRegistry();
  let own = registry.loadBytes("provider", await compiledVersion(folder, source(1)));
  const importer = registry.loadBytes("importer", await compiledVersion(folder, IMPORTER));
  const canonical = checkAll(registry, own, importer);
  own = registry.reload("provider", { bytes: await compiledVersion(folder, source(2)), state: "carry" });
  assertEquals(checkAll(registry, own, importer), canonical);
  assertEquals(importer.getFunction("call_kept", INT)!(), 2);
});

testWithCompilers(
  ["gcc"],
  "a function whose address was taken stays when a version lacks it",
  async (folder) => {
    await using registry = new ModuleRegistry();
    registry.loadBytes("provider", await compiledVersion(folder, provider(1)));
    const next = `int (*variable)(void); int call_variable(void) { return variable(); }`;
    const own = registry.reload("provider", { bytes: await compiledVersion(folder, next), state: "carry" });
    assertEquals(own.getFunction("call_variable", INT)!(), 1);
  },
);

/** Registers exported functions for its end in every way; each adds a digit to what `log` has. */
const registering = (number: number) => `
  #include <pthread.h>
  #include <stdlib.h>
  int on_exit(void (*)(int, void *), void *);
  int __cxa_thread_atexit(void (*)(void *), void *, void *);
  extern void *__dso_handle __attribute__((visibility("hidden")));
  extern int *ended;
  static pthread_key_t key;
  int destroyed, ended_thread;
  void finish(void) { *ended = 10 * *ended + ${number}; }
  void finish_with(int status, void *value) { *ended = 10 * *ended + ${number} + 2; }
  void finish_quickly(void) { *ended = 10 * *ended + ${number} + 4; }
  void destroy(void *value) { destroyed = ${number}; }
  void end_thread(void *value) { ended_thread = ${number}; }
  int begin(void) { return atexit(finish) + at_quick_exit(finish_quickly) + pthread_key_create(&key, destroy); }
  int begin_last(void) { return on_exit(finish_with, 0); }
  static void *thread(void *value) {
    pthread_setspecific(key, &key);
    __cxa_thread_atexit(end_thread, 0, &__dso_handle);
    return value;
  }
  int run_thread(void) {
    pthread_t id;
    if (pthread_create(&id, 0, thread, 0) != 0 || pthread_join(id, 0) != 0) return -1;
    return 10 * destroyed + ended_thread;
  }
  void *by_code(void) { return (void *)finish; }`;

testWithCompilers(
  ["gcc"],
  "what a version registers for its end runs as code of that version",
  async (folder) => {
    await using registry = new ModuleRegistry({ keepVersions: 0 });
    const log = `int value, *ended = &value; int test(void) { return value; }`;
    const host = registry.loadBytes("log", await compiledVersion(folder, log));
    const ended = host.getFunction("test", INT)!;
    const versions: LoadedModule[] = [];
    for (const number of [1, 2]) {
      const bytes = await compiledVersion(folder, registering(number));
      versions.push(number === 1 ? registry.loadBytes("m", bytes) : registry.reload("m", { bytes }));
      const version = versions[number - 1];
      assertEquals(addressesOf(version, ["by_code"]), [registry.resolveSymbol("finish")!]);
      for (const name of ["begin", "begin_last"]) assertEquals(version.getFunction(name, INT)!(), 0);
    }
    const [first, second] = versions;
    assertEquals(first.getFunction("run_thread", INT)!(), 11);
    assertEquals(second.getFunction("run_thread", INT)!(), 22);
    first.close();
    assertEquals(ended(), 315);
    second.close();
    assertEquals(ended(), 315_426);
  },
);

testWithCompilers(
  ["g++"],
  "a C++ module with static objects sees one address, and destroys them with its own code",
  async (folder) => {
    const source = (number: number) => `
      extern "C" { extern int *ended; int answer(); }
      struct Logger { int digit; Logger(int); ~Logger(); virtual int value(); };
      Logger::Logger(int digit) : digit(digit) {}
      Logger::~Logger() { *ended = 10 * *ended + digit + ${number}; }
      int Logger::value() { return ${number}; }
      Logger global(1);
      extern "C" {
        int answer() { return ${number}; }
        void *by_code() { return (void *)answer; }
        int call_method(Logger *logger) { return (logger ? logger : &global)->value(); }
      }`;
    await using registry = new ModuleRegistry({ keepVersions: 0 });
    const log = `int value, *ended = &value; int test(void) { return value; }`;
    const build = (number: number) =>
      compiledVersion(folder, source(number), { compiler: "g++", flags: ["-O2", "-fno-rtti"] });
    const ended = registry.loadBytes("log", await compiledVersion(folder, log)).getFunction("test", INT)!;
    const first = registry.loadBytes("m", await build(1));
    const importer = registry.loadBytes("importer", await compiledVersion(folder, IMPORTER));
    const method = { parameters: ["pointer"], result: "i32" } as const;
    assertEquals(first.getFunction("call_method", method)!(null), 1);
    assertEquals(addressesOf(first, ["by_code"]), addressesOf(importer, ["imported"]));
    const second = registry.reload("m", { bytes: await build(2) });
    assertEquals(second.getFunction("call_method", method)!(null), 2);
    assertEquals(first.getFunction("call_method", method)!(null), 1, "an old object keeps its methods");
    assertEquals(addressesOf(second, ["by_code"]), addressesOf(importer, ["imported"]));
    first.close();
    assertEquals(ended(), 2, "the object of the first version, by its destructor");
  },
);

testWithCompilers(["gcc"], "two modules that are loaded together see one address", async (folder) => {
  await using registry = new ModuleRegistry();
  const paths = ["provider", "importer"].map((name) => `${folder}/${name}.smf`);
  Deno.writeFileSync(paths[0], await compiledVersion(folder, provider(1)));
  Deno.writeFileSync(paths[1], await compiledVersion(folder, IMPORTER));
  const [own, importer] = registry.loadAll(paths);
  checkAll(registry, own, importer);
});

testWithCompilers(["gcc"], "a leased version outlives the one that replaced it", async (folder) => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("provider", await compiledVersion(folder, provider(1)));
  using lease = first.addressOf("call_table")!;
  const pointer = Deno.UnsafePointer.create(lease.address)!;
  const call = new Deno.UnsafeFnPointer(pointer as Deno.PointerObject<typeof INT>, INT);
  const second = registry.reload("provider", { bytes: await compiledVersion(folder, provider(2)) });
  assertEquals(call.call(), 3);
  first.close();
  second.close();
  assertEquals(call.call(), 2);
});

testWithCompilers(["gcc"], "isolates that a module is shared with see the same address", async (folder) => {
  await using registry = new ModuleRegistry();
  const own = registry.loadBytes("provider", await compiledVersion(folder, provider(1)));
  // Nobody in this isolate has asked for the second address.
  for (const name of ["answer", "call_it"]) {
    using attached = LoadedModule.attach(structuredClone(own.share()));
    using theirs = attached.addressOf(name)!;
    using ours = own.addressOf(name)!;
    assertEquals(theirs.address, ours.address);
    assertEquals(theirs.address, registry.resolveSymbol(name));
  }
});

testWithCompilers(
  ["gcc"],
  "a module of no registry sees the address that addressOf returns",
  async (folder) => {
    const bytes = await compiledVersion(folder, provider(1), { flags: ["-O2", "-fPIE"] });
    using module = new ModuleLoader().loadBytes(bytes);
    using lease = module.addressOf("answer")!;
    assertEquals(addressesOf(module, OWN), OWN.map(() => lease.address));
    assertEquals(module.getFunction("call_table", INT)!(), 2);
  },
);
