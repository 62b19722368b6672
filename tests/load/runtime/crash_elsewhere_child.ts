/** The surroundings of crashes of modules: `crash_elsewhere_child.ts CASE`. */
import { linkObjects, type LinkOptions, type LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { maps } from "../../support/process_state.ts";
import { linkCrashes, makeRegistry } from "../../support/crashes.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const bytes = linkCrashes("plain");
const registry = makeRegistry();
const load = () => registry.loadBytes("crashes", bytes);
const call = (name: string, argument = 1, module = load()) => module.getFunction(name, NUMBER)!(argument);
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

/** Crashes in a module that was loaded from a file, which something may happen to in between. */
function crashFromFile(variant: string, options: LinkOptions = {}, change?: (path: string) => void): void {
  const folder = Deno.env.get("CRASH_FOLDER")!, path = `${folder}/crashes.smf`;
  Deno.writeFileSync(path, linkCrashes(variant, options, folder));
  const module = registry.load(path);
  change?.(path);
  call("by_store", 1, module);
}

/** Has a module handle segmentation faults from now on. */
function takeSignals(module: LoadedModule): void {
  module.getFunction("take_signals", { parameters: [], result: "i32" })!();
}

function surviveTwice(module: LoadedModule): void {
  for (let time = 0; time < 2; time++) console.log(call("survive", 1, module));
}

/** Handles exceptions in a module from now on, and has it crash twice. */
function handleExceptions(first: 0 | 1): void {
  call("take_exceptions", first);
  console.log(call("by_store", 4), call("by_store", 5));
}

/** Runs a function of the object that clang has made, which has the unwind tables of Windows. */
function runBlocks(name: string): void {
  const object = { name: "blocks.obj", bytes: Deno.readFileSync(new URL("blocks.obj", FOLDER)) };
  const { bytes } = linkObjects([object], { platform: Platform.Windows });
  // Its handler of exceptions is the system's.
  const module = new ModuleRegistry({ libraries: ["ntdll.dll", "kernel32.dll"] }).loadBytes("crashes", bytes);
  console.log(call(name, 5, module));
}

/** The cases for all systems. */
const COMMON: Record<string, () => void> = {
  elsewhere() {
    callOnce();
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!).getUint8();
  },
  engine() {
    callOnce();
    console.log(errorsOfEngine());
    callBack(load(), 2, () => console.log(`in a callback: ${errorsOfEngine()}`));
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
  bytes: () => call("by_store", 1, registry.loadBytes("lines", linkCrashes("lines"))),
  reloaded() {
    load();
    call("by_store", 1, registry.reload("crashes", { bytes }));
  },
  nested() {
    const module = load();
    const byStore = module.getFunction("by_store", NUMBER)!;
    callBack(module, 1, () => void byStore(1));
  },
};

/** The cases of Linux. */
const LINUX: Record<string, () => void | Promise<void>> = {
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
  "handled-before"() {
    // A registry without reports installs nothing.
    const silent = new ModuleRegistry({ crashReport: false }).loadBytes("handler", bytes);
    takeSignals(silent);
    load();
    surviveTwice(silent);
  },
  "handled-after"() {
    const module = load();
    takeSignals(module);
    surviveTwice(module);
  },
  companion: () => crashFromFile("lines", { debug: "crashes.debug" }),
  stacks() {
    const counts = [true, false].map((crashReport) => {
      const module = new ModuleRegistry({ crashReport }).loadBytes("stacks", bytes);
      const withStacks = module.getFunction("with_stacks", NUMBER)!;
      const first = withStacks(100), mapped = maps().length;
      return `${first} ${withStacks(2000)} ${maps().length - mapped}`;
    });
    console.log(counts.join(", "));
  },
  async "at-once"() {
    const byStore = load().getFunction("by_store", { ...NUMBER, nonblocking: true })!;
    await Promise.all(Array.from({ length: 8 }, () => byStore(1)));
  },
};

/** The cases of Windows. */
const WINDOWS: Record<string, () => void> = {
  block: () => runBlocks("by_block"),
  frame: () => runBlocks("by_frame"),
  probe: () => console.log(call("by_probe", 5)),
  cpp: () => console.log(call("by_raise", 0xe06d7363 | 0)),
  breakpoint: () => console.log(call("by_raise", 0x80000003 | 0)),
  "first-handler": () => handleExceptions(1),
  "last-handler": () => handleExceptions(0),
  "earlier-handler"() {
    const silent = makeRegistry({ crashReport: false }).loadBytes("crashes", bytes);
    call("take_exceptions", 0, silent);
    console.log(call("by_store", 4));
  },
};

const CASES: Record<string, () => void | Promise<void>> = { ...COMMON, ...LINUX, ...WINDOWS };

if (import.meta.main) await CASES[Deno.args[0]]();
