import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { HostLibraries } from "../../../src/load/imports/host_library.ts";
import { toFileUrl } from "@std/path";
import { compileModule, runModules } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { assertLoadError, NO_PROC, TemporaryDirectory, WatchedAllocator } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";

const C = "libc.so.6";
const M = "libm.so.6";

/** The names of Linux's C and mathematical libraries. */
function linuxTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore: NO_PROC, fn });
}

linuxTest("functions of the C and the mathematical library are called at their own addresses", () => {
  using registry = new ModuleRegistry({ libraries: [C, M] });
  const module = registry.loadBytes(
    "m",
    version({ functions: { length: "strlen", get: "malloc", release: "free", cosine: "cos" } }),
  );
  const { symbols } = module.bind({
    length: { parameters: ["buffer"], result: "usize" },
    get: { parameters: ["usize"], result: "pointer" },
    release: { parameters: ["pointer"], result: "void" },
    cosine: { parameters: ["f64"], result: "f64" },
  });
  assertEquals(symbols.length(new TextEncoder().encode("seven..\0")), 7n);
  const memory = symbols.get(100n);
  assert(memory !== null);
  symbols.release(memory);
  assertAlmostEquals(symbols.cosine(1), Math.cos(1));
  assertEquals(
    module.imports().map(({ name, from }) => [name, from]),
    [["strlen", `library '${C}'`], ["malloc", `library '${C}'`], ["free", `library '${C}'`], [
      "cos",
      `library '${M}'`,
    ]],
  );
});

linuxTest("libraries are asked in order", () => {
  using libraries = new HostLibraries([C, M]);
  assertEquals(libraries.find("cos")?.from, `library '${M}'`);
  assertEquals(libraries.find("strlen")?.from, `library '${C}'`);
  // A lookup in a library includes the libraries that it was linked with, as dlsym defines it.
  using other = new HostLibraries([M, C]);
  assertEquals(other.find("strlen")?.from, `library '${M}'`);
  assertEquals(other.find("strlen")?.address, libraries.find("strlen")?.address);
  assertEquals(libraries.find("nobody_defines_this"), undefined);
});

linuxTest("a library that is missing is an error that names it, and loads nothing", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ libraries: [C, "libnobody.so.9"], allocator });
  for (let attempt = 0; attempt < 3; attempt++) {
    const error = assertLoadError(
      () => registry.loadBytes("m", version({ functions: { run: "strlen" } })),
      "Io",
      { path: "libnobody.so.9" },
    );
    assert(error.hint.includes("the library's full path"), error.hint);
  }
  assertEquals(allocator.live.size, 0);
});

linuxTest("the error of a library that cannot be opened has the system's own reason", () => {
  using directory = new TemporaryDirectory();
  const text = directory.join("text.so");
  Deno.writeTextFileSync(text, "not a library".repeat(100));
  const reasons: [library: string, reason: string][] = [
    ["libnobody.so.9", "cannot open shared object file"],
    [text, "invalid ELF header"],
  ];
  for (const [library, reason] of reasons) {
    using libraries = new HostLibraries([library]);
    const error = assertLoadError(() => libraries.find("strlen"), "Io", { path: library });
    assert(error.message.includes(reason), error.message);
  }
});

linuxTest("a library that is missing at first is used once it exists, and stays open", () => {
  using directory = new TemporaryDirectory();
  const late = directory.join("late.so");
  const registry = new ModuleRegistry({ libraries: [C, late] });
  const bytes = version({ functions: { run: "strlen" } });
  assertLoadError(() => registry.loadBytes("m", bytes), "Io", { path: late });
  Deno.copyFileSync(mapped("libm.so.6")!, late);
  const module = registry.loadBytes("m", bytes);
  registry[Symbol.dispose]();
  module.close();
  // It may have threads of its own by now: unmapping its code could end the process.
  assertEquals(mapped("late.so"), late);
});

linuxTest("libraries are given as file: URLs, too", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("math %41 ü.so");
  Deno.copyFileSync(mapped("libm.so.6")!, path);
  for (const name of [toFileUrl(path), toFileUrl(path).href]) {
    using libraries = new HostLibraries([name]);
    assertEquals(libraries.find("cos")?.from, `library '${path}'`);
  }
  const refused: [url: string, problem: string][] = [
    ["https://example.com/libm.so.6", "a https: URL is not a file: URL"],
    ["file://elsewhere/libm.so.6", "the URL names another host, 'elsewhere'"],
  ];
  for (const [url, problem] of refused) {
    const error = assertLoadError(() => new HostLibraries([new URL(url)]), "Io", { path: url });
    assert(error.message.startsWith(`Cannot open host library: ${problem}`), error.message);
  }
});

/** The path that a library of this process was loaded from. */
function mapped(name: string): string | undefined {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").map((line) => line.slice(line.indexOf("/")))
    .find((path) => path.endsWith(name));
}

testWithCompilers(["gcc"], "a host library with threads of its own survives the module", async (folder) => {
  const source = `int f(void) {
    int s = 0;
    #pragma omp parallel for reduction(+:s)
    for (int i = 0; i < 7; i++) s += 6;
    return s;
  }`;
  const modules = [await compileModule(folder, "omp", source, { flags: ["-O2", "-fPIC", "-fopenmp"] })];
  const { code, signal, stdout, stderr } = await runModules({
    modules,
    libraries: ["libc.so.6", "libgomp.so.1"],
    calls: ["f"],
  });
  assertEquals([code, signal, stderr, stdout], [0, null, "", "42\nclosed\n"]);
});

linuxTest("nothing is opened before a name is looked up, nor when the list is empty", () => {
  using _unused = new HostLibraries([C]);
  using none = new HostLibraries([]);
  assertEquals(none.find("strlen"), undefined);
});

linuxTest("a library stays open after its registry is disposed of: a finaliser calls it", async () => {
  const registry = new ModuleRegistry({ libraries: [M] });
  const module = registry.loadBytes("m", version({ functions: { run: "cos" }, fini: ["run"] }));
  const lease = module.addressOf("run")!;
  registry[Symbol.dispose]();
  lease[Symbol.dispose]();
  await module.closeAsync();
  await new Promise((resolve) => setTimeout(resolve, 5));
});

linuxTest("modules that import from libraries can be shared", async () => {
  await using registry = new ModuleRegistry({ libraries: [C] });
  const module = registry.loadBytes("m", version({ functions: { run: "strlen" } }));
  assertEquals(module.share().kind, "@simple/loader module");
});

const VERSIONED = `
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  __asm__(".symver memcpy,memcpy@GLIBC_2.2.5");
  __asm__(".symver fopen,fopen@GLIBC_2.2.5");
  __asm__(".symver on_exit,on_exit@GLIBC_2.2.5");
  int on_exit(void (*)(int, void *), void *);
  static void bye(int status, void *value) { puts("[bye]"); fflush(stdout); }
  FILE *(*volatile open_file)(const char *, const char *) = fopen;
  void *(*volatile copy)(void *, const void *, size_t) = memcpy;
  int run(void) {
    char to[6];
    FILE *file = open_file("/proc/self/comm", "r");
    return file && !fclose(file) && !strcmp(copy(to, "hello", 6), "hello") && !on_exit(bye, 0);
  }
`;

testWithCompilers(["gcc"], "names with a version are found in that version", async (folder) => {
  const modules = [await compileModule(folder, "versioned", VERSIONED)];
  const result = await runModules({ modules, libraries: [C], calls: ["run"] });
  // What the loader defines in place of the C library, it defines in every version.
  assertEquals([result.code, result.stderr, result.stdout], [0, "", "1\n[bye]\nclosed\n"]);
  using libraries = new HostLibraries([C]);
  const old = libraries.find("memcpy@GLIBC_2.2.5")!;
  const current = libraries.find("memcpy@@GLIBC_2.14")!;
  assert(old.address !== current.address);
  assertEquals(libraries.find("memcpy@GLIBC_9.9"), undefined);
  using registry = new ModuleRegistry({
    libraries: [C],
    allowImports: ["memcpy", "f*", "on_exit", "puts", "stdout"],
  });
  const error = assertLoadError(() => registry.load(modules[0]), "ForbiddenImport");
  assertEquals(error.data.symbols, ["strcmp"]);
});
