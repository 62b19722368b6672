/**
 * Functions that modules register to be called later, and when they run:
 *
 * | registered by | runs |
 * |---|---|
 * | `__cxa_thread_atexit`, `__cxa_thread_atexit_impl` | when the thread ends, or the module if that is sooner |
 * | `__cxa_atexit` and its users: `atexit`, static objects | when the module ends |
 * | `on_exit` | the same, with status 0 |
 * | `at_quick_exit` | when `quick_exit` is called, else when the module ends |
 * | `pthread_key_create`, `tss_create`: destructors | when a thread ends while the module is loaded |
 *
 * Beside `quick_exit` none runs when the process ends. A module's calls go to the functions of
 * the library of native/exits.c, one for the whole process that is never closed: the
 * end of a thread leads there, never into a module that has been freed.
 */

import { LoadError } from "../../errors/load_error.ts";
import type { ExecutableMemory } from "../../os/memory/contract.ts";
import type { OwnTrampolines } from "../own_trampolines.ts";
import { EXITS_LIBRARY, EXITS_NAME } from "./atexit_library.ts";
import { HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";
import { Platform } from "../../smf/enums.ts";

/** The C library's functions, and the library's functions that replace them. */
const REPLACEMENTS: ReadonlyMap<string, string> = new Map([
  ["__cxa_atexit", "smf_atexit"],
  ["__cxa_at_quick_exit", "smf_at_quick_exit"],
  ["__cxa_finalize", "smf_finalize"],
  ["__cxa_thread_atexit", "smf_thread_atexit"],
  ["__cxa_thread_atexit_impl", "smf_thread_atexit"],
  ["at_quick_exit", "smf_at_quick_exit"],
  ["on_exit", "smf_on_exit"],
  ["pthread_key_create", "smf_key_create"],
  ["pthread_key_delete", "smf_key_delete"],
  ["quick_exit", "smf_quick_exit"],
  ["tss_create", "smf_tss_create"],
  ["tss_delete", "smf_tss_delete"],
]);

/**
 * The library's functions for the loader itself.
 *
 * | C declaration | failure |
 * |---|---|
 * | `struct module *smf_add_module(uintptr_t start, uintptr_t size)` | NULL |
 * | `void smf_end_threads(struct module *)` | never |
 * | `void smf_run_finalisers(struct module *)` | never |
 * | `int smf_set_trampolines(struct module *, const struct trampoline *pairs, size_t count)` | −1 |
 * | `int smf_remove_module(struct module *, unsigned milliseconds)` | −1 |
 * | `const struct arguments *smf_arguments(void)` | never |
 * | `size_t smf_registered(struct module *, uintptr_t *pairs, size_t room)` | never |
 * | `void smf_withdraw(struct module *, callback *run, void *value, int is_withdrawn)` | never |
 */
const FUNCTIONS = {
  smf_add_module: { parameters: ["usize", "usize"], result: "pointer" },
  smf_end_threads: { parameters: ["pointer"], result: "void" },
  smf_run_finalisers: { parameters: ["pointer"], result: "void" },
  smf_set_trampolines: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  smf_remove_module: { parameters: ["pointer", "u32"], result: "i32" },
  smf_arguments: { parameters: [], result: "pointer" },
  smf_registered: { parameters: ["pointer", "buffer", "usize"], result: "usize" },
  smf_withdraw: { parameters: ["pointer", "usize", "usize", "i32"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** How long freeing a module waits for destructors that run in other threads, in milliseconds. */
const DESTRUCTOR_TIMEOUT = 1000;

const library = new NativeLibrary(EXITS_NAME, EXITS_LIBRARY);
const call = library.caller(FUNCTIONS);

/** Whether the library replaces the C library's function of that name. */
export function isExitName(name: string): boolean {
  return REPLACEMENTS.has(name);
}

/**
 * The address of the replacement of a C library's function.
 *
 * Platforms: the library exists for Linux only.
 *
 * @param name One that {@linkcode isExitName} accepts.
 * @throws {LoadError} `Unsupported` if the system refuses the library.
 */
export function exitFunction(name: string): bigint {
  return library.addressOf(REPLACEMENTS.get(name)!);
}

/** The arguments of an initialiser: argc, argv, envp. */
export type InitialiserArguments = readonly [
  count: number,
  values: Deno.PointerValue,
  environment: Deno.PointerValue,
];

/** The ends of argv and of the environment variables: some initialisers look for the second behind the first. */
const NOTHING = new BigUint64Array(2);

/**
 * The arguments that the C library passes to the initialisers of its own
 * libraries, and so to those of this one.
 *
 * Platforms: without the library, or with a C library that passes nothing, argc is
 * 0; the environment variables may be there.
 */
export function initialiserArguments(): InitialiserArguments {
  const none = Deno.UnsafePointer.of(NOTHING);
  let known: Deno.PointerValue;
  try {
    known = HOST_PLATFORM === Platform.Linux ? call("smf_arguments") as Deno.PointerValue : null;
  } catch (error) {
    // Where libraries in memory are forbidden, initialisers that ignore their arguments still run.
    if (!(error instanceof LoadError)) throw error;
    known = null;
  }
  if (known === null) return [0, none, none];
  const view = new Deno.UnsafePointerView(known);
  return [view.getInt32(0), view.getPointer(8), view.getPointer(16)];
}

/** A function that a module has registered for its end or that of a thread. */
export interface Registration {
  /** The address of the function. */
  readonly run: number;
  /** Its argument: the address of an object, or anything else. */
  readonly value: number;
}

/**
 * The library's record of a module that can register functions.
 *
 * Safety: dispose of it before the module's memory is freed, and never use it
 * afterwards.
 *
 * Platforms: works on Linux only.
 */
export class ModuleExits implements Disposable {
  readonly #module: Deno.PointerValue;
  #isRemoved = false;

  /** Makes the record; the module's code may register functions from then on. */
  constructor({ address, size }: ExecutableMemory) {
    this.#module = call("smf_add_module", address, BigInt(size)) as Deno.PointerValue;
    if (this.#module !== null) return;
    throw new LoadError("OutOfMemory", "Cannot record module for its end: memory is exhausted", { size });
  }

  /** Destroys the thread-local objects that threads still have in the module. */
  endThreads(): void {
    call("smf_end_threads", this.#module);
  }

  /** Runs the functions that are registered for the module's end, newest first. */
  runFinalisers(): void {
    call("smf_run_finalisers", this.#module);
  }

  /**
   * Says which trampolines lead to functions of the module. From then on a
   * function that the module registers by its trampoline runs as code of this
   * version, not of the one that the trampoline leads to by then.
   *
   * @throws {LoadError} `OutOfMemory`.
   */
  setTrampolines(trampolines: OwnTrampolines): void {
    const pairs = trampolines.pairs();
    if (call("smf_set_trampolines", this.#module, pairs, BigInt(pairs.length / 2)) === 0) return;
    throw new LoadError("OutOfMemory", "Cannot record functions of module: memory is exhausted", {
      size: pairs.byteLength,
    });
  }

  /** The functions that are registered now, with their arguments. */
  registered(): Registration[] {
    let pairs = new BigUint64Array(2 * 64);
    let count = 0;
    while (
      (count = Number(call("smf_registered", this.#module, pairs, BigInt(pairs.length / 2)))) * 2 >
        pairs.length
    ) {
      pairs = new BigUint64Array(2 * count);
    }
    return Array.from(
      { length: count },
      (_, index) => ({ run: Number(pairs[2 * index]), value: Number(pairs[2 * index + 1]) }),
    );
  }

  /**
   * Says whether functions that the module has registered for its end are left out then, because another
   * version has the objects that are in use.
   */
  setWithdrawn(registrations: readonly Registration[], isWithdrawn: boolean): void {
    for (const { run, value } of registrations) {
      call("smf_withdraw", this.#module, BigInt(run), BigInt(value), isWithdrawn ? 1 : 0);
    }
  }

  /** @throws {LoadError} `Busy` if a thread that ends stays in one of the module's destructors. */
  [Symbol.dispose](): void {
    if (this.#isRemoved) return;
    if (call("smf_remove_module", this.#module, DESTRUCTOR_TIMEOUT) !== 0) {
      throw new LoadError(
        "Busy",
        "Cannot free module: a thread that ends is still in one of its destructors",
        { hint: "wait until the thread has ended, and close the module again" },
      );
    }
    this.#isRemoved = true;
  }
}
