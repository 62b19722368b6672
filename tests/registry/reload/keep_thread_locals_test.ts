// Thread-local variables stay in the blocks of the first version, as long as the layout of these is the same.
import { assertEquals } from "@std/assert";
import { linkObjects, type LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { C, CPP, freshOf, KeptModule, rejection } from "../../support/kept_module.ts";

const MODELS: Readonly<Record<string, readonly string[]>> = {
  "general dynamic": ["-ftls-model=global-dynamic"],
  "local dynamic": ["-ftls-model=local-dynamic"],
  "initial exec": ["-ftls-model=initial-exec"],
  "descriptors": ["-mtls-dialect=gnu2"],
  "local exec": ["-fno-pic", "-ftls-model=local-exec"],
};

for (const [model, flags] of Object.entries(MODELS)) {
  testWithCompilers(["gcc"], `thread-local variables stay in every thread (${model})`, async (folder) => {
    const source = (version: number, more = "") => `
      #include <pthread.h>
      static __thread int counter = 10;
      __thread long total;
      ${more}
      static int step_number;
      static pthread_t thread;
      static volatile int asked, answered;
      static void count(void) { counter += ${version}; total++; }
      static int now(void) { return counter * 100 + (int)total; }
      int step(void) { count(); return now(); }
      void answer(void) { count(); answered = now(); }
      static void (*volatile task)(void);
      static void *run(void *unused) {
        for (;;) { while (!asked) {} if (asked < 0) return 0; task(); asked = 0; }
      }
      int start(void) { return pthread_create(&thread, 0, run, 0); }
      int ask(void) { task = answer; asked = 1; while (asked) {} return answered; }
      int stop(void) { asked = -1; return pthread_join(thread, 0); }
      static void *fresh(void *result) { count(); *(int *)result = now(); return 0; }
      int once(void) { pthread_t other; int result; pthread_create(&other, 0, fresh, &result); pthread_join(other, 0); return result; }`;
    await using kept = new KeptModule(folder, { flags: [...C, "-pthread", ...flags] });
    await kept.load(source(1));
    assertEquals([kept.call("start"), kept.call("ask"), kept.call("step")], [0, 1101, 1101]);
    let value = 11, count = 1;
    const step = (version: number): void => {
      value += version;
      count++;
      assertEquals(kept.call("step"), value * 100 + count, `version ${version}`);
      assertEquals(kept.call("ask"), value * 100 + count, `version ${version}, in a thread`);
      assertEquals(kept.call("once"), (10 + version) * 100 + 1, `version ${version}, in a new thread`);
    };
    for (let version = 2; version <= 21; version++) {
      const report = await kept.reload(source(version));
      assertEquals(freshOf(report), {});
      assertEquals(["counter", "total"].filter((name) => !report.kept.includes(name)), []);
      assertEquals(report.matchedBySize, []);
      step(version);
      if (version === 7 || version === 13) {
        assertEquals(kept.rollback().kept.includes("counter"), true);
        step(version - 1);
      }
    }
    const reason = "it is thread-local, and such variables have other names, sizes or places now";
    const report = await kept.reload(source(30, "__thread int another = 3;"));
    assertEquals(new Set(Object.values(freshOf(report))), new Set([reason]));
    assertEquals(Object.keys(freshOf(report)).sort(), ["another", "counter", "total"]);
    assertEquals(kept.call("step"), 4001);
    kept.rollback();
    step(21);
    assertEquals(kept.call("stop"), 0);
  });
}

testWithCompilers(
  ["g++"],
  "thread-local objects are made once a thread, and destroyed once",
  async (folder) => {
    const source = (version: number) => `
      #include <thread>
      static int made, destroyed;
      struct item { int value = 1; item() { made++; } ~item() { destroyed++; } };
      static thread_local item own;
      extern "C" int step(void) { return own.value += ${version}; }
      extern "C" int once(void) { int value; std::thread([&] { value = own.value += ${version}; }).join(); return value; }
      extern "C" int count(void) { return made * 100 + destroyed; }`;
    await using kept = new KeptModule(folder, { ...CPP, flags: [...CPP.flags, "-pthread"] });
    await kept.load(source(1));
    let value = 2;
    assertEquals([kept.call("step"), kept.call("once"), kept.call("count")], [value, 2, 201]);
    for (let version = 2; version < 6; version++) {
      assertEquals(freshOf(await kept.reload(source(version))), {});
      value += version;
      // A new thread makes one more object, which goes with it.
      assertEquals([kept.call("step"), kept.call("once")], [value, 1 + version]);
      assertEquals(kept.call("count"), (version + 1) * 100 + version);
    }
    kept.rollback();
    assertEquals([kept.call("step"), kept.call("once")], [value + 4, 5]);
  },
);

testWithCompilers(
  ["gcc"],
  "thread-local variables of a refused version are its own again",
  async (folder) => {
    const source = (version: number) => `
    static __thread int counter = ${version};
    int step(void) { return counter += 10; }`;
    const INT = { parameters: [], result: "i32" } as const;
    await using kept = new KeptModule(folder);
    await kept.load(source(1));
    assertEquals(kept.call("step"), 11);
    const asked: number[] = [];
    const error = await rejection(() =>
      kept.reload(source(2), {
        verify(candidate) {
          asked.push(candidate.getFunction("step", INT)!());
          return false;
        },
      })
    );
    // What the refused version wrote stays written.
    assertEquals([error.kind, asked, kept.call("step")], ["Incompatible", [21], 31]);
    const report = await kept.reload(source(3));
    assertEquals([report.kept, report.initialValueChanged], [["counter"], ["counter"]]);
    assertEquals(kept.call("step"), 41);
  },
);

testWithCompilers(
  ["gcc"],
  "what nobody knows of thread-local variables starts anew, and the report says why",
  async (folder) => {
    const body = (version: number) =>
      `int ask(void) { return counter + ${version}; } int bump(void) { return ++counter; }`;
    const cases: Readonly<Record<string, readonly [first: string, second: string]>> = {
      "it is thread-local, and the old version has no such variable": [
        "int counter;",
        "__thread int counter;",
      ],
      "it is thread-local, and initial values of such variables are addresses": [
        "int other; __thread int *pointer = &other; __thread int counter;",
        "int other; __thread int *pointer = &other; __thread int counter;",
      ],
      "it is thread-local, and the type of 'more' has changed": [
        "__thread int counter; __thread int more;",
        "__thread int counter; __thread float more;",
      ],
      "it is thread-local, and names of such variables are not unique, or compilers number them": [
        "__thread int counter; int *a(int x) { if (x) { static __thread int n; return &n; } { static __thread int n; return &n; } }",
        "__thread int counter; int *a(int x) { if (x) { static __thread int n; return &n; } { static __thread int n; return &n; } }",
      ],
      "it is thread-local, and such variables have other names, sizes or places now": [
        "__thread int counter; __thread int more;",
        "__thread int counter; __thread long more;",
      ],
    };
    for (const [reason, [first, second]] of Object.entries(cases)) {
      await using kept = new KeptModule(folder);
      await kept.load(`${first} ${body(100)}`);
      kept.call("bump");
      const fresh = freshOf(await kept.reload(`${second} ${body(200)}`));
      assertEquals(fresh["counter"], reason);
      assertEquals(kept.call("ask"), 200, reason);
    }
  },
);

testWithCompilers(["gcc"], "importers that come later use the blocks that stay", async (folder) => {
  const provider = (version: number) =>
    `__thread int shared = 5; int add(void) { return shared += ${version}; }`;
  const importer = "extern __thread int shared; int read(void) { return shared; }";
  await using kept = new KeptModule(folder);
  await kept.load(provider(1));
  assertEquals(kept.call("add"), 6);
  await kept.reload(provider(10));
  assertEquals(kept.call("add"), 16);
  using user = kept.registry.loadBytes("user", await kept.compile(importer));
  assertEquals(user.getFunction("read", { parameters: [], result: "i32" })!(), 16);
});

testWithCompilers(["gcc"], "equal names in several files and functions are not mixed up", async (folder) => {
  const linked = async (version: number, ...names: string[]) => {
    const objects = [];
    for (const name of names) {
      const text = `
        static __thread int n;
        int ${name}(void) { static __thread int m; n += ${version}; m += 10 * ${version}; return n * 1000 + m; }`;
      Deno.writeTextFileSync(`${folder}/${name}.c`, text);
      await compile("gcc", ["-fPIC", ...C, "-c", `${name}.c`, "-o", `${name}.o`], folder);
      objects.push({ name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) });
    }
    return linkObjects(objects, { reloadable: true }).bytes as Uint8Array<ArrayBuffer>;
  };
  using registry = new ModuleRegistry();
  const INT = { parameters: [], result: "i32" } as const;
  using first = registry.loadBytes("m", await linked(1, "first", "second"));
  const values = (module: LoadedModule, ...names: string[]): number[] =>
    names.map((name) => module.getFunction(name, INT)!());
  assertEquals(values(first, "first", "second"), [1010, 1010]);
  using second = registry.reload("m", { bytes: await linked(2, "first", "second"), state: "keep" });
  assertEquals(values(second, "first", "second"), [3030, 3030]);
  using third = registry.reload("m", {
    bytes: await linked(3, "first", "third"),
    state: "keep",
    compatibility: "allow",
  });
  // The layout is the same, but some of them are others.
  assertEquals(third.carried!.fresh.map(({ name }) => name).sort(), [
    "first.m@first.c",
    "n@first.c",
    "n@third.c",
    "third.m@third.c",
  ]);
  assertEquals(values(third, "first", "third"), [3030, 3030]);
});
