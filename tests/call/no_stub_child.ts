/**
 * Binds functions and calls them through their warm-up at the limit of
 * descriptors: none is left for the file in memory (`memfd`), or one for that
 * file but none to open it as a library (`dlopen`).
 */
import { LoadError, ModuleLoader } from "../../mod.ts";
import { sample, stubMappings, warm } from "../support/modules.ts";

const RLIMIT_NOFILE = 7;
const libc = Deno.dlopen("libc.so.6", {
  // int getrlimit(int resource, struct rlimit *rlim); -1
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  // int setrlimit(int resource, const struct rlimit *rlim); -1
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
});
const loader = new ModuleLoader();
const limits = new BigUint64Array(2);
libc.symbols.getrlimit(RLIMIT_NOFILE, limits);
const [soft] = limits;

/** The lowest free descriptor number. */
function lowestFreeDescriptor(): number {
  const open = new Set<number>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      Deno.readLinkSync(`/proc/self/fd/${name}`);
      open.add(Number(name));
    } catch {
      // The descriptor of the directory itself is closed by now.
    }
  }
  let number = 0;
  while (open.has(number)) number++;
  return number;
}

function limit(count: bigint): void {
  limits[0] = count;
  if (libc.symbols.setrlimit(RLIMIT_NOFILE, limits) !== 0) throw new Error("setrlimit");
}

const ADD32 = { parameters: ["i32", "i32"], result: "i32" } as const;
const ADD64 = { parameters: ["i64", "i64"], result: "i64" } as const;
// Files that stay open are opened before the limit is set.
using first = loader.loadBytes(sample());
first.getFunction("nothing", { parameters: [], result: "void" }, { callPath: "fast" })!();
using module = loader.loadBytes(sample());
using other = loader.loadBytes(sample());

limit(BigInt(lowestFreeDescriptor() + (Deno.args[0] === "dlopen" ? 1 : 0)));
const reasons: unknown[] = [];
let auto: unknown[] = [];
let before: unknown;
let fast = "bound";
let symbols: unknown;
let hint: unknown;
let isLoadError = false;
try {
  const add32 = module.getFunction("add32", ADD32)!;
  before = module.callPaths()[0].path;
  auto = [warm(() => add32(2, 3))];
  reasons.push(module.fallbackReason);
  auto.push(Number(module.getFunction("add64", ADD64)!(3n, 4n)));
  reasons.push(module.fallbackReason);
  try {
    module.getFunction("add32", ADD32, { callPath: "fast" });
  } catch (error) {
    isLoadError = error instanceof LoadError;
    fast = isLoadError ? (error as LoadError).kind : String(error);
    symbols = (error as LoadError).data?.symbols;
    hint = (error as LoadError).hint;
  }
} finally {
  limit(soft);
}
const add32 = other.getFunction("add32", ADD32)!;
const stubs = stubMappings();
warm(() => add32(2, 3));
console.log(JSON.stringify({
  auto,
  before,
  paths: module.callPaths().map(({ path }) => path),
  reasons,
  fast,
  symbols,
  hint,
  isLoadError,
  afterwards: stubMappings() > stubs ? other.callPaths()[0].path : "no library",
}));
libc.close();
