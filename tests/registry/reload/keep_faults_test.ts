// A fault at any step of a reload that keeps variables leaves the version that runs as it was.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LoadError, type TakeoverOptions } from "../../../mod.ts";
import { C, CPP, KeptModule, rejection } from "../../support/kept_module.ts";
import { RefusingAllocator } from "../../support/refusing_allocator.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const SOURCE = (version: number) => `
  #include <string>
  #include <vector>
  std::vector<std::string> texts;
  int counter, *pointer = &counter;
  const int *constant = &counter;
  struct registered { registered() { texts.push_back(std::string(100, '0' + ${version % 10})); } } registered;
  extern "C" int step(void) { counter++; texts.push_back(std::string(200, 'x')); return counter == *pointer && counter == *constant; }
  extern "C" int count(void) { return counter; }
  extern "C" int size(void) { return (int)texts.size(); }
  extern "C" int version(void) { return ${version}; }`;

testWithCompilers(
  ["g++"],
  "a reload that the system refuses something at any step changes nothing",
  async (folder) => {
    const allocator = new RefusingAllocator();
    {
      await using kept = new KeptModule(folder, CPP, { allocator });
      await kept.load(SOURCE(1));
      let steps = 0;
      const step = (version: number): void => {
        assertEquals(kept.call("step"), 1);
        steps++;
        assertEquals([kept.call("count"), kept.call("size")], [steps, steps + 1]);
        assertEquals(kept.call("version"), version);
      };
      step(1);
      let version = 2, failures = 0, next = await kept.compile(SOURCE(version));
      for (let refused = 1;; refused++) {
        allocator.calls = 0;
        allocator.refused = refused;
        const work = kept.reload(next);
        const failed = await work.then(() => false, (error) => {
          assert(error instanceof LoadError && error.kind === "OutOfMemory", `${error}`);
          return true;
        });
        const isReached = allocator.calls >= refused;
        allocator.refused = 0;
        if (failed) failures++;
        else next = await kept.compile(SOURCE(++version));
        step(version - 1);
        if (!isReached) break;
      }
      assert(failures >= 5, `${failures} failures`);
      kept.rollback();
      step(version - 2);
    }
    // A candidate whose code the system does not make executable again stays.
    assert(allocator.live.size <= 1, `${allocator.live.size} ranges stay`);
  },
  { sanitizeResources: false },
);

testWithCompilers(
  ["g++"],
  "a reload that migrate, verify or an initialiser refuses leaves code, values and places",
  async (folder) => {
    await using kept = new KeptModule(folder, CPP);
    await kept.load(SOURCE(1));
    kept.call("step");
    const refuse: TakeoverOptions[] = [
      { verify: () => false },
      {
        migrate: () => {
          throw new LoadError("Incompatible", "refused by the test");
        },
      },
      {
        // It works on the variables of the version that runs already; what it writes stays written.
        verify: (candidate) => {
          const step = candidate.getFunction("step", { parameters: [], result: "i32" });
          assertEquals(step!(), 1);
          return false;
        },
      },
    ];
    for (const [index, options] of refuse.entries()) {
      const error = await rejection(() => kept.reload(SOURCE(2), options));
      assertStringIncludes(error.message, index === 1 ? "refused by the test" : "verify refused");
      assertEquals(kept.call("version"), 1);
      assertEquals(kept.call("step"), 1);
    }
    assertEquals(kept.call("count"), 5);
    assertEquals((await kept.reload(SOURCE(2))).fresh, []);
    await rejection(() => Promise.resolve().then(() => kept.rollback({ verify: () => false })));
    assertEquals([kept.call("version"), kept.call("step"), kept.call("count")], [2, 1, 6]);
  },
);

testWithCompilers(
  ["gcc"],
  "versions that were linked without homes are refused, with the next step",
  async (folder) => {
    await using kept = new KeptModule(folder, { flags: C });
    await kept.load("int counter; int step(void) { return ++counter; }");
    kept.call("step");
    const plain = await kept.compile("int counter; int step(void) { return ++counter; }", false);
    for (const state of ["keep"] as const) {
      const error = await rejection(async () =>
        void await kept.registry.reload("m", { bytes: plain, state })
      );
      assertStringIncludes(error.message, "the new version was linked without homes");
      assertStringIncludes(`${error.data.hint ?? error.hint}`, "smf link --reloadable");
    }
    assertEquals(kept.call("step"), 2);
    // This falls back to copies of the values.
    const carried = kept.registry.reload("m", { bytes: plain, state: "keep-or-carry" });
    assertEquals(carried.carried!.carried, ["counter"]);
    carried.close();
  },
);

testWithCompilers(
  ["gcc"],
  "a candidate that a call still runs when it is refused is left alone, and stays",
  async (folder) => {
    const source = (version: number) => `
      int counter = 40;
      int step(void) { return counter += ${version}; }
      int slow(void) { for (volatile int i = 0; i < 100000000; i++); return counter += 100; }`;
    await using kept = new KeptModule(folder, { flags: C });
    await kept.load(source(1));
    let slow: Promise<number> | undefined;
    const INT = { parameters: [], result: "i32", nonblocking: true } as const;
    const error = await rejection(() =>
      kept.reload(source(2), {
        verify: (candidate) => {
          slow = candidate.getFunction("slow", INT)!();
          return false;
        },
      })
    );
    assertStringIncludes(error.message, "verify refused");
    assertEquals(kept.call("step"), 41);
    // It works on the variable that stays.
    assertEquals(await slow, 141);
    assertEquals(kept.call("step"), 142);
    assertEquals((await kept.reload(source(3))).kept, ["counter"]);
    assertEquals(kept.call("step"), 145);
  },
  { sanitizeResources: false },
);

testWithCompilers(
  ["g++"],
  "a reload that the system refuses something leaves virtual tables as they were",
  async (folder) => {
    const source = (version: number) => `
      struct shape {
        shape *next = nullptr;
        virtual int version() { return ${version}; }
        ${
      Array.from({ length: version - 1 }, (_, at) => `virtual int more${at}() { return ${version}; }`).join(
        "",
      )
    }
      };
      static shape *list;
      extern "C" int add(void) { shape *last = new shape; last->next = list; list = last; return 0; }
      extern "C" int check(void) {
        for (shape *each = list; each; each = each->next) {
          if (each->version() != ${version}) return 1;
          ${
      Array.from({ length: version - 1 }, (_, at) => `if (each->more${at}() != ${version}) return 2;`).join(
        "",
      )
    }
        }
        return 0;
      }`;
    const allocator = new RefusingAllocator();
    {
      await using kept = new KeptModule(folder, { ...CPP, link: { hot: true, spareVirtuals: 64 } }, {
        allocator,
      });
      await kept.load(source(1));
      let version = 1, failures = 0, next = await kept.compile(source(version + 1));
      for (let refused = 1;; refused++) {
        assertEquals([kept.call("add"), kept.call("check")], [0, 0], `${refused}`);
        allocator.calls = 0;
        allocator.refused = refused;
        const failed = await kept.reload(next).then(() => false, (error) => {
          assert(error instanceof LoadError && error.kind === "OutOfMemory", `${error}`);
          return true;
        });
        const isReached = allocator.calls >= refused;
        allocator.refused = 0;
        if (failed) failures++;
        else {
          version++;
          next = await kept.compile(source(version + 1));
        }
        if (!isReached) break;
      }
      assert(failures >= 5, `${failures} failures`);
      kept.rollback();
      version--;
      assertEquals([kept.call("add"), kept.call("check")], [0, 0]);
    }
    assert(allocator.live.size <= 1, `${allocator.live.size} ranges stay`);
  },
  { sanitizeResources: false },
);
