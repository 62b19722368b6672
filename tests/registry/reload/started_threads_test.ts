// Threads that the initialisers of a version start, whose variables stay where they are.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { C, CPP, KeptModule, rejection } from "../../support/kept_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { WatchedAllocator } from "../../support/watched_allocator.ts";
import { DIALECTS, linuxTest, threadModule } from "../../support/threads.ts";
import { INT } from "../../support/versions.ts";
import { ModuleRegistry } from "../../../mod.ts";

const THREADS_IN_CPP = { ...CPP, flags: [...CPP.flags, "-pthread"] };
const THREADS_IN_C = { flags: [...C, "-pthread"] };

/** A module that counts how many threads have begun in each version. */
const source = (version: number, threads: string) => `
  #include <atomic>
  #include <chrono>
  #include <thread>
  #include <vector>
  using namespace std::chrono_literals;
  std::atomic<int> begun, ends, ready;
  static void work() { begun += ${10 ** version}; ready = 1; while (!ends) std::this_thread::sleep_for(1ms); }
  struct joining { std::thread thread; ~joining() { ends = 1; thread.join(); } };
  ${threads}
  extern "C" int number(void) { return ${version}; }
  extern "C" int count(void) { return begun; }
  extern "C" int wait_for(int least) { for (int i = 0; i < 5000 && begun < least; i++) std::this_thread::sleep_for(1ms); return begun; }
  extern "C" int stop(void) { ends = 1; return begun; }`;

const DECLARATIONS = { wait_for: { parameters: ["i32"], result: "i32" } } as const;

const waitFor = (kept: KeptModule, least: number) =>
  kept.registry.open("m", DECLARATIONS).symbols.wait_for(least);

testWithCompilers(
  ["g++"],
  "a thread for a new variable runs once the version serves, on the variables that stay",
  async (folder) => {
    await using kept = new KeptModule(folder, THREADS_IN_CPP);
    await kept.load(source(1, `joining first{std::thread(work)};`));
    assertEquals(waitFor(kept, 10), 10);
    const { unused } = await kept.reload(
      source(2, `joining first{std::thread(work)}; joining second{std::thread(work)};`),
    );
    assertEquals(unused?.threads, 1);
    assertEquals(
      waitFor(kept, 110),
      110,
      "the second version's thread counts where the first version's does",
    );
    kept.rollback();
    assertEquals(kept.call("count"), 110);
  },
);

testWithCompilers(["gcc"], "threads of the C library go with their variables, too", async (folder) => {
  const version = (number: number, more = "") => `
    #include <pthread.h>
    #include <threads.h>
    #include <unistd.h>
    int begun, ends;
    static void *posix(void *unused) { __atomic_fetch_add(&begun, ${
    10 ** number
  }, 5); while (!__atomic_load_n(&ends, 5)) usleep(1000); return 0; }
    static int c11(void *unused) { posix(unused); return 0; }
    pthread_t first; thrd_t second;${more && " pthread_t third;"}
    __attribute__((constructor)) static void start(void) {
      pthread_create(&first, 0, posix, 0); thrd_create(&second, c11, 0); ${more}
    }
    int wait_for(int least) { for (int i = 0; i < 5000 && begun < least; i++) usleep(1000); return begun; }
    int stop(void) {
      ends = 1; pthread_join(first, 0); thrd_join(second, 0);
      ${more && "pthread_join(third, 0);"}
      return begun;
    }`;
  await using kept = new KeptModule(folder, THREADS_IN_C);
  await kept.load(version(1));
  assertEquals(waitFor(kept, 20), 20);
  assertEquals((await kept.reload(version(2))).unused?.threads, 2);
  const { unused } = await kept.reload(version(3, "pthread_create(&third, 0, posix, 0);"));
  assertEquals([unused?.threads, waitFor(kept, 1020)], [2, 1020]);
  assertEquals(kept.call("stop"), 1020);
});

for (
  const [what, starts, message] of [
    [
      "that no variable tells of",
      "static int started = (std::thread(work).detach(), 1);",
      "no variable tells",
    ],
    [
      "that an initialiser waits for",
      "joining waited{std::thread(work)}; static int arrived = [] { while (!ready) std::this_thread::yield(); return 1; }();",
      "a thread began while the new version's initialisers ran",
    ],
  ]
) {
  testWithCompilers(
    ["g++"],
    `a thread ${what} refuses the reload, and the old version goes on`,
    async (folder) => {
      const kept = new KeptModule(folder, THREADS_IN_CPP);
      await kept.load(source(1, starts));
      assertEquals(waitFor(kept, 10), 10);
      const error = await rejection(() => kept.reload(source(2, starts)));
      assertEquals(error.kind, "Incompatible");
      assertStringIncludes(error.message, message);
      assertEquals([kept.call("number"), kept.call("count")], [1, 10]);
      assertEquals(kept.call("stop"), 10);
      assert((await kept.reload(source(3, ""))).kept.includes("begun"), "a version without threads is taken");
      assertEquals(kept.call("number"), 3);
      // Both threads of an initialiser that waited are in code that stays for ever; the object is never destroyed.
      await kept[Symbol.asyncDispose]();
    },
    { sanitizeResources: false },
  );
}

testWithCompilers(
  ["gcc"],
  "reloads that a detached thread refuses leave no thread and no memory behind",
  async (folder) => {
    const version = (number: number, starts: string) => `
      #include <pthread.h>
      #include <unistd.h>
      int begun, ends;
      static void *work(void *unused) {
        __atomic_fetch_add(&begun, ${10 ** number}, 5);
        while (!__atomic_load_n(&ends, 5)) usleep(1000);
        __atomic_fetch_add(&ends, 1, 5);
        return unused;
      }
      __attribute__((constructor)) static void start(void) {
        pthread_t thread; pthread_attr_t detached;
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        ${starts}
        pthread_attr_destroy(&detached);
      }
      int wait_for(int least) { for (int i = 0; i < 5000 && begun < least; i++) usleep(1000); return begun; }
      int number(void) { return ${number}; }
      int stop(void) { ends = 1; for (int i = 0; i < 5000 && ends < 2; i++) usleep(1000); return begun; }`;
    const starts = "pthread_create(&thread, &detached, work, 0);";
    const allocator = new WatchedAllocator();
    await using kept = new KeptModule(folder, THREADS_IN_C, { allocator });
    await kept.load(version(1, starts));
    assertEquals(waitFor(kept, 10), 10);
    const second = await kept.compile(version(2, starts));
    const refuse = async (): Promise<void> => {
      const error = await rejection(() => kept.reload(second));
      assertEquals(error.kind, "Incompatible");
      assertStringIncludes(error.message, "started a thread, and no variable tells whether it is to run");
    };
    const left = async () => {
      // Stacks of threads that have ended are the C library's to use again.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { threads: [...Deno.readDirSync("/proc/self/task")].length, memories: allocator.live.size };
    };
    await refuse();
    const before = await left();
    for (let time = 0; time < 20; time++) await refuse();
    const after = await left();
    assertEquals(after.memories, before.memories);
    assert(after.threads <= before.threads + 2, `${before.threads} threads, then ${after.threads}`);
    assertEquals(kept.call("number"), 1);
    assertEquals(waitFor(kept, 10), 10, "no thread of a refused version has run");
    assertEquals(kept.call("stop"), 10);
    assert((await kept.reload(version(3, ""))).kept.includes("begun"));
    assertEquals(kept.call("number"), 3);
  },
);

testWithCompilers(
  ["g++"],
  "a reload that fails later ends threads that have not run, and destroys no object that knows one",
  async (folder) => {
    await using kept = new KeptModule(folder, THREADS_IN_CPP);
    await kept.load(source(1, ""));
    const more = source(2, `std::thread plain(work); joining second{std::thread(work)};`);
    const error = await rejection(() => kept.reload(more, { verify: () => false }));
    assertEquals(error.kind, "Incompatible");
    assertEquals([kept.call("number"), kept.call("count")], [1, 0]);
    await kept.reload(source(3, ""));
    assertEquals([kept.call("number"), kept.call("count")], [3, 0]);
  },
  { sanitizeResources: false },
);

linuxTest("a thread of an initialiser takes up new code, and no second one runs", async () => {
  await using registry = new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: Infinity });
  const bytes = [1, 2].map((version) => Deno.readFileSync(threadModule("started", DIALECTS[0], version)));
  using _module = registry.loadBytes("m", bytes[0]);
  const live = registry.open("m", { start_count: INT, stop: INT, wait_for: { ...INT, parameters: ["i32"] } });
  const { symbols } = live;
  const check = (version: number): void =>
    assertEquals([symbols.wait_for(version), symbols.start_count()], [version, 1]);
  check(1);
  for (let reload = 1; reload <= 20; reload++) {
    const version = reload % 2 + 1;
    const module = registry.reload("m", { bytes: bytes[version - 1] });
    assertEquals(module.carried?.unused?.threads, 1);
    module.close();
    check(version);
    if (reload % 8 !== 0) continue;
    registry.rollback("m").close();
    check(3 - version);
    registry.reload("m", { bytes: bytes[version - 1] }).close();
    check(version);
  }
  assertEquals(symbols.stop(), 0);
  live.close();
});
