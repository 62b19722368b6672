/**
 * Repeats a life cycle, and prints by how much the process has grown since a
 * warm-up. Arguments: the life cycle, its repetitions in the warm-up, and those
 * that are measured. Needs `--expose-gc`.
 */
import { type ExecutableMemory, type MemoryAllocator, ModuleRegistry, platformAllocator } from "../../mod.ts";
import { ANSWER, descriptors, mappingCount, stubMappings, turn } from "../support/modules.ts";
import { TemporaryDirectory } from "../support/testing.ts";
import { version } from "../support/versions.ts";

/** The output, as JSON: the state after the measured repetitions minus the state before them. */
export interface Growth {
  /** Ranges of memory that the allocator has allocated and not freed. */
  readonly owned: number;
  readonly stubs: number;
  readonly descriptors: number;
  /** Mappings of the whole process, including V8's. */
  readonly mappings: number;
  /** Resident memory, in bytes. */
  readonly resident: number;
}

const { gc } = globalThis as unknown as { gc(): void };

/** The platform's allocator, with a count of live allocations. */
class CountingAllocator implements MemoryAllocator {
  live = 0;
  readonly #inner = platformAllocator();

  get pageSize(): number {
    return this.#inner.pageSize;
  }

  allocate(...parameters: Parameters<MemoryAllocator["allocate"]>): ExecutableMemory {
    const memory = this.#inner.allocate(...parameters);
    this.live++;
    return memory;
  }

  protect(...parameters: Parameters<MemoryAllocator["protect"]>): void {
    this.#inner.protect(...parameters);
  }

  view(...parameters: Parameters<MemoryAllocator["view"]>): Uint8Array<ArrayBuffer> {
    return this.#inner.view(...parameters);
  }

  free(memory: ExecutableMemory): void {
    this.#inner.free(memory);
    this.live--;
  }

  retain(): Disposable {
    return this.#inner.retain!();
  }
}

const allocator = new CountingAllocator();
const registry = new ModuleRegistry({ allocator, callPath: "fast", keepVersions: 0 });
using directory = new TemporaryDirectory();
const path = directory.file("m.smf", numbered(7));
// Keeps libraries that are opened once from closing with the last module.
registry.loadBytes("anchor", numbered(0)).getFunction("value", ANSWER)!();

function numbered(value: number): Uint8Array<ArrayBuffer> {
  return version({ functions: { value }, data: { total: [BigInt(value)] } });
}

function check(value: unknown, expected: unknown): void {
  if (value !== expected) throw new Error(`${value} instead of ${expected}`);
}

/** Return values are below this number, because a version's machine code has 16 bits for them. */
const VALUES = 60_000;

const LIFE_CYCLES: Readonly<Record<string, () => (round: number) => void>> = {
  /** Loads, calls and unloads a module. */
  cycles: () => () => {
    const module = registry.load(path);
    check(module.getFunction("value", ANSWER)!(), 7);
    check(registry.unload(path, { force: true }), true);
  },
  /** Reloads a module with different code, and calls it through a live binding. */
  reloads() {
    registry.loadBytes("r", numbered(0));
    const live = registry.open("r", { value: ANSWER });
    return (round) => {
      const value = round % VALUES;
      const state = round % 3 === 0 ? "carry" : "fresh";
      registry.reload("r", { bytes: numbered(value), state }).close();
      check(live.symbols.value(), value);
    };
  },
  /** Opens, calls and closes a library with `Deno.dlopen`, to measure what Deno and the C library retain. */
  control: () => () => {
    const library = Deno.dlopen(Deno.build.os === "windows" ? "kernel32.dll" : "libc.so.6", {
      value: { name: Deno.build.os === "windows" ? "GetCurrentProcessId" : "getpid", ...ANSWER },
    });
    check(library.symbols.value(), Deno.pid);
    library.close();
  },
};

/** Collects garbage as V8 does in a program that runs, no more thoroughly. */
async function collect(): Promise<void> {
  gc();
  await turn();
}

async function run(life: (round: number) => void, count: number): Promise<void> {
  for (let round = 1; round <= count; round++) {
    life(round);
    if (round % 500 === 0) await collect();
  }
  for (let round = 0; round < 5; round++) await collect();
}

const measure = (): Growth => ({
  owned: allocator.live,
  stubs: stubMappings(),
  descriptors: descriptors().length,
  mappings: mappingCount(),
  resident: Deno.memoryUsage().rss,
});

const life = LIFE_CYCLES[Deno.args[0]]();
const [warmUp, count] = Deno.args.slice(1).map(Number);
measure();
await run(life, warmUp);
const before = measure();
await run(life, count);
const after = measure();
registry[Symbol.dispose]();
for (let round = 0; allocator.live > 0 && round < 50; round++) await turn();
check(allocator.live, 0);
const growth = Object.fromEntries(
  Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Growth]]),
);
console.log(JSON.stringify(growth));
