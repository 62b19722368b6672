// Objects that stay where they are: with destructors, in threads, with virtual functions, and their ends.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { C, CPP, freshOf, KeptModule, rejection } from "../../support/kept_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const OBJECTS = (version: number, log: string) => `
  #include <cstdio>
  #include <map>
  #include <memory>
  #include <string>
  #include <vector>
  struct logged { const char *name; ~logged() { FILE *f = fopen("${log}", "a"); fputs(name, f); fclose(f); } };
  logged first{"first\\n"};
  std::vector<int> numbers;
  std::map<int, std::string> texts;
  std::string text(1000, 'x');
  std::unique_ptr<int> owned(new int(7));
  struct node { int value; node *next; };
  static node *list;
  static int counter = 5;
  int array[4] = {1, 2, 3, 4};
  ${version === 3 ? 'logged added{"added\\n"};' : ""}
  static int lengthOfList() { int length = 0; for (node *each = list; each; each = each->next) length++; return length; }
  extern "C" int step(int count) {
    static std::string label(300, 'a');
    static logged inner{"inner\\n"};
    counter += ${version};
    numbers.push_back(count);
    texts[count] = text;
    list = new node{count, list};
    array[count & 3]++;
    ++*owned;
    label += 'b';
    return ${version};
  }
  extern "C" int check(int steps, int sum) {
    if (counter != 5 + sum) return 1;
    if ((int)numbers.size() != steps || (int)texts.size() != steps) return 2;
    for (int i = 0; i < steps; i++) if (numbers[i] != i || texts[i] != std::string(1000, 'x')) return 3;
    if (lengthOfList() != steps || *owned != 7 + steps) return 4;
    if (array[0] + array[1] + array[2] + array[3] != 10 + steps) return 5;
    return 0;
  }`;

testWithCompilers(
  ["g++"],
  "objects with destructors go on over 20 reloads and two rollbacks, and end once",
  async (folder) => {
    const log = `${folder}/log`;
    Deno.writeTextFileSync(log, "");
    {
      await using kept = new KeptModule(folder, CPP);
      await kept.load(OBJECTS(1, log));
      let sum = 0, steps = 0;
      const step = (version: number): void => {
        assertEquals(kept.call("step", steps++), version);
        sum += version;
        assertEquals(kept.call("check", steps, sum), 0);
      };
      step(1);
      for (let version = 2; version <= 21; version++) {
        const report = await kept.reload(OBJECTS(version, log));
        assertEquals(
          freshOf(report),
          version === 3 ? { added: "the old version has no variable of this name" } : {},
        );
        for (
          const name of ["numbers", "_Z5textsB5cxx11", "owned", "array", "first", "_ZL7counter", "_ZL4list"]
        ) {
          assert(report.kept.includes(name), name);
        }
        assert(report.unused!.names.includes("owned"));
        step(version);
        if (version === 4 || version === 11) {
          kept.rollback();
          step(version - 1);
        }
      }
      assertEquals(Deno.readTextFileSync(log), "");
    }
    // Newest first: the only object of the third version, then those of the first.
    assertEquals(Deno.readTextFileSync(log), "added\ninner\nfirst\n");
  },
);

testWithCompilers(
  ["gcc", "g++"],
  "functions for the end run once, and arrays of objects are destroyed where they are",
  async (folder) => {
    const log = `${folder}/log`;
    const source = (version: number) => `
    #include <cstdio>
    #include <cstdlib>
    static void log(const char *text) { FILE *f = fopen("${log}", "a"); fprintf(f, "%s\\n", text); fclose(f); }
    struct item { int value = 1; ~item() { log(value == 1 ? "item" : "changed item"); } };
    item items[2];
    char *buffer;
    extern "C" void at_end(void) { log(buffer ? buffer : "nothing"); free(buffer); buffer = nullptr; }
    extern "C" __attribute__((destructor)) void finish(void) { log("finish ${version}"); }
    __attribute__((constructor)) static void begin(void) { buffer = (char *)calloc(1, 20); snprintf(buffer, 20, "buffer ${version}"); atexit(at_end); }
    extern "C" int change(void) { return ++items[0].value; }`;
    Deno.writeTextFileSync(log, "");
    {
      await using kept = new KeptModule(folder, CPP);
      await kept.load(source(1));
      assertEquals(kept.call("change"), 2);
      for (let version = 2; version < 5; version++) await kept.reload(source(version));
      assertEquals(kept.call("change"), 3);
    }
    const lines = Deno.readTextFileSync(log).trim().split("\n").sort();
    assertEquals(lines, ["buffer 1", "changed item", "finish 4", "item"]);
  },
);

testWithCompilers(["gcc"], "a thread that holds a mutex and counts loses nothing", async (folder) => {
  const source = (version: number) => `
    #include <pthread.h>
    #include <stdatomic.h>
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_t thread;
    static atomic_int total, ends, holds;
    static void *run(void *unused) {
      int own = 0;
      pthread_mutex_lock(&mutex); holds = 1;
      while (!ends) { total++; own++; }
      pthread_mutex_unlock(&mutex);
      return (void *)(long)own;
    }
    int start(void) { int error = pthread_create(&thread, 0, run, 0); while (!holds); return error; }
    int locked(void) { return pthread_mutex_trylock(&mutex) != 0; }
    int version(void) { return ${version}; }
    int stop(void) { void *own; ends = 1; pthread_join(thread, &own); return (int)(long)own == total && !locked(); }`;
  await using kept = new KeptModule(folder, { flags: [...C, "-pthread"] });
  await kept.load(source(1));
  assertEquals(kept.call("start"), 0);
  for (let version = 2; version <= 21; version++) {
    await kept.reload(source(version));
    assertEquals(kept.call("version"), version);
    assertEquals(kept.call("locked"), 1);
    if (version % 8 === 0) kept.rollback();
  }
  assertEquals(kept.call("stop"), 1);
});

testWithCompilers(
  ["g++"],
  "initialisers reach their own memory, and smf_reloaded what is kept",
  async (folder) => {
    const source = (version: number) => `
    #include <vector>
    std::vector<int> registered;
    struct registers { registers() { registered.push_back(${version}); } } registers;
    int counter = 10, calls;
    extern "C" void smf_reloaded(void) { registered.push_back(100 + ${version}); calls++; }
    extern "C" int count(void) { return (int)registered.size(); }
    extern "C" int last(void) { return registered.back(); }`;
    await using kept = new KeptModule(folder, CPP);
    await kept.load(source(1));
    assertEquals([kept.call("count"), kept.call("last")], [1, 1]);
    const { unused, kept: names } = await kept.reload(source(2));
    assertEquals([kept.call("count"), kept.call("last")], [2, 102]);
    assertEquals(unused!.names, ["registered"]);
    assert(unused!.bytes >= 24 && unused!.addedBytes >= unused!.bytes);
    assert(names.includes("counter"));
    kept.rollback();
    assertEquals([kept.call("count"), kept.call("last")], [3, 101]);
  },
);

testWithCompilers(
  ["g++"],
  "virtual functions keep their places, or the reload is refused",
  async (folder) => {
    const source = (version: number, more: string, override = "") => `
    struct shape { int size = 1; virtual int area() { return size * ${version}; } ${more} virtual ~shape() {} };
    struct square : shape { ${override} };
    shape first; square second; shape *last = new square;
    extern "C" int grow(void) { first.size++; second.size++; last->size++; return last->area(); }
    extern "C" int version(void) { return ${version}; }`;
    await using kept = new KeptModule(folder, CPP);
    await kept.load(source(1, ""));
    assertEquals(kept.call("grow"), 2);
    // The objects keep the functions of the version that made them.
    assertEquals(freshOf(await kept.reload(source(10, "", "int area() override { return 100; }"))), {});
    assertEquals(kept.call("grow"), 3);
    for (const more of ["virtual int added() { return 1; }", "virtual int added() { return area(); }"]) {
      const error = await rejection(() => kept.reload(source(20, more)));
      assertStringIncludes(error.message, "virtual functions were added, removed or moved");
      assertEquals([kept.call("version")], [10]);
    }
    const allowed = await kept.reload(source(20, "virtual int added() { return 1; }"), {
      compatibility: "allow",
    });
    assert(allowed.kept.includes("first"));
  },
);

testWithCompilers(
  ["gcc"],
  "all versions end with the module, and nothing of them is left",
  async (folder) => {
    const source = (version: number) => `int counter; int step(void) { return counter += ${version}; }`;
    const versions = await Promise.all([1, 2, 3].map(async (version) => {
      await using kept = new KeptModule(folder);
      return kept.compile(source(version));
    }));
    const INT = { parameters: [], result: "i32" } as const;
    for (const end of ["unload", "force", "close", "closeAsync", "dispose"] as const) {
      const allocator = new FailingAllocator();
      const registry = new ModuleRegistry({ allocator, keepVersions: 1 });
      let module = registry.loadBytes("m", versions[0]);
      for (let round = 1; round < 10; round++) {
        const next = registry.reload("m", { bytes: versions[round % 3], state: "keep" });
        module.close();
        module = next;
      }
      assertEquals(module.getFunction("step", INT)!(), 1);
      if (end === "close") module.close();
      else if (end === "closeAsync") await module.closeAsync();
      else if (end === "dispose") registry[Symbol.dispose]();
      else {
        if (end === "unload") module.close();
        registry.unload("m", { force: end === "force" });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(allocator.live.size, 0, end);
      registry[Symbol.dispose]();
    }
  },
);

for (const level of ["-O0", "-O1", "-O2"]) {
  testWithCompilers(
    ["g++"],
    `what an array's destructor refers to is kept with the array (${level})`,
    async (folder) => {
      const source = (version: number) => `
      #include <string>
      static int destroyed, version = ${version};
      struct item { std::string text = std::string(100, 'x'); int count = 0; ~item() { destroyed++; } };
      static item items[3];
      extern "C" int count(void) { return ++items[1].count; }
      extern "C" int gone(void) { return destroyed; }`;
      await using kept = new KeptModule(folder, { compiler: "g++", flags: [level, "-g", "-fdata-sections"] });
      await kept.load(source(1));
      assertEquals(kept.call("count"), 1);
      for (let version = 2; version < 5; version++) {
        assertEquals(freshOf(await kept.reload(source(version))), {});
        assertEquals([kept.call("count"), kept.call("gone")], [version, 0]);
      }
      kept.rollback();
      assertEquals([kept.call("count"), kept.call("gone")], [5, 0]);
    },
  );
}

testWithCompilers(
  ["g++"],
  "two arrays that one function destroys start anew, also on the way back",
  async (folder) => {
    const source = (version: number) => `
    static int destroyed;
    struct item { int count = ${version}; ~item() { destroyed += count; } };
    static item first[2], second[2];
    int counter;
    extern "C" int count(void) { return ++counter * 100 + ++first[1].count * 10 + ++second[1].count; }
    extern "C" int gone(void) { return destroyed; }`;
    const flags = ["-O1", "-g", "-fdata-sections", "-fno-use-cxa-atexit"];
    await using kept = new KeptModule(folder, { compiler: "g++", flags });
    await kept.load(source(1));
    assertEquals(kept.call("count"), 122);
    const fresh = freshOf(await kept.reload(source(2)));
    assertEquals(Object.keys(fresh).sort(), ["_ZL5first", "_ZL6second"]);
    assertEquals(kept.call("count"), 233);
    const back = kept.rollback();
    assertEquals(Object.keys(freshOf(back)).sort(), ["_ZL5first", "_ZL6second"]);
    assertEquals(kept.call("count"), 333);
  },
);

for (
  const flags of [["-fno-pic", "-fno-pie"], ["-mcmodel=large"], ["-fno-pic", "-mcmodel=medium"], [
    "-m64",
    "-O0",
  ]]
) {
  testWithCompilers(
    ["gcc"],
    `code of each model reaches what is kept (${flags.join(" ")})`,
    async (folder) => {
      const source = (version: number) => `
      static int counter = 40;
      int table[4] = {1, 2, 3, 4}, *where = &table[2];
      int step(int i) { counter += ${version}; table[i & 3] += ${version}; return counter * 100 + *where; }`;
      await using kept = new KeptModule(folder, { flags: ["-O2", "-g", ...flags] });
      await kept.load(source(1));
      const found = [kept.call("step", 2)];
      for (let version = 2; version < 5; version++) {
        assertEquals(freshOf(await kept.reload(source(version))), {});
        found.push(kept.call("step", 2));
      }
      kept.rollback();
      assertEquals([...found, kept.call("step", 2)], [4104, 4306, 4609, 5013, 5316]);
    },
  );
}
