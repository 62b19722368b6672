/**
 * Loads, uses and unloads modules with thread-local variables and destructors
 * while threads start and end; checks the order of the destructors, and prints by
 * how much the process has grown since a warm-up. Needs `--expose-gc`.
 */
import { ModuleRegistry } from "../../mod.ts";
import { descriptors, mappingCount, stubMappings, turn } from "../support/modules.ts";
import { DIALECTS, ENDINGS, Journal, threadModule, VARIABLES } from "../support/threads.ts";
import { TestWorker } from "../support/workers.ts";

const rounds = Number(Deno.args[0]);
const { gc } = globalThis as unknown as { gc(): void };
const registry = new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });
// Keeps libraries that are opened once from closing with the last module.
registry.load(threadModule("chosen", DIALECTS[0]));
const worker = (): TestWorker<unknown> =>
  new TestWorker(new URL("../load/runtime/ending_worker.ts", import.meta.url));
let guest = worker();
const journal = new Journal();
const [endings, variables] = [threadModule("endings", DIALECTS[0]), threadModule("variables", DIALECTS[0])];

function check(actual: unknown, expected: unknown): void {
  const [found, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  if (found !== wanted) throw new Error(`${found} instead of ${wanted}`);
}

async function round(number: number): Promise<void> {
  const module = registry.load(endings);
  const { symbols } = module.bind({
    ...ENDINGS,
    aside: { ...ENDINGS.at_thread_end, name: "at_thread_end", nonblocking: true },
  });
  symbols.write_to(journal.pointer);
  symbols.make_key();
  // A thread that ends while the module is loaded.
  check(symbols.in_thread(500n), 0);
  check(journal.take(), [512, 511, 501, 500, 600]);
  // This thread and one of Deno's pool; both outlive the module.
  symbols.at_thread_end(1n);
  await symbols.aside(2n);
  // The thread of a Worker, which sometimes ends soon afterwards.
  check(await guest.ask(module.share()), "attached");
  check(await guest.ask(60), "registered");
  check(await guest.ask(-1), "closed");
  registry.unload(endings, { force: true });
  await module.closeAsync();
  check(journal.take(), [60, 2, 1, 2000]);

  const other = registry.load(variables);
  const { next, in_thread } = other.bind({ next: VARIABLES.next, in_thread: VARIABLES.in_thread }).symbols;
  const threads = [in_thread(3n), in_thread(5n)];
  check(next(), 101);
  await Promise.all(threads);
  registry.unload(variables, { force: true });
  await other.closeAsync();
  if (number % 20 === 0) {
    guest.terminate();
    guest = worker();
  }
  check(journal.take(), []);
  // Else the heap keeps the pages that it took while garbage waited, which looks like a leak.
  if (number % 20 === 0) {
    gc();
    await turn();
  }
}

async function state(): Promise<{ rss: number; maps: number; descriptors: number; stubs: number }> {
  await turn();
  gc();
  const { rss } = Deno.memoryUsage();
  return { rss, maps: mappingCount(), descriptors: descriptors().length, stubs: stubMappings() };
}

for (let warmUp = 1; warmUp < 40; warmUp++) await round(warmUp);
const before = await state();
for (let number = 1; number <= rounds; number++) await round(number);
const after = await state();
console.log(JSON.stringify({
  rss: after.rss - before.rss,
  maps: after.maps - before.maps,
  descriptors: after.descriptors - before.descriptors,
  stubs: after.stubs - before.stubs,
}));
guest.terminate();
registry[Symbol.dispose]();
