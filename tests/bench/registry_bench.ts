/**
 * Benchmarks operations in registries with few and many modules: time, mappings and memory.
 *
 * Run it alone with `deno run -A tests/bench/registry_bench.ts`
 */
import { ModuleRegistry } from "../../mod.ts";
import { SectionType, SymbolType } from "../../src/smf/enums.ts";
import { hostBuilder, machineCode } from "../support/testing.ts";
import { median, medianRatio, time } from "./measure.ts";
import { type Point, type Report, type Series, table } from "./report.ts";

const COUNTS = [1, 100, 10_000];
/** Lookups per round. */
const LOOKUPS = 10;

/** A small module with code, variables and one export, whose name is unique. */
function smallModule(index: number): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(index % 65536) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64).fill(1) });
  builder.symbol({ name: `export_${index}`, type: SymbolType.Function, size: 6 });
  return builder.build();
}

/** V8's garbage collector; undefined without `--expose-gc`. */
const collect = (globalThis as { gc?: () => void }).gc;

/**
 * The mappings, guard pages, resident bytes and used bytes of V8's heap of this process.
 *
 * Platforms: undefined except on Linux, which has /proc.
 */
function footprint(): { mappings: number; guards: number; resident: number; heap: number } | undefined {
  if (Deno.build.os !== "linux") return undefined;
  collect?.();
  const lines = Deno.readTextFileSync("/proc/self/maps").split("\n");
  const guards = lines.filter((line) => line.includes(" ---p ")).length;
  const { rss, heapUsed } = Deno.memoryUsage();
  return { mappings: lines.length - guards, guards, resident: rss, heap: heapUsed };
}

/** The operations to time in a registry of `count` modules; each returns nanoseconds. */
function operationsOn(registry: ModuleRegistry, folder: string, count: number): Record<string, () => number> {
  let next = count;
  const last = `export_${count - 1}`;
  return {
    "load one more": () => {
      const path = `${folder}/more_${next}.smf`;
      Deno.writeFileSync(path, smallModule(next++));
      const taken = time(() => registry.load(path));
      registry.unload(path, { force: true });
      Deno.removeSync(path);
      return 1e6 * taken;
    },
    "cached load": () => 1e6 * time(() => registry.load(`${folder}/0.smf`)[Symbol.dispose]()),
    "resolveSymbol hit": () => {
      return 1e6 / LOOKUPS * time(() => {
        for (let turn = 0; turn < LOOKUPS; turn++) registry.resolveSymbol(last);
      });
    },
    "resolveSymbol miss": () => {
      return 1e6 / LOOKUPS * time(() => {
        for (let turn = 0; turn < LOOKUPS; turn++) registry.resolveSymbol("undefined_name");
      });
    },
  };
}

/** Runs the benchmark, with all sizes in turn, so that they can be compared. */
export function registryBench(rounds = 101): Report {
  const folder = Deno.makeTempDirSync({ prefix: "smf_registry_bench_" });
  const registries: ModuleRegistry[] = [];
  const skipped: string[] = [];
  try {
    const mappings: Point[] = [], guards: Point[] = [], resident: Point[] = [], heap: Point[] = [];
    const filled = COUNTS.map((count) => {
      const registry = new ModuleRegistry();
      registries.push(registry);
      const before = footprint();
      for (let index = 0; index < count; index++) {
        const path = `${folder}/${index}.smf`;
        if (index >= (COUNTS[registries.length - 2] ?? 0)) Deno.writeFileSync(path, smallModule(index));
        registry.load(path);
      }
      const after = footprint();
      if (before !== undefined && after !== undefined && count > 1) {
        const each = (key: keyof typeof after) => (after[key] - before[key]) / count;
        mappings.push({ size: count, ours: each("mappings"), goal: 3 });
        guards.push({ size: count, ours: each("guards") });
        resident.push({ size: count, ours: each("resident") });
        if (collect !== undefined) heap.push({ size: count, ours: each("heap") });
      }
      // This handle stays open, so that closing another does not unload the module.
      registry.load(`${folder}/0.smf`);
      return operationsOn(registry, folder, count);
    });
    if (mappings.length === 0) skipped.push("mappings and memory: there is no /proc");
    const names = Object.keys(filled[0]);
    const series: Series[] = names.map((name) => {
      const samples = filled.map(() => [] as number[]);
      for (let round = 0; round < 20 + rounds; round++) {
        filled.forEach((one, at) => {
          const taken = one[name]();
          if (round >= 20) samples[at].push(taken);
        });
      }
      return {
        name,
        per: "modules",
        unit: "ns",
        peer: "with 1",
        points: COUNTS.map((size, at) => ({
          size,
          ours: median(samples[at]),
          peer: median(samples[0]),
          ratio: medianRatio(samples[at], samples[0]),
          goal: 1.5,
        })),
      };
    });
    series.push(
      { name: "mappings of a module", per: "modules", unit: "mappings", points: mappings },
      { name: "guards of a module", per: "modules", unit: "mappings", points: guards },
      { name: "resident memory of a module", per: "modules", unit: "bytes", points: resident },
      { name: "JavaScript heap of a module", per: "modules", unit: "bytes", points: heap },
    );
    return { title: "registry", series, skipped };
  } finally {
    for (const registry of registries) registry[Symbol.dispose]();
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) console.log(table(registryBench()));
