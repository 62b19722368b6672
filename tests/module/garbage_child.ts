/**
 * Makes modules unreachable in one way or another, collects garbage, and prints
 * how much of them is left. Needs `--v8-flags=--expose-gc`.
 */
import { type CallPath, type LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import {
  ANSWER,
  answering,
  descriptors,
  importing,
  isMapped,
  stubMappings,
  turn,
  warm,
} from "../support/modules.ts";

const collect = (globalThis as unknown as { gc(): void }).gc;

async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    collect();
    await turn();
  }
}

const COUNT = 5;
/** What is left when everything is gone. */
const CLEAN = JSON.stringify({ mapped: 0, stubs: 0, descriptors: [] });
const [scenario, callPath] = Deno.args as [string, CallPath];
/** Counts mapped ranges itself: V8 may map a range that was freed a moment ago. */
const allocator = new FailingAllocator();
const registry = new ModuleRegistry({ allocator, callPath, keepVersions: 0 });
// Keeps open the resources that are opened once: the C library, the stub maker.
const anchor = registry.loadBytes("anchor", answering(0));
warm(anchor.getFunction("value", ANSWER)!);

const addresses: bigint[] = [];
let kept: unknown[] = [];

/** The elements of `all` that `some` does not have, as often as it does not have them. */
function without(all: readonly string[], some: readonly string[]): string[] {
  const rest = [...some];
  return all.filter((element) => {
    const index = rest.indexOf(element);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

/** Loads and binds modules; puts the objects that the scenario keeps into `kept`. */
function fill(): void {
  for (let index = 0; index < COUNT; index++) {
    const name = `m${index}`;
    if (scenario === "loader") {
      const module = new ModuleLoader({ allocator, callPath }).loadBytes(answering(index));
      addresses.push(module.codeMemory.address);
      const call = module.getFunction("value", ANSWER)!;
      warm(call);
      kept.push(call);
      continue;
    }
    let module: LoadedModule = registry.loadBytes(name, answering(index, `value${index}`));
    addresses.push(module.codeMemory.address);
    const call = module.getFunction(`value${index}`, ANSWER)!;
    warm(call);
    if (scenario === "handle") kept.push(module);
    if (scenario === "function" || scenario === "kept") kept.push(call);
    if (scenario === "lease") kept.push(module.addressOf(`value${index}`));
    if (scenario === "importer") {
      const importer = registry.loadBytes(`i${index}`, importing(`value${index}`));
      addresses.push(importer.codeMemory.address);
      kept.push(importer.getFunction("ask", ANSWER));
      registry.unload(`i${index}`);
    }
    if (scenario === "reload") {
      kept.push(call);
      module = registry.reload(name, { bytes: answering(index + 1, `value${index}`) });
    }
    if (scenario !== "reload") registry.unload(name);
  }
}

const stubs = stubMappings();
const open = descriptors();
const live = allocator.live.size;
fill();
await settle();
const heldBack = addresses.every(isMapped);
if (scenario === "kept") {
  console.log(JSON.stringify({ answer: (kept[3] as () => number)() }));
} else {
  if (scenario === "lease") { for (const lease of kept) (lease as Disposable)[Symbol.dispose](); }
  if (scenario === "reload") { for (let index = 0; index < COUNT; index++) registry.unload(`m${index}`); }
  kept = [];
  await settle();
  const left = () => ({
    mapped: allocator.live.size - live,
    stubs: stubMappings() - stubs,
    descriptors: without(descriptors(), open),
  });
  // The engine's own threads open files for a moment, and finalizers have no time of their own under load.
  for (let pass = 0; pass < 20 && JSON.stringify(left()) !== CLEAN; pass++) await settle();
  console.log(JSON.stringify({ heldBack, ...left() }));
}
registry[Symbol.dispose]();
