// Kept variables over 20 reloads with changed code and two rollbacks.
import { assert, assertEquals } from "@std/assert";
import type { CarryReport } from "../../../mod.ts";
import { CPP, freshOf, KeptModule } from "../../support/kept_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";

/** Takes a module through 20 reloads, each with other code than before, and two rollbacks on the way. */
async function over20Reloads(
  kept: KeptModule,
  source: (version: number) => string,
  check: (version: number, report: CarryReport | undefined) => void,
): Promise<void> {
  const versions = [1, 2, 3].map((version) => kept.compile(source(version)));
  await kept.load(source(1));
  check(1, undefined);
  let current = 1;
  for (let reload = 1; reload <= 20; reload++) {
    const before = current;
    current = 1 + current % 3;
    check(current, await kept.reload(await versions[current - 1]));
    if (reload % 8 !== 0) continue;
    check(before, kept.rollback());
    current = before;
  }
}

for (const [how, start] of [["by a call", ""], ["by its initialiser", "(work)"]]) {
  testWithCompilers(
    ["g++"],
    `a global std::thread that is started ${how} runs on over 20 reloads and two rollbacks`,
    async (folder) => {
      const source = (version: number) => `
        #include <atomic>
        #include <thread>
        std::atomic<long> ticks;
        std::atomic<int> starts, ends;
        static void work() { starts++; while (!ends) { ticks++; std::this_thread::yield(); } }
        std::thread worker${start};
        extern "C" int start(void) { if (!worker.joinable()) worker = std::thread(work); return worker.joinable(); }
        extern "C" int number(void) { return ${version}; }
        extern "C" int runs_on(void) {
          long before = ticks;
          while (ticks < before + 2) std::this_thread::yield();
          return worker.joinable();
        }
        extern "C" int stop(void) { ends = 1; worker.join(); return starts; }`;
      await using kept = new KeptModule(folder, { ...CPP, flags: [...CPP.flags, "-pthread"] });
      let isStarted = false;
      await over20Reloads(kept, source, (version, report) => {
        if (!isStarted) assertEquals(kept.call("start"), 1);
        isStarted = true;
        assertEquals([kept.call("number"), kept.call("runs_on")], [version, 1]);
        if (report === undefined) return;
        assertEquals([freshOf(report), report.kept.includes("worker")], [{}, true]);
        if (report.unused !== undefined) assertEquals(report.unused.threads, start === "" ? 0 : 1);
      });
      // The candidates' own objects were never destroyed: a std::thread that is joinable would end the process.
      assertEquals(kept.call("stop"), 1, "no thread but the first has run");
    },
  );
}

testWithCompilers(
  ["g++"],
  "a static of a function goes on while its guard comes and goes, over 20 reloads and two rollbacks",
  async (folder) => {
    const source = (version: number) => `
      volatile int seed = 40;
      __attribute__((noinline)) int compute() { return seed; }
      extern "C" int number(void) { return ${version}; }
      extern "C" int next(void) { static int n = ${version === 2 ? "compute()" : "40"}; return ++n; }`;
    await using kept = new KeptModule(folder, CPP);
    let calls = 40, guards = 0;
    await over20Reloads(kept, source, (version, report) => {
      assertEquals([kept.call("number"), kept.call("next")], [version, ++calls]);
      guards += report?.kept.includes("_ZGVZ4nextE1n") === true ? 1 : 0;
    });
    assert(guards > 0);
  },
);

testWithCompilers(
  ["g++"],
  "a plugin that registers itself is registered once for each version, over 20 reloads and two rollbacks",
  async (folder) => {
    const source = (version: number) => `
      #include <map>
      #include <string>
      struct plugin { virtual int answer() { return ${version}; } virtual ~plugin() {} };
      static std::map<std::string, plugin *> &plugins() { static std::map<std::string, plugin *> all; return all; }
      static plugin own;
      struct registers { registers() { plugins()["plugin"] = &own; } } registers;
      int reloads;
      extern "C" void smf_reloaded(void) { reloads++; plugins()["plugin"] = &own; }
      extern "C" int count(void) { return (int)plugins().size(); }
      extern "C" int reloads_of(void) { return reloads; }
      extern "C" int ask(void) { return plugins().at("plugin")->answer(); }`;
    // Virtual functions take up new bodies if the module is hot.
    await using kept = new KeptModule(folder, { ...CPP, link: { hot: true } });
    let reloads = 0;
    await over20Reloads(kept, source, (version, report) => {
      if (report !== undefined) reloads++;
      assertEquals([kept.call("ask"), kept.call("count"), kept.call("reloads_of")], [version, 1, reloads]);
    });
  },
);
