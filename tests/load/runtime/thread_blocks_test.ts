// Thread-local variables of loaded modules: every thread has its own for every version.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { HOST_PLATFORM } from "../../../src/load/runtime/host.ts";
import { compileModule, runModules } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { TestWorker } from "../../support/workers.ts";
import { assertLoadError, hostBuilder, TemporaryDirectory } from "../../support/testing.ts";
import { counted, DIALECTS, linuxTest, threadModule, VARIABLES } from "../../support/threads.ts";

const newRegistry = () => new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });
const text = (pointer: Deno.PointerValue) => Deno.UnsafePointerView.getCString(pointer!);

for (const dialect of DIALECTS) {
  linuxTest(`${dialect}: variables begin with the values of the file, and are aligned`, () => {
    using registry = newRegistry();
    const { symbols } = registry.load(threadModule("variables", dialect)).bind(VARIABLES);
    assertEquals([symbols.next(), symbols.next(), symbols.is_aligned()], [101, 102, 1]);
    assertEquals([symbols.step(), symbols.step()], [12n, 27n]);
    assertEquals(text(symbols.greeting()), "hello");
    const other = new TextEncoder().encode("other\0");
    symbols.rename_to(other);
    assertEquals(text(symbols.greeting()), "other");
  });

  linuxTest(`${dialect}: each thread has its own variables`, async () => {
    using registry = newRegistry();
    const { symbols } = registry.load(threadModule("variables", dialect)).bind(VARIABLES);
    symbols.next();
    const threads = [1, 2, 30].map((times) => symbols.in_thread(BigInt(times)));
    assertEquals(await Promise.all(threads), [1, 2, 30].map((times) => counted(1, times)));
    assertEquals(symbols.next(), 102);
  });

  linuxTest(`${dialect}: Workers that attach have their own variables`, async () => {
    await using registry = newRegistry();
    const module = registry.load(threadModule("variables", dialect));
    const { symbols } = module.bind(VARIABLES);
    const workers = [1, 2, 3].map(() =>
      new TestWorker<unknown>(new URL("./thread_worker.ts", import.meta.url))
    );
    for (const worker of workers) assertEquals(await worker.ask(module.share()), "attached");
    const answers = await Promise.all(workers.map((worker, index) => worker.ask(10 * (index + 1))));
    assertEquals(answers, [10, 20, 30].map((times) => [100 + times, counted(1, times)]));
    assertEquals(await workers[0].ask(1), [111, counted(1, 1)]);
    assertEquals(symbols.next(), 101);
    for (const worker of workers) assertEquals(await worker.ask(-1), "closed");
  });

  linuxTest(`${dialect}: a new version has new variables with their first values`, () => {
    using directory = new TemporaryDirectory();
    const file = directory.file("variables.smf", Deno.readFileSync(threadModule("variables", dialect, 1)));
    using registry = newRegistry();
    using live = registry.open(file, VARIABLES);
    assertEquals([live.symbols.next(), live.symbols.next()], [101, 102]);
    Deno.writeFileSync(file, Deno.readFileSync(threadModule("variables", dialect, 2)));
    registry.reload(file, { state: "carry" });
    assertEquals(live.symbols.next(), 201);
  });
}

linuxTest("the variables of two modules are independent", () => {
  using registry = newRegistry();
  const [first, second] = [1, 2].map((version) =>
    registry.load(threadModule("variables", DIALECTS[0], version)).bind(VARIABLES).symbols
  );
  assertEquals([first.next(), second.next(), first.next(), second.next()], [101, 201, 102, 202]);
});

linuxTest("a loader without libraries defines __tls_get_addr", () => {
  const loader = new ModuleLoader();
  const symbols = ["pthread_create", "pthread_join"];
  using module = loader.load(
    threadModule("variables", DIALECTS[0]),
    // Never called; a branch to it must be possible.
    (name) => symbols.includes(name) ? 16n : null,
  );
  assertEquals(module.bind({ next: VARIABLES.next }).symbols.next(), 101);
  assertEquals(module.imports().find(({ name }) => name === "__tls_get_addr")?.from, "the C library");
});

linuxTest(
  "variables that the system has no space for are refused, with the compiler option to change",
  () => {
    const error = assertLoadError(
      () => new ModuleLoader().loadBytes(blockModule(2 ** 24, RelocationType.TlsStatic64)),
      "Unsupported",
      { size: 2 ** 24 },
    );
    assertStringIncludes(error.message, "static TLS block");
    assertStringIncludes(error.hint, "initial-exec");
  },
);

/** A module with a TLS block of `size` bytes and one word that leads to it. */
function blockModule(
  size: number,
  type: number,
  { name = ".tdata", value = 0, at = 4096 + 64 } = {},
): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "words", type: SectionType.RoData, bytes: new Uint8Array(128), alignment: 64 });
  builder.section({ name, type: SectionType.RoData, bytes: Uint8Array.of(1, 2), virtualSize: size });
  const symbol = builder.symbol({
    name: "base",
    type: SymbolType.None,
    binding: 0,
    value: 4096 + 128 + value,
  });
  builder.relocation({ offset: at, symbol, type });
  return builder.build();
}

linuxTest("wrong thread-local relocations are refused, each with its reason", () => {
  const load = (bytes: Uint8Array) => () => new ModuleLoader().loadBytes(bytes);
  const type = RelocationType.TlsModule64;
  const cases: [Uint8Array, string][] = [
    [blockModule(64, type, { name: "other" }), "no section '.tdata'"],
    [blockModule(64, type, { value: -8 }), "not inside '.tdata'"],
    [blockModule(64, type, { at: 4096 + 128 + 64 - 4 }), "not inside the image"],
  ];
  for (const [bytes, reason] of cases) {
    assertStringIncludes(
      assertLoadError(load(bytes), "RelocationFailed", { symbol: "base" }).message,
      reason,
    );
  }
});

/** A module without variables of its own, with two words that lead to an imported one. */
function importingModule(name: string): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "words", type: SectionType.Data, bytes: new Uint8Array(16) });
  const symbol = builder.symbol({ name, type: SymbolType.None, defined: false });
  builder.symbol({ name: "words", type: SymbolType.Data, value: 4096, size: 16 });
  builder.relocation({ offset: 4096, symbol, type: RelocationType.TlsModule64 });
  builder.relocation({ offset: 4096 + 8, symbol, type: RelocationType.TlsOffset64 });
  return builder.build();
}

linuxTest("variables of host libraries have the addresses that the library has", async () => {
  const name = "errno"; // the C library's own
  await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  const module = registry.loadBytes("importer", importingModule(name));
  const words = module.addressOf("words")!;
  const system = Deno.dlopen("libc.so.6", {
    // void *__tls_get_addr(tls_index *): cannot fail
    __tls_get_addr: { parameters: ["usize"], result: "usize" },
  });
  const location = Deno.dlopen("libc.so.6", {
    // int *__errno_location(void); cannot fail
    __errno_location: { parameters: [], result: "pointer" },
  });
  const address = Deno.UnsafePointer.value(location.symbols.__errno_location());
  assertEquals(system.symbols.__tls_get_addr(words.address), address);
  // Each thread has an address of its own for it.
  assertEquals(module.imports(), [{ name, address: 0n, from: "library 'libc.so.6'" }]);
  location.close();
  system.close();
  words[Symbol.dispose]();
});

linuxTest("variables that no host library defines are refused in one line", () => {
  const bytes = importingModule("elsewhere");
  using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libm.so.6"] });
  const loads = [
    () => new ModuleLoader().loadBytes(bytes),
    // An address is not what a thread-local variable has.
    () => new ModuleLoader().loadBytes(bytes, () => 4096n),
    () => registry.loadBytes("m", bytes),
  ];
  for (const load of loads) {
    const error = assertLoadError(load, "UndefinedSymbol", { symbols: ["elsewhere"] });
    assertStringIncludes(error.message, "undefined thread-local variable 'elsewhere'");
    assertStringIncludes(error.hint, "`libraries`");
  }
});

const ONCE = `
  #include <mutex>
  static std::once_flag flag;
  static int count;
  extern "C" int test() { std::call_once(flag, [] { count++; }); return count; }
`;

testWithCompilers(["g++"], "initial-exec code uses variables of host libraries", async (folder) => {
  const once = await compileModule(folder, "once", ONCE, { language: "cpp", flags: ["-O2", "-fPIE"] });
  const result = await runModules({
    modules: [once],
    libraries: ["libc.so.6", "libstdc++.so.6"],
    calls: ["test"],
  });
  assertEquals([result.code, result.stderr, result.stdout], [0, "", "1\nclosed\n"]);
});

const LOCAL = `
  #include <pthread.h>
  static __thread int depth = 40;
  static __thread long wide[3] = { 1, 2, 3 };
  int next(void) { return ++depth; }
  static void *ask(void *unused) { return (void *)(long)(next() + wide[2]); }
  int in_thread(void) {
    pthread_t thread; void *answer;
    return pthread_create(&thread, 0, ask, 0) || pthread_join(thread, &answer) ? -1 : (int)(long)answer;
  }
`;

testWithCompilers(
  ["gcc"],
  "local-exec code, which is made for programs, has variables of each thread",
  async (folder) => {
    // -fPIE is what Debian's gcc takes by default, and so most static libraries there.
    const local = await compileModule(folder, "local", LOCAL, { flags: ["-O2", "-fPIE"] });
    const calls = ["next", "next", "in_thread", "next", "in_thread"];
    const result = await runModules({ modules: [local], libraries: ["libc.so.6"], calls });
    assertEquals([result.code, result.stderr, result.stdout], [0, "", "41\n42\n44\n43\n44\nclosed\n"]);
  },
);

const PERHAPS = `
  extern __thread int perhaps __attribute__((weak));
  int test(void) { return 7; }
  int *where(void) { return &perhaps; }
`;

testWithCompilers(["gcc"], "a weak variable may be missing", async (folder) => {
  const perhaps = await compileModule(folder, "perhaps", PERHAPS);
  const result = await runModules({ modules: [perhaps], libraries: ["libc.so.6"], calls: ["test"] });
  assertEquals([result.code, result.stderr, result.stdout], [0, "", "7\nclosed\n"]);
});

Deno.test({
  name: "systems that provide no thread-local variables to code in memory are named in the error",
  ignore: ["linux", "windows"].includes(Deno.build.os),
  fn() {
    const bytes = blockModule(64, RelocationType.TlsModule64);
    const error = assertLoadError(() => new ModuleLoader().loadBytes(bytes), "Unsupported");
    assertStringIncludes(error.message, "thread-local");
    assert(HOST_PLATFORM >= 0);
  },
});
