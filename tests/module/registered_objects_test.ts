// Variables with destructors over several reloads: in a child, because each of these programs ended it.
import { assert, assertEquals } from "@std/assert";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { runChild } from "../support/modules.ts";

const DESTROYED = "its destructor is registered, and only one version may own what it holds";
const GUARDED = "the variable that it guards starts anew";

interface Result {
  readonly answers: readonly number[];
  readonly carried: readonly string[];
  readonly fresh: readonly { readonly name: string; readonly reason: string }[];
}

/** Loads the first version and reloads the others; the functions are called after each. */
async function reloads(
  folder: string,
  names: string,
  sources: readonly string[],
  flags: readonly string[] = ["-O2"],
): Promise<Result[]> {
  const files: string[] = [];
  for (const source of sources) {
    const file = `${folder}/version${files.length}.smf`;
    Deno.writeFileSync(file, await compiledVersion(folder, source, { compiler: "g++", flags }));
    files.push(file);
  }
  const script = new URL("./reloads_child.ts", import.meta.url);
  const { code, signal, stdout, stderr } = await runChild(script, { args: [names, ...files] });
  assertEquals([code, signal, stderr], [0, null, ""]);
  return JSON.parse(stdout);
}

function freshIn({ fresh }: Result): Record<string, string> {
  return Object.fromEntries(fresh.map(({ name, reason }) => [name, reason]));
}

/** A class that owns heap memory, and a counter that is a plain number. */
const OWNER = `
struct S { int *p; S() { p = new int(7); } ~S() { *p = -1; delete p; } };
static int calls = 0;
extern "C" int count() { return ++calls; }
`;

testWithCompilers(
  ["g++"],
  "a vector starts anew in each version, and plain numbers go on",
  async (folder) => {
    const version = (n: number) => `
    #include <vector>
    std::vector<int> v;
    int pushes = 0;
    extern "C" int push() { v.push_back(${n}); return ++pushes; }
    extern "C" int sum() { int s = 0; for (int x : v) s += x; return s; }`;
    const results = await reloads(folder, "push,sum", [1, 2, 3, 4].map(version));
    assertEquals(results.map(({ answers }) => answers), [[1, 1], [2, 2], [3, 3], [4, 4]]);
    for (const result of results.slice(1)) {
      assertEquals(freshIn(result), { v: DESTROYED });
      assertEquals(result.carried, ["pushes"]);
    }
  },
);

for (const level of ["-O0", "-O2"]) {
  const title = (what: string) => `${what} (${level})`;

  testWithCompilers(["g++"], title("an object that owns heap memory starts anew"), async (folder) => {
    const source = `${OWNER} static S s; extern "C" int get() { return *s.p; }`;
    const results = await reloads(folder, "count,get", [source, source, source, source], [level]);
    assertEquals(results.map(({ answers }) => answers), [[1, 7], [2, 7], [3, 7], [4, 7]]);
    assertEquals(freshIn(results[3]), { _ZL1s: DESTROYED });
  });

  testWithCompilers(
    ["g++"],
    title("an array of objects starts anew, as one in a function"),
    async (folder) => {
      const source = `${OWNER}
      static S array[3];
      extern "C" int get() { return *array[2].p; }
      extern "C" int local() { static S array[2]; return *array[1].p; }`;
      const results = await reloads(folder, "get,local,count", [source, source, source, source], [level]);
      assertEquals(results.map(({ answers }) => answers.slice(0, 2)), [[7, 7], [7, 7], [7, 7], [7, 7]]);
      const { _ZL5array, _ZZ5localE5array, _ZGVZ5localE5array, ...others } = freshIn(results[3]);
      assertEquals([_ZL5array, _ZZ5localE5array], [DESTROYED, DESTROYED]);
      assert(_ZGVZ5localE5array !== undefined);
      // Optimised code may refer to the end of an array only, which is where the next variable starts.
      if (level !== "-O0") return;
      assertEquals(others, {});
      assertEquals(_ZGVZ5localE5array, GUARDED);
      assertEquals(results.map(({ answers }) => answers[2]), [1, 2, 3, 4]);
    },
  );

  testWithCompilers(
    ["g++"],
    title("an object in a function starts anew together with its guard"),
    async (folder) => {
      const source = `${OWNER} extern "C" int local() { static S s; return *s.p; }`;
      const results = await reloads(folder, "count,local", [source, source, source, source], [level]);
      assertEquals(results.map(({ answers }) => answers), [[1, 7], [2, 7], [3, 7], [4, 7]]);
      assertEquals(freshIn(results[3]), { _ZZ5localE1s: DESTROYED, _ZGVZ5localE1s: GUARDED });
    },
  );

  testWithCompilers(
    ["g++"],
    title("an exported array of objects starts anew: its destructor loads the address from a GOT slot"),
    async (folder) => {
      const source = `${OWNER} S array[3], other[2]; int plain[2] = {1, 2};
        extern "C" int get() { return *array[2].p + *other[1].p + plain[0]++; }`;
      for (const more of [[], ["-fno-use-cxa-atexit"]]) {
        const flags = [level, ...more];
        const results = await reloads(folder, "count,get", [source, source, source, source], flags);
        assertEquals(results.map(({ answers }) => answers), [[1, 15], [2, 16], [3, 17], [4, 18]]);
        assertEquals(freshIn(results[3]), { array: DESTROYED, other: DESTROYED });
      }
    },
  );

  testWithCompilers(["g++"], title("a variable that contains such an object starts anew"), async (folder) => {
    const source = `${OWNER}
      #include <new>
      static struct { long before; alignas(S) char storage[sizeof(S)]; long after; } box;
      static struct Start {
        Start() { new (box.storage) S; }
        ~Start() {}
      } start;
      extern "C" int __cxa_atexit(void (*)(void *), void *, void *);
      extern "C" void *__dso_handle;
      static int registered = (__cxa_atexit([](void *s) { ((S *)s)->~S(); }, box.storage, &__dso_handle), 1);
      extern "C" int get() { return *((S *)box.storage)->p; }`;
    const results = await reloads(folder, "count,get", [source, source, source], [level]);
    assertEquals(results.map(({ answers }) => answers), [[1, 7], [2, 7], [3, 7]]);
    assertEquals(freshIn(results[2])._ZL3box, DESTROYED);
  });

  testWithCompilers(
    ["g++"],
    title("without __cxa_atexit the functions that destroy objects are found, too"),
    async (folder) => {
      const source = `${OWNER} static S s, array[2]; extern "C" int get() { return *s.p + *array[1].p; }`;
      const flags = [level, "-fno-use-cxa-atexit"];
      const results = await reloads(folder, "count,get", [source, source, source, source], flags);
      assertEquals(results.map(({ answers }) => answers), [[1, 14], [2, 14], [3, 14], [4, 14]]);
    },
  );

  testWithCompilers(["g++"], title("thread-local objects belong to their version"), async (folder) => {
    const source = `${OWNER} thread_local S s; extern "C" int get() { return *s.p; }`;
    const results = await reloads(folder, "count,get", [source, source, source, source], [level]);
    assertEquals(results.map(({ answers }) => answers), [[1, 7], [2, 7], [3, 7], [4, 7]]);
  });
}

testWithCompilers(
  ["g++"],
  "an object that only the new version has is not overwritten with bytes",
  async (folder) => {
    const results = await reloads(folder, "count,get", [
      `${OWNER} struct T { long p; }; T s = { 42 }; extern "C" int get() { return s.p; }`,
      `${OWNER} S s; extern "C" int get() { return *s.p; }`,
      `${OWNER} struct T { long p; }; T s = { 43 }; extern "C" int get() { return s.p; }`,
    ]);
    assertEquals(results.map(({ answers }) => answers), [[1, 42], [2, 7], [3, 43]]);
  },
);

testWithCompilers(
  ["g++"],
  "a variable whose guard is new is initialised by the new version, and the report says so",
  async (folder) => {
    const results = await reloads(folder, "get", [
      `extern "C" int get() { static int n = 5; return n++; }`,
      `extern "C" int start() { return 100; } int (*volatile f)() = start;
       extern "C" int get() { static int n = f(); return n++; }`,
      `extern "C" int start() { return 100; } int (*volatile f)() = start;
       extern "C" int get() { static int n = f(); return n++; }`,
    ]);
    assertEquals(results.map(({ answers }) => answers), [[5], [100], [101]]);
    assert(freshIn(results[1])._ZZ3getE1n.startsWith("its guard starts anew: "));
    assert(results[2].carried.includes("_ZZ3getE1n"));
  },
);

testWithCompilers(
  ["g++"],
  "a handler given to atexit leaves the variables that it uses alone",
  async (folder) => {
    const source = `#include <stdlib.h>
    int total = 0;
    static void report() { total = -1; }
    static int registered = atexit(report);
    extern "C" int count() { return ++total; }`;
    const results = await reloads(folder, "count", [source, source, source]);
    assertEquals(results.map(({ answers }) => answers), [[1], [2], [3]]);
  },
);
