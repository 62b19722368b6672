/**
 * Reloads a module with 10,000 functions and 2,000 variables that stay where they are. Argument: the number of
 * reloads. Needs `--expose-gc`.
 */
import { type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { mappingCount } from "../support/modules.ts";
import { randomFrom } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

/** The output, as JSON. */
export interface Outcome {
  readonly samples: readonly Sample[];
  /** The variables that did not stay, over all reloads. */
  readonly lost: number;
}

/** The state of the process after some reloads. */
interface Sample {
  readonly reloads: number;
  /** The sum of what the reports say that each reload has added, in bytes. */
  readonly reported: number;
  readonly resident: number;
  readonly mappings: number;
}

const FUNCTIONS = 10_000, VARIABLES = 2000;
const gc = (globalThis as unknown as { gc: () => void }).gc;
const count = Number(Deno.args[0]);

/** Each version has functions of its own results; the variables hold numbers and addresses of each other. */
function numbered(number: number): Uint8Array<ArrayBuffer> {
  const functions: Record<string, number> = { number };
  for (let index = 1; index < FUNCTIONS; index++) functions[`f${index}`] = (index + number) % 30_000;
  const data: Record<string, (bigint | string)[]> = {};
  for (let index = 0; index < VARIABLES; index++) {
    data[`v${index}`] = [index % 4 === 3 ? `v${index - 1}` : BigInt(index)];
  }
  return version({ functions, data, homes: true });
}

/** Few files, since building one takes longer than a reload. */
const files = Array.from({ length: 8 }, (_, number) => numbered(number));
const random = randomFrom(18);
await using registry = new ModuleRegistry();
const first = registry.loadBytes("m", files[0]);
const called = Array.from({ length: 40 }, () => 1 + random() % (FUNCTIONS - 1));
const definitions = Object.fromEntries([["number", INT], ...called.map((index) => [`f${index}`, INT])]);
const { symbols } = registry.open("m", definitions);
const calls = symbols as unknown as Record<string, () => number>;
const places = (module: LoadedModule): bigint[] =>
  ["v0", "v3"].map((name) => {
    using lease = module.addressOf(name)!;
    return lease.address;
  });
const [variable, pointer] = places(first);
first.close();
const word = (address: bigint) =>
  new BigInt64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address)!, 8));
const pointed = word(pointer)[0];
const samples: Sample[] = [];
let reported = 0, lost = 0;
for (let reload = 1; reload <= count; reload++) {
  word(variable)[0] = BigInt(reload);
  const module = registry.reload("m", { bytes: files[reload % 8], state: "keep" });
  const { kept, unused } = module.carried!;
  lost += VARIABLES - kept.length;
  reported += unused!.addedBytes;
  const addresses = places(module);
  if (addresses[0] !== variable || addresses[1] !== pointer) throw new Error("a variable has moved");
  module.close();
  if (word(variable)[0] !== BigInt(reload) || word(pointer)[0] !== pointed) {
    throw new Error("a value is lost");
  }
  if (calls.number() !== reload % 8) throw new Error(`${calls.number()} after reload ${reload}`);
  for (const index of called) {
    const found = calls[`f${index}`]();
    if (found !== (index + reload % 8) % 30_000) throw new Error(`f${index}() is ${found}`);
  }
  if (reload % Math.ceil(count / 5) !== 0) continue;
  for (let pass = 0; pass < 2; pass++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  samples.push({ reloads: reload, reported, resident: Deno.memoryUsage().rss, mappings: mappingCount() });
}
console.log(JSON.stringify({ samples, lost } satisfies Outcome));
