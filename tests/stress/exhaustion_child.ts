/**
 * Loads modules until the kernel refuses memory, releases all of them, and
 * starts again. Arguments: the resource that runs out (`mappings`, limited by
 * vm.max_map_count, or `address space`, limited by RLIMIT_AS), the number of
 * rounds, and the number of mappings to leave free. Needs `--expose-gc`.
 */
import { type LoadedModule, LoadError, ModuleLoader } from "../../mod.ts";
import { HeaderFlag, SectionType, SymbolType } from "../../src/smf/mod.ts";
import { ANSWER, descriptors, mappingCount, stubMappings, turn, warm } from "../support/modules.ts";
import { hostBuilder, machineCode } from "../support/testing.ts";

/** The output, as JSON. */
export interface Outcome {
  /** For each round, the number of modules that fit and the error that ended it. */
  readonly rounds: readonly { readonly loaded: number; readonly error: string; readonly kind: string }[];
  /** The number of loaded modules that returned a wrong value after memory was refused. */
  readonly wrong: number;
  readonly mappings: number;
  readonly stubs: number;
  readonly descriptors: number;
}

const MEBIBYTE = 2 ** 20;
const RLIMIT_AS = 9;
/** A module's size, larger than any allocation of V8, which would not survive a refusal. */
const LARGE = 64 * MEBIBYTE;
const ROOM = 512 * MEBIBYTE;

const resource = Deno.args[0];
const [count, spare] = Deno.args.slice(1).map(Number);

/** Uses up mappings until `spare` are left, with pages whose protection differs from their neighbours'. */
function takeMappings(spare: number): void {
  const libc = Deno.dlopen("libc.so.6", {
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
    mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  });
  const most = Number(Deno.readTextFileSync("/proc/sys/vm/max_map_count"));
  const pages = Math.max(0, most - mappingCount() - spare);
  const [PROT_NONE, PROT_READ, MAP_PRIVATE_ANONYMOUS] = [0, 1, 0x22];
  const base = libc.symbols.mmap(0n, BigInt(4096 * (pages + 1)), PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  for (let page = 0; page < pages; page += 2) {
    libc.symbols.mprotect(base + BigInt(4096 * page), 4096n, PROT_READ);
  }
  libc.close();
}

function module(bss: number): Uint8Array {
  const builder = hostBuilder({ flags: HeaderFlag.Reloadable });
  const code = machineCode.returns(7);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "constants", type: SectionType.RoData, bytes: new Uint8Array(8) });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: bss });
  builder.symbol({ name: "value", type: SymbolType.Function, size: code.length });
  return builder.build();
}

function limitAddressSpace(): void {
  const libc = Deno.dlopen("libc.so.6", {
    // int setrlimit(int resource, const struct rlimit *); -1
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const pages = Number(Deno.readTextFileSync("/proc/self/statm").split(" ")[0]);
  const limit = BigInt(pages * 4096 + ROOM);
  if (libc.symbols.setrlimit(RLIMIT_AS, new BigUint64Array([limit, limit])) !== 0) {
    throw new Error("setrlimit");
  }
  libc.close();
}

const loader = new ModuleLoader();
using anchor = loader.loadBytes(module(8));
const call = anchor.getFunction("value", ANSWER)!;
warm(call);
const bytes = module(resource === "mappings" ? 8 : LARGE);
if (resource === "mappings") takeMappings(spare);
else limitAddressSpace();
const before = { mappings: mappingCount(), stubs: stubMappings(), descriptors: descriptors().length };

const rounds: { loaded: number; error: string; kind: string }[] = [];
let wrong = 0;
for (let round = 0; round < count; round++) {
  const loaded: LoadedModule[] = [];
  let failure: unknown;
  try {
    while (true) loaded.push(loader.loadBytes(bytes));
  } catch (error) {
    failure = error;
  }
  if (call() !== 7) wrong++;
  const size = loaded.length;
  // Closing half of the modules first makes room for the bindings of the others.
  for (const one of loaded.splice(size >> 1)) one.close();
  for (const one of loaded.filter((_, index) => index % 100 === 0)) {
    if (warm(one.getFunction("value", ANSWER)!) !== 7) wrong++;
  }
  for (const one of loaded) one.close();
  const { kind, message } = failure instanceof LoadError
    ? failure
    : { kind: "none", message: String(failure) };
  rounds.push({ loaded: size, kind, error: message });
  await turn();
}
using again = loader.loadBytes(bytes);
if (warm(again.getFunction("value", ANSWER)!) !== 7) wrong++;
again.close();
const { gc } = globalThis as unknown as { gc(options: Record<string, string>): void };
for (let round = 0; round < 5; round++) {
  gc({ type: "major", flavor: "last-resort" });
  await turn();
}
console.log(JSON.stringify(
  {
    rounds,
    wrong,
    mappings: mappingCount() - before.mappings,
    stubs: stubMappings() - before.stubs,
    descriptors: descriptors().length - before.descriptors,
  } satisfies Outcome,
));
