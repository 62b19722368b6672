// C and C++ on AArch64: outline atomics, branch protection, threads, thread-local objects, exceptions.
// The lane aarch64 runs them, with a cross compiler that the machine itself runs.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, hasCommand } from "../support/compilers.ts";
import { isolated } from "../support/isolated.ts";

const FLAGS = ["-O2", "-fPIC", "-moutline-atomics", "-mbranch-protection=standard", "-c"];

/** Debian's shared libraries for cross compilers; those of the system have no folder in their names. */
const CROSS_LIBRARY = "/usr/aarch64-linux-gnu/lib/libstdc++.so.6";

/** Registers a test of a source whose `check` must return 42; skipped, and says so, where it cannot run. */
function checks(compiler: "gcc" | "g++", name: string, source: string): void {
  const command = `aarch64-linux-gnu-${compiler}`;
  const runs = Deno.build.os === "linux" && Deno.build.arch === "aarch64" && hasCommand(command);
  Deno.test({
    name: runs ? name : `${name} (SKIPPED: needs ${command} on Linux AArch64)`,
    ignore: !runs,
    fn: isolated(async () => {
      const folder = Deno.makeTempDirSync();
      try {
        const file = compiler === "gcc" ? "check.c" : "check.cpp";
        Deno.writeTextFileSync(`${folder}/${file}`, source);
        await compile(command, [...FLAGS, file, "-o", "check.o"], folder);
        // It has the functions that choose the instructions of atomics when the program runs.
        const libgcc = (await compile(command, ["-print-libgcc-file-name"])).trim();
        const inputs = [`${folder}/check.o`, libgcc].map((name) => ({
          name,
          bytes: Deno.readFileSync(name),
        }));
        const { bytes, map } = linkObjects(inputs, { exports: ["check"] });
        assertEquals(map.members.some(({ symbol }) => symbol.startsWith("__aarch64_")), true);
        using registry = new ModuleRegistry(
          compiler === "gcc" ? {} : { libraries: [libstdcxx(), "libgcc_s.so.1", "libm.so.6", "libc.so.6"] },
        );
        using module = registry.loadBytes("check", bytes);
        assertEquals(module.bind({ check: { parameters: [], result: "i32" } }).symbols.check(), 42);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }),
  });
}

function libstdcxx(): string {
  try {
    return Deno.statSync(CROSS_LIBRARY).isFile ? CROSS_LIBRARY : "libstdc++.so.6";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "libstdc++.so.6";
    throw error;
  }
}

checks(
  "gcc",
  "AArch64, C: threads count together by outline atomics, each with a variable of its own",
  `
#include <pthread.h>
#include <stdint.h>
__thread int mine = 5;
static int shared;
static void *run(void *number) {
  for (int i = 0; i < 1000; i++) __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
  mine += (int)(intptr_t)number;
  return (void *)(intptr_t)mine;
}
int check(void) {
  pthread_t threads[4];
  intptr_t sum = 0;
  for (intptr_t i = 0; i < 4; i++) if (pthread_create(&threads[i], 0, run, (void *)i)) return 1;
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(threads[i], &result);
    sum += (intptr_t)result;
  }
  int old = 4000;
  if (!__atomic_compare_exchange_n(&shared, &old, 7, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return 2;
  return sum == 26 && mine == 5 && shared == 7 ? 42 : 3;
}
`,
);

checks(
  "g++",
  "AArch64, C++: exceptions in threads, thread-local objects, exceptions of the host's library",
  `
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
struct Local { std::string text = "local"; };
thread_local Local local;
static std::atomic<int> sum;
static int parse(const std::string &text) {
  if (text.empty()) throw std::invalid_argument("empty");
  return std::stoi(text);
}
extern "C" int check() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back([i] {
    local.text += std::to_string(i);
    try {
      sum += parse(i % 2 ? "" : local.text.substr(5));
    } catch (const std::invalid_argument &error) {
      sum += error.what() == std::string("empty") ? 100 : 1000;
    }
  });
  for (auto &thread : threads) thread.join();
  if (sum != 202 || local.text != "local") return 1;
  try {
    parse("x");
  } catch (const std::exception &error) {
    return error.what() == std::string("stoi") ? 42 : 2;
  }
  return 3;
}
`,
);
