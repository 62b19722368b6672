// Variables that stay where they are: real modules, from compilers, reloaded while they hold what cannot be copied.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CarryReport } from "../../../mod.ts";
import { CPP, freshOf, KeptModule, rejection } from "../../support/kept_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";

testWithCompilers(
  ["g++"],
  "the guard of a static variable comes and goes with what initialises it",
  async (folder) => {
    const source = (initial: string) => `
    volatile int seed = 40;
    __attribute__((noinline)) int compute() { return seed; }
    extern "C" int next(void) { static int n = ${initial}; return ++n; }
    extern "C" int other(void) { static int late = ${initial}; return ++late; }`;
    await using kept = new KeptModule(folder, CPP);
    await kept.load(source("40"));
    assertEquals(kept.call("next"), 41);
    const report = await kept.reload(source("compute()"));
    assertEquals(freshOf(report)["_ZGVZ4nextE1n"], "the old version has no variable of this name");
    assertEquals(kept.call("next"), 42);
    await kept.reload(source("40"));
    assertEquals(kept.call("next"), 43);
    assert((await kept.reload(source("compute()"))).kept.includes("_ZGVZ4nextE1n"));
    assertEquals(kept.call("next"), 44);
    // Never called so far: its constant value is its value, and needs no initialisation.
    assertEquals(kept.call("other"), 41);
  },
);

testWithCompilers(
  ["g++"],
  "a static variable that was not initialised yet starts fresh if nobody would do it",
  async (folder) => {
    const source = (initial: string) => `
    volatile int seed = 40;
    __attribute__((noinline)) int compute() { return seed; }
    extern "C" int next(void) { static int n = ${initial}; return ++n; }`;
    await using kept = new KeptModule(folder, CPP);
    await kept.load(source("compute()"));
    const report = await kept.reload(source("50"));
    assertEquals(freshOf(report), { _ZZ4nextE1n: "'_ZZ4nextE1n' was not initialised yet" });
    assertEquals(kept.call("next"), 51);
  },
);

testWithCompilers(["gcc"], "a struct that gets a field moves, and back", async (folder) => {
  const source = (field: string, sum: string) => `
    struct point { int x; ${field} int y; } point = {1, .y = 2};
    int counter;
    void *remembered;
    int step(void) { counter++; return point.x++ * 1000 + point.y + ${sum}; }
    int remember(void) { remembered = &point; return 0; }
    int sum(void) { return ${sum}; }`;
  await using kept = new KeptModule(folder);
  await kept.load(source("", "0"));
  assertEquals(kept.call("step"), 1002);
  kept.call("remember");
  const report = await kept.reload(source("int z;", "point.z"));
  assertEquals(report.moved.map(({ name, changes }) => [name, ...changes]), [[
    "point",
    "struct point: + int z; x, y keep their values",
  ]]);
  assertEquals(report.kept.toSorted(), ["counter", "remembered"]);
  assertEquals(report.oldPointers.map(({ name, offset }) => [name, offset]), [["remembered", 0]]);
  assertEquals(kept.call("step"), 2002);
  assertEquals(kept.rollback().moved.map(({ name }) => name), ["point"]);
  assertEquals(kept.call("step"), 3002);
  const error = await rejection(() => kept.reload(source("int z;", "point.z"), { oldPointers: "refuse" }));
  assertStringIncludes(error.message, "some hold addresses of variables");
  assertEquals(kept.call("step"), 4002);
});

testWithCompilers(["gcc"], "variables of one section stay together, or none of them does", async (folder) => {
  const source = (more: string, step: number) => `
    static int a = 1, b = 2; ${more}
    int step(void) { a += ${step}; b++; return a * 100 + b; }`;
  await using kept = new KeptModule(folder, { flags: ["-O1", "-g", "-fno-data-sections"] });
  await kept.load(source("", 1));
  assertEquals(kept.call("step"), 203);
  const report = await kept.reload(source("", 2));
  assertEquals(report.kept.toSorted(), ["a", "b"]);
  assertEquals(kept.call("step"), 404);
  const fresh = freshOf(await kept.reload(source("static int c = 7; int get(void) { return c++; }", 1)));
  assertEquals(Object.keys(fresh).sort(), ["a", "b", "c"]);
  assertMatch(fresh.a, /shares a section/);
  assertEquals(kept.call("step"), 203);
});

testWithCompilers(["gcc"], "a variable that comes back has its value", async (folder) => {
  const source = (has: boolean, step: number) => `
    int always = 1; ${has ? "int sometimes = 10; int use(void) { return ++sometimes; }" : ""}
    int step(void) { return always += ${step}; }`;
  await using kept = new KeptModule(folder, undefined, { keepVersions: 1 });
  await kept.load(source(true, 1));
  assertEquals(kept.call("use"), 11);
  for (let round = 0; round < 3; round++) {
    assertEquals((await kept.reload(source(false, round))).kept, ["always"]);
    await kept.reload(source(false, round + 1));
    assertEquals((await kept.reload(source(true, round))).kept.toSorted(), ["always", "sometimes"]);
    assertEquals(kept.call("use"), 12 + round);
  }
});

testWithCompilers(
  ["gcc"],
  "addresses of labels are fresh, in initial values and in what code stored",
  async (folder) => {
    const source = (step: number) => `
    int run(int from) {
      static void *volatile table[] = { &&one, &&two };
      static void *resume;
      static int count;
      count += ${step};
      if (from == 2 && resume) goto *resume;
      if (from > 1) goto *table[1];
      goto *table[0];
      one: resume = &&two; return 10 + count;
      two: return ${step} * 1000 + count;
    }`;
    await using kept = new KeptModule(folder);
    await kept.load(source(1));
    assertEquals(kept.call("run", 0), 11);
    assertEquals(freshOf(await kept.reload(source(2))), {
      "run.resume": "it holds an address inside function 'run'",
      "run.table": "its initial value has the address of a place inside a function",
    });
    assertEquals(kept.call("run", 2), 2003);
  },
);

testWithCompilers(
  ["gcc"],
  "a watch keeps variables where it can, and copies or drops them where it cannot",
  async (folder) => {
    const source = (step: number) => `int counter = 1; int step(void) { return counter += ${step}; }`;
    await using kept = new KeptModule(folder);
    const path = `${folder}/watched.smf`;
    const write = async (step: number, reloadable = true): Promise<void> => {
      Deno.writeFileSync(`${path}.new`, await kept.compile(source(step), reloadable));
      Deno.renameSync(`${path}.new`, path);
    };
    await write(1);
    kept.registry.load(path);
    const live = kept.registry.open(path, { step: { parameters: [], result: "i32" } });
    assertEquals(live.symbols.step(), 2);
    const found: (CarryReport | undefined)[] = [];
    await write(10);
    for await (const event of kept.registry.watch({ paths: [path], force: true, debounce: 5 })) {
      if (event.kind !== "reloaded") continue;
      found.push(event.carried);
      if (found.length === 1) await write(100, false);
      else break;
    }
    assertEquals(found.map((report) => report?.kept), [["counter"], undefined]);
    // The last version has no homes: without `state` a watch starts it anew.
    assertEquals(live.symbols.step(), 101);
    live.close();
  },
);

testWithCompilers(
  ["gcc"],
  "other states after kept variables start anew or say what to do",
  async (folder) => {
    const source = (step: number) => `int counter = 1; int step(void) { return counter += ${step}; }`;
    await using kept = new KeptModule(folder);
    await kept.load(source(1));
    kept.call("step");
    await kept.reload(source(2));
    assertEquals(kept.call("step"), 4);
    const error = await rejection(() => kept.reload(source(3), { state: "carry" }));
    assertStringIncludes(error.message, "in the memory of versions before it");
    assertEquals(kept.call("step"), 6);
    await kept.reload(source(3), { state: "fresh" });
    assertEquals(kept.call("step"), 4);
    assertEquals((await kept.reload(source(4))).kept, ["counter"]);
    assertEquals(kept.call("step"), 8);
    kept.rollback({ state: "fresh" });
    assertEquals(kept.call("step"), 11);
    // Its variable is elsewhere.
    await rejection(async () => void await Promise.resolve(kept.rollback()));
    kept.rollback({ state: "fresh" });
    assertEquals(kept.call("step"), 8);
  },
);

testWithCompilers(["gcc"], "initial values that changed are reported, or taken", async (folder) => {
  const source = (initial: number, step: number) => `
    int gravity = ${initial}, written = ${initial}; int *where = &gravity;
    int step(void) { return written += ${step}; } int get(void) { return *where * 100 + written; }`;
  await using kept = new KeptModule(folder);
  await kept.load(source(2, 1));
  kept.call("step");
  assertEquals((await kept.reload(source(3, 1))).initialValueChanged.toSorted(), ["gravity", "written"]);
  assertEquals(kept.call("get"), 203);
  const report = await kept.reload(source(4, 1), { take: "unwritten" });
  assertEquals(freshOf(report), {
    gravity: "the program has not written it, and its initial value has changed",
  });
  // The pointer stays, and still leads to the old place.
  assertEquals(report.oldPointers.map(({ name }) => name), ["where"]);
  assertEquals(Object.keys(freshOf(await kept.reload(source(5, 1), { take: ["written"] }))), ["written"]);
  assertEquals(kept.call("get") % 100, 5);
});
