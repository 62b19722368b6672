/**
 * The options of a registry and of its methods.
 */

import { INTEGERS, type Integers } from "../call/function_definition.ts";
import { type CrashOptions, ON_CRASH } from "../call/guard.ts";
import { CALL_PATH, type CallPath } from "../call/path.ts";
import { TYPE_CHECK, type TypeCheck } from "../call/type_check.ts";
import {
  BOOLEAN,
  BYTES,
  FUNCTION,
  kindOf,
  NUMBER,
  type OptionTable,
  PATH,
  STRING,
  STRINGS,
} from "../errors/options.ts";
import { IMPORT_OPTIONS, type ImportOptions } from "./import_scope.ts";
import type { TraceEvent } from "../load/trace.ts";
import { ALLOCATOR, type MemoryAllocator } from "../os/memory/allocator.ts";
import { SAFE_POINT_OPTIONS, type SafePointOptions } from "./reload/safe_point.ts";
import { TAKEOVER_OPTIONS, type TakeoverOptions } from "./reload/takeover.ts";

/** Options of a {@linkcode ModuleRegistry}. */
export interface ModuleRegistryOptions extends ImportOptions, CrashOptions {
  /**
   * The source of memory for modules, trampolines and their tables.
   *
   * @default platformAllocator()
   */
  readonly allocator?: MemoryAllocator;
  /**
   * The folder for what the checks of module files find, so that a later start of
   * the program need not check a file again that has not changed: names, tables and
   * hashes of sqlite3 take half of its first load in a process. The loader makes the
   * folder if it is not there. It must belong to the user, be open to nobody else
   * (mode 700), and not be a symbolic link. Needs `--allow-read` and
   * `--allow-write` of the folder.
   *
   * No code and no address is kept: what runs is read from the module's file, each
   * time. A file counts as unchanged if its device, inode, size, modification and
   * change times are the same, and its header and section table too; anything else
   * is checked as without the option, and so are bytes, loads with `integrity` and
   * registries with `trust`.
   *
   * Safety: damage that the file system does not tell of, after the first check, is
   * not found. SECURITY.md says who is kept out and who is not.
   *
   * Platforms: Linux and macOS; on Windows a load is a `LoadError` `Unsupported`.
   *
   * @default each load checks everything
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   *
   * const folder = Deno.makeTempDirSync(); // Made for its user alone.
   * using registry = new ModuleRegistry({ cache: `${folder}/modules` });
   * registry.load("fixtures/mylib.smf"); // Checks the file, and keeps what it has found.
   * ```
   */
  readonly cache?: string | URL;
  /**
   * How calls reach native functions.
   *
   * @default "auto"
   */
  readonly callPath?: CallPath;
  /**
   * Whether a crash in native code of a module is reported: when a signal such as
   * SIGSEGV, or an exception of Windows such as an access violation, ends the
   * process while code of the module is on the stack, what happened, the functions
   * on the stack and a next step are first written to standard error. The process
   * ends as it would have. Handlers that the program or Deno has installed get what
   * is theirs.
   *
   * Platforms: Linux, and Windows on x86-64; elsewhere there are no reports.
   *
   * @default true
   */
  readonly crashReport?: boolean;
  /**
   * Whether debuggers (gdb, lldb) are told of each version, from before its first
   * code runs until its memory is freed: breakpoints by file and line or function,
   * source lines, variables and backtraces then work as in a shared library, for a
   * debugger that started the process and for one that attaches. The debug
   * information of modules (`gcc -g`) stays in memory, so that `symbolize` finds the
   * lines of versions whose files have changed, too.
   *
   * Platforms: debuggers are told on Linux only. Each Worker whose registry has the
   * option tells them by a library of its own, which gdb from version 11 on reads.
   *
   * @default false
   */
  readonly debug?: boolean;
  /**
   * How many earlier versions of a module stay loaded after reloads: a whole
   * number, or `Infinity`. A rollback goes back to them.
   *
   * A version beyond that number stays, too, but not for a rollback, while a
   * variable of a module of this registry holds an address in it, such as that of
   * a callback. Each reload looks again.
   *
   * Safety: native code may hold addresses in an earlier version where the
   * registry does not look: in the heap, in thread-local variables, in a host
   * library. Using one after the version is freed crashes the process; `Infinity`
   * frees none.
   *
   * @default 1; Infinity for modules that a watch reloads
   */
  readonly keepVersions?: number;
  /**
   * Hears of what the registry does: what it reads, who answers for an import,
   * what is relocated, bound and reloaded, who keeps a version's memory, and when
   * it is freed. It is called at once, in the middle of the operation.
   *
   * Safety: the listener must not close, unload or reload modules. What it throws
   * is thrown at the next turn of the event loop instead. The registry keeps the
   * listener, and with it whatever that refers to.
   *
   * @default nobody listens
   *
   * @example Who answers for the imports of a module
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * const answers = new Map<string, string>();
   * using registry = new ModuleRegistry({
   *   onTrace(event) {
   *     if (event.kind === "resolve") answers.set(event.name, event.from);
   *   },
   * });
   * registry.load("fixtures/provider.smf");
   * registry.load("fixtures/importer.smf");
   * assertEquals(answers.get("scale"), "module 'fixtures/provider.smf'");
   * ```
   */
  readonly onTrace?: (event: TraceEvent) => void;
  /**
   * Whether `/tmp/perf-PID.map` names the functions of modules, so that `perf
   * report` and `perf top` show them: `work [counter.smf]`, and
   * `work [counter.smf 2]` of the second version. Where V8 writes the same file
   * (`--v8-flags=--perf-basic-prof`), both are in it. Needs `--allow-write=/tmp`.
   *
   * Platforms: Linux.
   *
   * @default false
   */
  readonly perfMap?: boolean;
  /**
   * The folder for `jit-PID.dump`, from which `perf inject --jit` makes the code
   * of each function of each version, for `perf report` and `perf annotate`. It
   * tells versions apart that had the same address one after the other, which
   * `perfMap` cannot. Record with `perf record -k mono`. Needs `--allow-write` and
   * `--allow-read` of the folder.
   *
   * Platforms: Linux.
   *
   * @default no such file
   */
  readonly jitdump?: string | URL;
  /**
   * The keys whose modules are loaded: each version of each module must have a
   * valid signature (`smf sign`, `signModule`) by one of them, whether it is
   * loaded from a file or bytes, reloaded or watched. It is checked before
   * anything is mapped, on exactly the bytes that are loaded. Shared libraries of
   * the host that a module names are not checked.
   *
   * Safety: a signature says who built a module, not that it is the newest: an
   * older version that the same key has signed is loaded, too. `integrity` pins
   * one. Each registry of a Worker needs the option itself.
   *
   * @default any module
   *
   * @example
   * ```ts
   * import { LoadError, ModuleRegistry } from "@simple/loader";
   * import { assertThrows } from "@std/assert";
   *
   * const keys = ["ed25519-11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="];
   * using registry = new ModuleRegistry({ trust: { keys } });
   * assertThrows(() => registry.load("fixtures/mylib.smf"), LoadError, "nobody has signed it");
   * ```
   */
  readonly trust?: TrustOptions;
}

/** The signers whose modules are loaded. */
export interface TrustOptions {
  /**
   * Public keys of Ed25519, as PEM or in the short form that `smf keygen` prints
   * (`ed25519-…`); at least one. While a key is replaced by another, both are in
   * the list.
   */
  readonly keys: readonly string[];
}

/** How a module is checked, kept and bound when it is loaded. */
export interface LoadOptions extends CrashOptions {
  /**
   * How calls reach native functions, unless `getFunction` or `bind` says otherwise.
   *
   * @default the registry's
   */
  readonly callPath?: CallPath;
  /**
   * The hash that the file's bytes must have: `sha256-…` and the like, as
   * {@linkcode integrityOf} writes it; several separated by spaces are
   * alternatives. It is checked before anything is mapped, on exactly the bytes
   * that are loaded. For a module that is loaded already it is compared with the
   * hash that was checked then. A checked version is replaced by checked
   * versions only: reloads of the module need an integrity of their own.
   *
   * @default any bytes
   */
  readonly integrity?: string;
  /**
   * Whether the module's memory stays until the process ends. After the module
   * is closed calls throw, as for any module; its code, its variables, its
   * registrations and its providers stay, and its finalisers do not run. Later
   * versions are pinned, too.
   *
   * Safety: set it for modules that start threads and do not end them. A thread
   * whose code is freed crashes the process.
   *
   * @default false
   */
  readonly pin?: boolean;
}

/** Options of {@linkcode ModuleSet.open}. */
export interface OpenOptions extends LoadOptions {
  /**
   * Whether definitions are compared with the types that the module keeps.
   *
   * Safety: with `ignore`, a definition that differs from the native function
   * corrupts memory or crashes the process when the function is called.
   *
   * @default "check"
   */
  readonly types?: TypeCheck;
  /**
   * The JavaScript values of 64-bit integers in functions that are bound by the
   * module's types. Definitions say it themselves.
   *
   * @default "bigint"
   */
  readonly integers?: Integers;
}

/** Options of {@linkcode ModuleSet.unload}. */
export interface UnloadOptions {
  /**
   * Whether open handles and bound functions end, too. Without it they go on
   * working, and the module ends with the last of them.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** Options of {@linkcode ModuleRegistry.reload}. */
export interface ReloadOptions extends TakeoverOptions, LoadOptions {
  /**
   * The bytes of the new version, in place of the file.
   *
   * @default the contents of the file
   */
  readonly bytes?: Uint8Array;
}

function hasKeys(value: unknown): boolean {
  const { keys, ...others } = Object(value);
  return STRINGS.accepts(keys) && Object.keys(others).length === 0;
}

/** The checks of {@linkcode ModuleRegistryOptions}. */
export const REGISTRY_OPTIONS: OptionTable<ModuleRegistryOptions> = {
  allocator: ALLOCATOR,
  cache: PATH,
  callPath: CALL_PATH,
  crashReport: BOOLEAN,
  debug: BOOLEAN,
  keepVersions: NUMBER,
  onCrash: ON_CRASH,
  onTrace: FUNCTION,
  perfMap: BOOLEAN,
  jitdump: PATH,
  trust: kindOf("an object with 'keys', an array of strings", hasKeys),
  ...IMPORT_OPTIONS,
};

/** The checks of {@linkcode LoadOptions}. */
export const LOAD_OPTIONS: OptionTable<LoadOptions> = {
  callPath: CALL_PATH,
  integrity: STRING,
  onCrash: ON_CRASH,
  pin: BOOLEAN,
};

/** The checks of {@linkcode OpenOptions}. */
export const OPEN_OPTIONS: OptionTable<OpenOptions> = {
  ...LOAD_OPTIONS,
  types: TYPE_CHECK,
  integers: INTEGERS,
};

/** The checks of {@linkcode UnloadOptions}. */
export const UNLOAD_OPTIONS: OptionTable<UnloadOptions> = { force: BOOLEAN };

/** The checks of {@linkcode ReloadOptions}, and of {@linkcode SafePointOptions}. */
export const RELOAD_OPTIONS: OptionTable<ReloadOptions & SafePointOptions> = {
  bytes: BYTES,
  ...SAFE_POINT_OPTIONS,
  ...LOAD_OPTIONS,
  ...TAKEOVER_OPTIONS,
};
