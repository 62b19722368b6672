// Names that compilers number or that occur twice: matched by the functions that use them, or not at all.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { compare } from "../../src/cli/analysis/compare.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { INT } from "../support/versions.ts";

const NUMBERED = "the compiler numbers its name, and no variable of the old version has the same users";
const COUNT_A = "int a(void) { static int n = 100; return ++n; }";
const COUNT_B = "int b(void) { static int n = 200; return ++n; }";

/** Calls a and b in both versions; also asserts that `compare` foretells what the reload does. */
async function reload(folder: string, sources: readonly string[], options = {}) {
  const [before, after] = [
    await compiledVersion(folder, sources[0], options),
    await compiledVersion(folder, sources[1], options),
  ];
  await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  const call = (module: ReturnType<typeof registry.load>) =>
    ["a", "b"].map((name) => module.getFunction(name, INT)?.());
  const first = call(registry.loadBytes("m", before));
  const module = registry.reload("m", { bytes: after, state: "carry" });
  const { carried, fresh } = module.carried!;
  const foretold = compare(
    { path: "old", file: parseSmf(before) },
    { path: "new", file: parseSmf(after) },
  );
  assertEquals(foretold.carried, carried);
  assertEquals(
    foretold.changes.filter(({ effect }) => effect === "migrate").map(({ name, detail }) => [name, detail]),
    fresh.filter(({ reason }) => !reason.startsWith("the old version has no")).map((
      { name, reason },
    ) => [name, reason]),
  );
  return { calls: [first, call(module)], carried, fresh, verdict: foretold.verdict };
}

for (const level of ["-O0", "-O1", "-O2", "-Os"]) {
  testWithCompilers(
    ["gcc"],
    `statics in functions keep their values when a new function changes their numbers (${level})`,
    async (folder) => {
      const third = "int c(void) { static int n = 300; return ++n; }";
      for (const second of [[COUNT_A, COUNT_B, third], [third, COUNT_A, COUNT_B], [COUNT_B, COUNT_A]]) {
        const { calls, fresh } = await reload(
          folder,
          [`${COUNT_A}\n${COUNT_B}`, second.join("\n")],
          { flags: [level] },
        );
        assertEquals(calls, [[101, 201], [102, 202]]);
        assertEquals(fresh.length, second.length - 2);
      }
    },
  );
}

testWithCompilers(["gcc"], "a single numbered static is not that of another function", async (folder) => {
  const sources = [
    `${COUNT_A} int b(void) { return 0; }`,
    `int a(void) { return 0; } ${COUNT_B}`,
  ];
  const { calls, fresh, verdict } = await reload(folder, sources);
  assertEquals(calls, [[101, 0], [0, 201]]);
  assertEquals(fresh.map(({ reason }) => reason), [NUMBERED]);
  assertEquals(verdict, "migrate");
});

testWithCompilers(
  ["gcc"],
  "statics of one name in one function start anew: nobody knows which is which",
  async (folder) => {
    const two = (first: number, second: number) => `
    int a(void) { { static int n = ${first}; n++; } { static int n = ${second}; return ++n; } }
    int b(void) { return 0; }`;
    const { calls, fresh } = await reload(folder, [two(1, 100), two(2, 200)]);
    assertEquals(calls, [[101, 0], [201, 0]]);
    assertEquals(fresh.map(({ reason }) => reason), [NUMBERED, NUMBERED]);
  },
);

testWithCompilers(
  ["g++"],
  "statics of one name in C++ functions and lambdas are told apart",
  async (folder) => {
    const source = (lambdas: string) => `
    extern "C" int a() { static int n = 100; return ++n; }
    extern "C" int b() { ${lambdas} static int n = 200; return ++n + use; }`;
    const one = `auto f = [] { static int k = 1; return ++k; }; volatile int use = f(); use = 0;`;
    const two = `auto g = [] { static int k = 50; return ++k; }; volatile int use = g(); use = 0; ${one}`
      .replace("; volatile int use = f()", "; use = f()");
    const { calls, fresh } = await reload(folder, [source(one), source(two)], {
      compiler: "g++",
      flags: ["-O2"],
    });
    assertEquals(calls, [[101, 201], [102, 202]]);
    assertEquals(new Set(fresh.map(({ reason }) => reason)), new Set([NUMBERED]));
    assertEquals(fresh.length, 2);
  },
);
