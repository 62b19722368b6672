/**
 * What a module has registered to be called later, and when that is:
 *
 * | registered by | runs |
 * |---|---|
 * | `__cxa_thread_atexit`, `__cxa_thread_atexit_impl` | when the thread ends, or the module if that is sooner |
 * | `__cxa_atexit` and what rests on it: `atexit`, static objects | when the module ends |
 * | `pthread_key_create`, `tss_create`: destructors | when a thread ends, while the module is there |
 *
 * Nothing runs when the process ends. The functions that a module calls are
 * those of native/exits.c, one library for the whole process that stays until
 * its end: the end of a thread leads there, never into a module that is gone.
 */

import { MemoryFiles } from "../../os/memory_file.ts";
import { pointerCall } from "../../os/pointer.ts";
import { LoadError } from "../../errors.ts";
import type { ExecutableMemory } from "../../os/memory/contract.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { EXITS_LIBRARY, EXITS_NAME } from "./atexit_library.ts";

/** The names that modules know, and the functions that stand for them. */
const STANDS_FOR: ReadonlyMap<string, string> = new Map([
  ["__cxa_atexit", "smf_atexit"],
  ["__cxa_finalize", "smf_finalize"],
  ["__cxa_thread_atexit", "smf_thread_atexit"],
  ["__cxa_thread_atexit_impl", "smf_thread_atexit"],
  ["pthread_key_create", "smf_key_create"],
  ["pthread_key_delete", "smf_key_delete"],
  ["tss_create", "smf_tss_create"],
  ["tss_delete", "smf_tss_delete"],
]);

/**
 * What the loader itself calls.
 *
 * | C declaration | failure |
 * |---|---|
 * | `struct module *smf_add_module(uintptr_t start, uintptr_t size)` | NULL |
 * | `void smf_end_threads(struct module *)` | never |
 * | `void smf_run_finalisers(struct module *)` | never |
 * | `int smf_remove_module(struct module *, unsigned milliseconds)` | −1 |
 */
const FUNCTIONS = {
  smf_add_module: { parameters: ["usize", "usize"], result: "pointer" },
  smf_end_threads: { parameters: ["pointer"], result: "void" },
  smf_run_finalisers: { parameters: ["pointer"], result: "void" },
  smf_remove_module: { parameters: ["pointer", "u32"], result: "i32" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** How long the end of a module waits for destructors that run in other threads at that moment. */
const PATIENCE = 1000;

const addresses: Map<string, bigint> = new Map();

/** The address of one of the library's functions. */
function addressOf(name: string): bigint {
  let address = addresses.get(name);
  if (address !== undefined) return address;
  const linker = openDynamicLinker();
  try {
    // Some isolate may have opened it before. It is never closed.
    const handle = linker.open(EXITS_NAME) ?? openLibrary((path) => linker.open(path));
    if (handle === null) {
      throw new LoadError(
        "Unsupported",
        `Cannot provide for the end of threads: the system refuses the library (${linker.failure()})`,
      );
    }
    address = linker.find(handle, name);
  } finally {
    linker[Symbol.dispose]();
  }
  addresses.set(name, address);
  return address;
}

function openLibrary(open: (path: string) => Deno.PointerValue): Deno.PointerValue {
  const bytes = Uint8Array.from(atob(EXITS_LIBRARY[Deno.build.arch]), (letter) => letter.charCodeAt(0));
  using files = new MemoryFiles();
  return files.withFile(bytes, open);
}

function call(name: keyof typeof FUNCTIONS, ...parameters: unknown[]): unknown {
  return pointerCall(addressOf(name), FUNCTIONS[name])(...parameters as never[]);
}

/** Whether modules get a function from here when they ask for a name. */
export function isExitName(name: string): boolean {
  return STANDS_FOR.has(name);
}

/** The function that stands for a name. */
export function exitFunction(name: string): bigint {
  return addressOf(STANDS_FOR.get(name)!);
}

/** A module that may have something registered; dispose of it before its memory goes. */
export class ModuleExits implements Disposable {
  readonly #module: Deno.PointerValue;
  #isRemoved = false;

  /** From here on the module's code may register something. */
  constructor({ address, size }: ExecutableMemory) {
    this.#module = call("smf_add_module", address, BigInt(size)) as Deno.PointerValue;
    if (this.#module !== null) return;
    throw new LoadError("OutOfMemory", "Cannot provide for the module's end: memory is exhausted", { size });
  }

  /** Destroys the thread-local objects that threads still have in the module. */
  endThreads(): void {
    call("smf_end_threads", this.#module);
  }

  /** Runs what is to run when the module ends. */
  runFinalisers(): void {
    call("smf_run_finalisers", this.#module);
  }

  /** @throws {LoadError} `Busy` if a thread ends in the module and is not done with that soon. */
  [Symbol.dispose](): void {
    if (this.#isRemoved) return;
    if (call("smf_remove_module", this.#module, PATIENCE) !== 0) {
      throw new LoadError(
        "Busy",
        "Cannot free module: a thread that ends is still in one of its destructors",
      );
    }
    this.#isRemoved = true;
  }
}
