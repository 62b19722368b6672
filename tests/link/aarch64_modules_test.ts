// C, C++ and Rust on AArch64: outline atomics, branch protection, threads, thread-local objects, exceptions.
// The lane aarch64 runs them, with cross compilers that the machine itself runs. SMF_RUSTC_CROSS names a rustc
// that has Rust's standard library for AArch64.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, hasCommand, hasRustTarget, RUSTC } from "../support/compilers.ts";
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
        runsRight(
          [`${folder}/check.o`, await libgcc()],
          compiler === "gcc" ? [] : [libstdcxx(), "libgcc_s.so.1", "libm.so.6", "libc.so.6"],
        );
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }),
  });
}

/** The archive with the functions that choose the instructions of atomics when the program runs. */
async function libgcc(): Promise<string> {
  return (await compile("aarch64-linux-gnu-gcc", ["-print-libgcc-file-name"])).trim();
}

/** Links the files to a module with outline atomics, and calls its `check`. */
function runsRight(paths: readonly string[], libraries: readonly string[]): void {
  const inputs = paths.map((name) => ({ name, bytes: Deno.readFileSync(name) }));
  const { bytes, map } = linkObjects(inputs, { exports: ["check"] });
  assertEquals(map.members.some(({ symbol }) => symbol.startsWith("__aarch64_")), true);
  using registry = new ModuleRegistry(libraries.length === 0 ? {} : { libraries });
  using module = registry.loadBytes("check", bytes);
  assertEquals(module.bind({ check: { parameters: [], result: "i32" } }).symbols.check(), 42);
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

const RUST_TARGET = "aarch64-unknown-linux-gnu";
const RUST = `
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

thread_local! { static MINE: Cell<u32> = Cell::new(5); }
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Local(String);
impl Drop for Local {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0.len(), Ordering::SeqCst);
    }
}
thread_local! { static LOCAL: Local = Local(format!("{}-{}", "thread", 7)); }

#[no_mangle]
pub extern "C" fn check() -> i32 {
    let words = "one two three two three three".split(' ');
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in words {
        *counts.entry(word.to_string()).or_default() += 1;
    }
    if counts["three"] != 3 || counts.len() != 3 {
        return 1;
    }
    let total = Arc::new(Mutex::new(0u32));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4u32)
        .map(|number| {
            let (total, sender) = (Arc::clone(&total), sender.clone());
            thread::spawn(move || {
                MINE.with(|mine| mine.set(mine.get() + number));
                LOCAL.with(|local| sender.send(local.0.clone()).unwrap());
                *total.lock().unwrap() += MINE.with(Cell::get);
            })
        })
        .collect();
    drop(sender);
    for thread in threads {
        if thread.join().is_err() {
            return 2;
        }
    }
    if receiver.iter().any(|text| text != "thread-7") {
        return 3;
    }
    if *total.lock().unwrap() != 26 || MINE.with(Cell::get) != 5 || DROPPED.load(Ordering::SeqCst) != 32 {
        return 4;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(move || {
        let values: Vec<u32> = Vec::new();
        values[counts.len()]
    });
    let panicked = thread::spawn(|| -> u32 { panic!("in a thread: {}", 7) }).join();
    let _ = std::panic::take_hook();
    let message = match panicked {
        Err(payload) => payload.downcast_ref::<String>().cloned(),
        Ok(_) => None,
    };
    if caught.is_ok() || message.as_deref() != Some("in a thread: 7") {
        return 5;
    }
    42
}
`;

const RUST_TITLE = "AArch64, Rust: threads, thread-local objects, panics caught, maps, text";
const rustRuns = Deno.build.os === "linux" && Deno.build.arch === "aarch64" && hasRustTarget(RUST_TARGET) &&
  hasCommand("aarch64-linux-gnu-gcc");

Deno.test({
  name: rustRuns
    ? RUST_TITLE
    : `${RUST_TITLE} (SKIPPED: needs a rustc for ${RUST_TARGET} and aarch64-linux-gnu-gcc on Linux AArch64)`,
  ignore: !rustRuns,
  fn: isolated(async () => {
    const folder = Deno.makeTempDirSync();
    try {
      Deno.writeTextFileSync(`${folder}/check.rs`, RUST);
      const options = ["-O", "--edition=2021", "--crate-type=staticlib", "-Crelocation-model=pic"];
      await compile(RUSTC, ["--target", RUST_TARGET, ...options, "check.rs", "-o", "libcheck.a"], folder);
      runsRight([`${folder}/libcheck.a`, await libgcc()], ["libgcc_s.so.1", "libm.so.6", "libc.so.6"]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }),
});
