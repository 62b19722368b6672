// The functions that modules register for the end of threads and modules: when they run, and in which order.
import { assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { compileModule, runModules } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { runChild } from "../../support/modules.ts";
import { stress } from "../../support/testing.ts";
import { TestWorker } from "../../support/workers.ts";
import { DIALECTS, ENDINGS, Journal, linuxTest, threadModule } from "../../support/threads.ts";

const FILE = () => threadModule("endings", DIALECTS[0]);
const newRegistry = () => new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });

/** The module, ready to write to a journal. */
function open(registry: ModuleRegistry) {
  const journal = new Journal();
  const module = registry.load(FILE());
  const { symbols } = module.bind(ENDINGS);
  symbols.write_to(journal.pointer);
  return { journal, module, symbols };
}

linuxTest(
  "objects of a thread are destroyed when it ends, newest first, with those that join meanwhile",
  () => {
    using registry = newRegistry();
    const { journal, symbols } = open(registry);
    assertEquals(symbols.make_key(), 0);
    assertEquals(symbols.in_thread(500n), 0);
    // The thread's objects, then the destructors of its keys.
    assertEquals(journal.take(), [512, 511, 501, 500, 600]);
    assertEquals(symbols.in_thread(700n), 0);
    assertEquals(journal.take(), [712, 711, 701, 700, 800]);
  },
);

linuxTest(
  "when the module ends: objects of threads, finalisers, what was registered, each newest first",
  () => {
    const registry = newRegistry();
    const { journal, module, symbols } = open(registry);
    symbols.at_end(1n);
    symbols.at_thread_end(21n);
    symbols.at_exit();
    symbols.at_thread_end_and_on(32n);
    symbols.at_end_and_on(42n);
    symbols.at_end(3n);
    assertEquals(journal.take(), []);
    registry.unload(FILE(), { force: true });
    module.close();
    assertEquals(journal.take(), [32, 31, 21, 2000, 3, 42, 41, 1000, 1]);
    registry[Symbol.dispose]();
  },
);

linuxTest("threads that outlive the module run nothing when they end", async () => {
  await using registry = newRegistry();
  const { journal, module, symbols } = open(registry);
  symbols.make_key();
  const worker = new TestWorker<unknown>(new URL("./ending_worker.ts", import.meta.url));
  assertEquals(await worker.ask(module.share()), "attached");
  assertEquals(await worker.ask(60), "registered");
  symbols.at_thread_end(70n);
  assertEquals(await worker.ask(-1), "closed");
  assertEquals(journal.take(), []);
  registry.unload(FILE(), { force: true });
  await module.closeAsync();
  assertEquals(journal.take(), [70, 60, 2000]);
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 50);
  worker.terminate();
  await promise;
  assertEquals(journal.take(), []);
});

linuxTest("a thread that ends before the module leaves nothing to run at the module's end", async () => {
  await using registry = newRegistry();
  const { journal, module, symbols } = open(registry);
  symbols.make_key();
  const worker = new TestWorker<unknown>(new URL("./ending_worker.ts", import.meta.url));
  assertEquals(await worker.ask(module.share()), "attached");
  assertEquals(await worker.ask(60), "registered");
  assertEquals(await worker.ask(-1), "closed");
  worker.terminate();
  // The Worker's thread ends some time later.
  for (let wait = 0; wait < 5000 && journal.words[0] < 2n; wait++) {
    await new Promise((go) => setTimeout(go, 2));
  }
  assertEquals(journal.take(), [60, 160]);
  assertEquals(symbols.drop_key(), 0);
  registry.unload(FILE(), { force: true });
  await module.closeAsync();
  assertEquals(journal.take(), [2000]);
});

linuxTest("a key that the module deletes itself is gone, and can be created again", () => {
  using registry = newRegistry();
  const { journal, symbols } = open(registry);
  for (let round = 0; round < 2000; round++) {
    assertEquals([symbols.make_key(), symbols.set_key(5n), symbols.drop_key()], [0, 0, 0]);
  }
  assertEquals(journal.take(), []);
});

linuxTest("keys that a module leaves behind are deleted: a process has about a thousand", () => {
  for (let round = 0; round < stress(22_000); round++) {
    using module = new ModuleLoader().load(FILE(), () => 1n);
    assertEquals(module.bind({ make_key: ENDINGS.make_key }).symbols.make_key(), 0, `round ${round}`);
  }
});

linuxTest("a module can register without host libraries", () => {
  const journal = new Journal();
  const module = new ModuleLoader().load(FILE(), () => 1n);
  const { write_to, at_end } = module.bind({ write_to: ENDINGS.write_to, at_end: ENDINGS.at_end }).symbols;
  write_to(journal.pointer);
  at_end(9n);
  const from = Object.fromEntries(module.imports().map((record) => [record.name, record.from]));
  assertEquals([from.__cxa_atexit, from.__cxa_thread_atexit_impl], ["the loader", "the loader"]);
  module.close();
  assertEquals(journal.take(), [2000, 9]);
});

linuxTest("nothing runs when the process ends", async () => {
  const result = await runChild(new URL("./exit_child.ts", import.meta.url), { args: [FILE()] });
  assertEquals([result.code, result.signal, result.stderr, result.stdout], [0, null, "", "registered\n"]);
});

const ENDS = `
  #define _GNU_SOURCE
  #include <stdlib.h>
  #include <string.h>
  #include <unistd.h>
  static void say(const char *text) { write(1, text, strlen(text)); }
  static void bye(int status, void *value) { say(status == 0 && value == (void *)7 ? "[bye]\\n" : "[wrong]\\n"); }
  static void last(void) { say("[last]\\n"); }
  static void quick(void) { say("[quick]\\n"); }
  static void both(void) { say("[both]\\n"); }
  int on_end(void) { return atexit(last) || on_exit(bye, (void *)7); }
  int on_quick(void) { return at_quick_exit(quick); }
  int on_both(void) { return atexit(both) || at_quick_exit(both); }
  int leave(void) { quick_exit(3); }
`;

testWithCompilers(
  ["gcc"],
  "on_exit and at_quick_exit run when the module ends, each function once",
  async (folder) => {
    const modules = [await compileModule(folder, "ends", ENDS)];
    const plan = { modules, libraries: ["libc.so.6"], calls: ["on_end", "on_quick", "on_both"] };
    const { code, signal, stdout, stderr } = await runModules(plan);
    assertEquals([code, signal, stderr], [0, null, ""]);
    assertEquals(stdout, "0\n0\n0\n[both]\n[bye]\n[last]\n[quick]\nclosed\n");
  },
);

testWithCompilers(
  ["gcc"],
  "quick_exit runs what loaded modules registered for it, and nothing else",
  async (folder) => {
    const modules = [await compileModule(folder, "ends", ENDS)];
    const plan = { modules, libraries: ["libc.so.6"], calls: ["on_end", "on_quick", "on_both", "leave"] };
    const { code, signal, stdout, stderr } = await runModules(plan);
    assertEquals([code, signal, stderr], [3, null, ""]);
    assertEquals(stdout, "0\n0\n0\n[both]\n[quick]\n");
  },
);
