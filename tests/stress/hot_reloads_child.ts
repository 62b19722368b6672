/**
 * Reloads a hot module with 10,000 functions. Arguments: the number of reloads, and the paths of the versions. Needs
 * `--expose-gc`.
 */
import { ModuleRegistry } from "../../mod.ts";
import { randomFrom } from "../support/testing.ts";

/** The output, as JSON: a sample after each fifth of the reloads. */
export type Outcome = readonly Sample[];

/** The state of the process after some reloads. */
interface Sample {
  readonly reloads: number;
  /** The bytes of one version's code. */
  readonly one: number;
  /** The bytes of code of all versions that are in memory, and those of memory beside it, as the registry tells. */
  readonly code: number;
  readonly rest: number;
  /** The executable bytes that the system has mapped for modules of this size. */
  readonly executable: number;
  /** The sum of what the reports say that each reload has added, without the code that goes. */
  readonly reported: number;
  readonly resident: number;
}

const FUNCTIONS = 10_000;
const INT = { parameters: ["i32"], result: "i32" } as const;
const gc = (globalThis as unknown as { gc: () => void }).gc;
const [count, ...paths] = [Number(Deno.args[0]), ...Deno.args.slice(1)];
const files = paths.map((path) => Deno.readFileSync(path));

const random = randomFrom(1018);
await using registry = new ModuleRegistry();
const first = registry.loadBytes("m", files[0]);
const called = Array.from({ length: 40 }, () => random() % FUNCTIONS);
const { symbols } = registry.open("m", {
  ...Object.fromEntries(called.map((index) => [`g${index}`, INT])),
  count: { parameters: [], result: "i32" },
});
first.close();
const calls = symbols as unknown as Record<string, (value?: number) => number>;

/** Executable mappings that are as large as the code of a version. */
function executable(code: number): number {
  let sum = 0;
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    const [, first, end, access] = /^([0-9a-f]+)-([0-9a-f]+) (....)/.exec(line) ?? [];
    if (access !== "r-xp" || !/ 0 *$/.test(line)) continue;
    const size = parseInt(end, 16) - parseInt(first, 16);
    // Trampolines have less room.
    if (size >= code / 2 && size < 2 * code) sum += size;
  }
  return sum;
}

let reported = 0, code = 0;
const samples: Sample[] = [];

let reload = 0;

function reloadOnce(): void {
  reload++;
  const module = registry.reload("m", { bytes: files[reload % files.length] });
  const { kept, fresh, unused, replacedCode } = module.carried!;
  if (fresh.length > 0 || kept.length === 0) throw new Error(`${fresh[0]?.reason}`);
  if (replacedCode!.stays !== undefined) throw new Error(replacedCode!.stays);
  code = replacedCode!.bytes;
  reported += unused!.addedBytes - code;
  module.close();
  const version = reload % files.length;
  for (const index of called) {
    const found = calls[`g${index}`](reload);
    if (found !== reload + index + version) throw new Error(`g${index}(${reload}) is ${found}`);
  }
  if (calls.count() !== reload) throw new Error(`${calls.count()} after reload ${reload}`);
}

function sizeOf(part: "codeSize" | "size"): number {
  return registry.inspect().modules[0].versions.reduce((sum, version) => sum + version[part], 0);
}

for (let sample = 1; sample <= 5; sample++) {
  for (const end = Math.ceil(count * sample / 5); reload < end;) reloadOnce();
  for (let pass = 0; pass < 2; pass++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // Code waits for the next reload if a thread of the engine ran at the last ones.
  for (const end = reload + 40; reload < end && sizeOf("codeSize") > 3 * code;) reloadOnce();
  samples.push({
    reloads: reload,
    one: code,
    code: sizeOf("codeSize"),
    rest: sizeOf("size") - sizeOf("codeSize"),
    executable: executable(code),
    reported,
    resident: Deno.memoryUsage().rss,
  });
}
console.log(JSON.stringify(samples satisfies Outcome));
