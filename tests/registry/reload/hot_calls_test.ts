// Calls inside a hot module: direct while its version is the current one, through trampolines from then on.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { WatchedAllocator } from "../../support/watched_allocator.ts";

const FLAGS = ["-O2", "-g", "-ffunction-sections", "-fdata-sections", "-flive-patching=inline-clone"];
const INT = { parameters: [], result: "i32" } as const;

function compile(folder: string, source: string, exports: string[]): Promise<Uint8Array<ArrayBuffer>> {
  return compiledVersion(folder, source, { name: "m", flags: FLAGS, link: { hot: true, exports } });
}

/** Where the calls of each version that is loaded lead: into itself, or elsewhere; versions in order. */
function callsOf(registry: ModuleRegistry, files: readonly Uint8Array<ArrayBuffer>[]): string[] {
  const [{ versions }] = registry.inspect().modules;
  return versions.map(({ address, size }, index) => {
    const { start, end } = parseSmf(files[index]).entries()!.callSlots;
    const view = new Deno.UnsafePointerView(Deno.UnsafePointer.create(address + BigInt(start))!);
    const targets = Array.from({ length: (end - start) / 8 }, (_, slot) => view.getBigUint64(8 * slot));
    assert(targets.length > 0);
    return targets.every((target) => target >= address && target < address + BigInt(size))
      ? "own code"
      : "trampolines";
  });
}

testWithCompilers(["gcc"], "calls leave a version only once another has taken over", async (folder) => {
  const source = (version: number) => `
    __attribute__((noinline)) static int local(int x) { return x + ${version}; }
    __attribute__((noinline, visibility("hidden"))) int hidden(int x) { return local(x) * 10; }
    int call(int x) { return hidden(x) + local(x); }`;
  const files: Uint8Array<ArrayBuffer>[] = [];
  for (const version of [1, 2, 3]) files.push(await compile(folder, source(version), ["call"]));
  await using registry = new ModuleRegistry({ keepVersions: Infinity });
  using _first = registry.loadBytes("m", files[0]);
  const { symbols: { call } } = registry.open("m", { call: { parameters: ["i32"], result: "i32" } });
  assertEquals([call(0), callsOf(registry, files)], [11, ["own code"]]);
  const refused = () => registry.reload("m", { bytes: files[1], verify: () => false });
  assertThrows(refused, LoadError);
  assertEquals([call(0), callsOf(registry, files.slice(0, 1))], [11, ["own code"]]);
  registry.reload("m", { bytes: files[1] }).close();
  assertEquals([call(0), callsOf(registry, files)], [22, ["trampolines", "own code"]]);
  registry.reload("m", { bytes: files[2] }).close();
  assertEquals([call(0), callsOf(registry, files)], [33, ["trampolines", "trampolines", "own code"]]);
  registry.rollback("m").close();
  assertEquals(call(0), 22);
});

testWithCompilers(
  ["gcc"],
  "a reload adds one table of trampolines, with room for the functions that there are",
  async (folder) => {
    const count = 700;
    const source = (version: number) => {
      const names = Array.from({ length: count }, (_, index) => `f${index}`);
      const functions = names.map((name, index) =>
        `__attribute__((noinline)) int ${name}(int x) { return x + ${index + version}; }`
      );
      return `${functions.join("\n")}\nint all(int x) { ${
        names.map((name) => `x = ${name}(x);`).join("")
      } return x; }`;
    };
    const files: Uint8Array<ArrayBuffer>[] = [];
    for (const version of [1, 2, 3, 4]) {
      files.push(
        await compiledVersion(folder, source(version), {
          flags: ["-O1", "-g", "-fPIC"],
          link: { hot: true },
        }),
      );
    }
    const allocator = new WatchedAllocator();
    await using registry = new ModuleRegistry({ allocator, keepVersions: Infinity });
    using _first = registry.loadBytes("m", files[0]);
    const { symbols: { all } } = registry.open("m", { all: { parameters: ["i32"], result: "i32" } });
    registry.reload("m", { bytes: files[1] }).close();
    for (const version of [3, 4]) {
      const before = new Set(allocator.live);
      registry.reload("m", { bytes: files[version - 1] }).close();
      const { size } = registry.inspect().modules[0].versions.at(-1)!;
      const tables = [...allocator.live].filter((memory) => !before.has(memory) && memory.size !== size);
      assertEquals(tables.length, 1);
      assert(tables[0].size < 12 * count, `${tables[0].size} bytes`);
      assertEquals(all(0), count * (count - 1) / 2 + count * version);
    }
  },
);

testWithCompilers(
  ["gcc"],
  "threads that run old code see all its calls switch at once, over reloads",
  async (folder) => {
    const source = (version: number) => `
      #include <pthread.h>
      static volatile int ended, wrong, newest;
      __attribute__((noinline)) static int first(void) { return ${version}; }
      __attribute__((noinline, visibility("hidden"))) int second(void) { return ${version}; }
      static void *loop(void *unused) {
        while (!ended) {
          int before = first(), after = second();
          // Versions only grow, so the later call sees no older one.
          if (after < before || before < newest) wrong++;
          newest = after;
        }
        return unused;
      }
      static pthread_t thread;
      int begin(void) { return pthread_create(&thread, 0, loop, 0); }
      int seen(void) { return newest; }
      int end(void) { ended = 1; pthread_join(thread, 0); return wrong; }`;
    await using registry = new ModuleRegistry({ keepVersions: Infinity });
    const load = (version: number) => compile(folder, source(version), ["begin", "seen", "end"]);
    using _first = registry.loadBytes("m", await load(1));
    const { symbols } = registry.open("m", { begin: INT, seen: INT, end: INT });
    assertEquals(symbols.begin(), 0);
    for (let version = 2; version <= 9; version++) {
      while (symbols.seen() < version - 1) await new Promise((resolve) => setTimeout(resolve, 1));
      registry.reload("m", { bytes: await load(version) }).close();
    }
    while (symbols.seen() < 9) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(symbols.end(), 0);
  },
);
