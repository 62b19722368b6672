/** What surrounds crashes of modules: `crash_elsewhere_child.ts CASE`. */
import { type LinkOptions, type LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { maps } from "../../support/process_state.ts";
import { linkCrashes } from "./crash_child.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const bytes = linkCrashes("plain");
const registry = new ModuleRegistry();
const load = () => registry.loadBytes("crashes", bytes);
const CALL = { parameters: ["function", "i32"], result: "i32" } as const;
/** Has the module call back, and prints the result. */
function callBack(module: LoadedModule, number: number, work: () => void): void {
  const callback = new Deno.UnsafeCallback(NUMBER, (number) => {
    work();
    return number;
  });
  console.log(module.getFunction("call", CALL)!(callback.pointer, number));
  callback.close();
}
/** Calls a function that comes back, so that the module's code was on the stack before. */
const callOnce = () => callBack(load(), 1, () => {});

// (module (memory 1) (func (export "f") (param i32) (result i32) local.get 0 i32.load))
// deno-fmt-ignore
const WASM = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0,
  10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11,
]);

/** The names of the errors that the engine makes of a bad access and of too deep a recursion. */
function errorsOfEngine(): string {
  const load = new WebAssembly.Instance(new WebAssembly.Module(WASM)).exports.f as (at: number) => number;
  const nameOf = (work: () => void): string => {
    try {
      work();
      return "nothing";
    } catch (error) {
      return (error as Error).constructor.name;
    }
  };
  const recurse = (): number => 1 + recurse();
  return `${nameOf(() => load(1 << 20))} ${nameOf(recurse)}`;
}

function crash(module: LoadedModule): void {
  module.getFunction("by_store", NUMBER)!(1);
}

/** Crashes in a module that was loaded from a file, which something may happen to in between. */
function crashFromFile(variant: string, options: LinkOptions = {}, change?: (path: string) => void): void {
  const path = `${Deno.env.get("CRASH_FOLDER")}/crashes.smf`;
  Deno.writeFileSync(path, linkCrashes(variant, options));
  const module = registry.load(path);
  change?.(path);
  crash(module);
}

const CASES: Record<string, () => void | Promise<void>> = {
  elsewhere() {
    callOnce();
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!).getUint8();
  },
  async killed() {
    callOnce();
    Deno.kill(Deno.pid, "SIGABRT");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  async listened() {
    callOnce();
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = () => resolve();
    Deno.addSignalListener("SIGTRAP", listener);
    Deno.kill(Deno.pid, "SIGTRAP");
    await promise;
    Deno.removeSignalListener("SIGTRAP", listener);
    console.log("came");
  },
  engine() {
    callOnce();
    console.log(errorsOfEngine());
    callBack(load(), 2, () => console.log(`in a callback: ${errorsOfEngine()}`));
  },
  "handled-before"() {
    // A registry without reports installs nothing.
    const silent = new ModuleRegistry({ crashReport: false }).loadBytes("handler", bytes);
    silent.getFunction("take_signals", { parameters: [], result: "i32" })!();
    load();
    const survive = silent.getFunction("survive", NUMBER)!;
    console.log(survive(1));
    console.log(survive(1));
  },
  "handled-after"() {
    const module = load();
    module.getFunction("take_signals", { parameters: [], result: "i32" })!();
    const survive = module.getFunction("survive", NUMBER)!;
    console.log(survive(1));
    console.log(survive(1));
  },
  freed() {
    const { address } = load().codeMemory;
    registry[Symbol.dispose]();
    const pointer = Deno.UnsafePointer.create(address) as Deno.PointerObject<never>;
    new Deno.UnsafeFnPointer(pointer, NUMBER).call(1);
  },
  lines: () => crashFromFile("lines"),
  lines4: () => crashFromFile("lines4"),
  compressed: () => crashFromFile("lines", { compressDebug: true }),
  changed: () => crashFromFile("lines", {}, (path) => Deno.writeTextFileSync(path, "another file")),
  bytes: () => crash(registry.loadBytes("lines", linkCrashes("lines"))),
  stacks() {
    const counts = [true, false].map((crashReport) => {
      const module = new ModuleRegistry({ crashReport }).loadBytes("stacks", bytes);
      const withStacks = module.getFunction("with_stacks", NUMBER)!;
      const first = withStacks(100), mapped = maps().length;
      return `${first} ${withStacks(2000)} ${maps().length - mapped}`;
    });
    console.log(counts.join(", "));
  },
  reloaded() {
    load();
    const module = registry.reload("crashes", { bytes });
    module.getFunction("by_store", NUMBER)!(1);
  },
  nested() {
    const module = load();
    const byStore = module.getFunction("by_store", NUMBER)!;
    callBack(module, 1, () => void byStore(1));
  },
  async "at-once"() {
    const byStore = load().getFunction("by_store", { ...NUMBER, nonblocking: true })!;
    await Promise.all(Array.from({ length: 8 }, () => byStore(1)));
  },
};

if (import.meta.main) await CASES[Deno.args[0]]();
