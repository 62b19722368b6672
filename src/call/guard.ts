/**
 * Guards in front of native functions: machine code to which the thread returns
 * when the function crashes, so that the crash becomes an exception of the call.
 *
 * The code is a frame on the stack and costs a few nanoseconds. Synchronous calls
 * of an isolate share one word that says how the last one ended, which their
 * wrappers read; nonblocking calls run on other threads, several at a time, so each
 * of them has an entry of its own.
 */

import { behindAwait } from "../errors/edge.ts";
import { oneOf, type OptionKind } from "../errors/options.ts";
import type { CallFunction } from "../os/pointer.ts";
import { leavesOf } from "../types/definition_words.ts";
import { SYSV } from "./adapter/sysv.ts";
import { ADAPTER_SYSTEM } from "./adapter/system.ts";
import type { FunctionDefinition } from "./function_definition.ts";

/**
 * The effect of a crash of native code: `end` ends the process, as it always did;
 * `throw` makes it an exception of the call, where it can.
 */
export type OnCrash = "throw" | "end";

/** The values of the option `onCrash`. */
export const ON_CRASH: OptionKind = oneOf("throw", "end");

/** The choice of the effect of crashes. */
export interface CrashOptions {
  /**
   * The effect of a crash in a call of the module: `end` ends the process, after a
   * report. With `throw` the call throws a `LoadError` of kind `Crashed`, with
   * `signal`, `address` and `frames` in its `data`, or its promise rejects, and the
   * module is quarantined: further calls throw `Quarantined` until it is reloaded,
   * rolled back, or told to go on by `endQuarantine()`. It is for developing; a call
   * costs a few nanoseconds more.
   *
   * A crash becomes an exception only if nothing but code of the module is on the
   * stack, up to the call: not inside `malloc`, `free`, stdio or another library
   * (but for `strlen`, `memcpy` and the like), not on threads that the module has
   * started, and not where a JavaScript callback or another module is in between.
   * Any other crash ends the process, after the report.
   *
   * Safety: memory, locks and heap stay as the crash has left them. Locks that the
   * code held stay held, destructors do not run, and a structure that was being
   * changed is half changed. What others see of it may crash later.
   *
   * Platforms: Linux, and Windows on x86-64; elsewhere `throw` is an error of kind `Unsupported`. On Windows blocks
   * of the module that catch exceptions (`__try`) get theirs first, and `signal` is the name of the exception,
   * such as `EXCEPTION_ACCESS_VIOLATION`, or `abort`.
   *
   * @default "end"; for a module, what its registry or loader was made with
   *
   * @example
   * ```ts
   * import { LoadError, ModuleRegistry } from "@simple/loader";
   * import { assert, assertEquals } from "@std/assert";
   *
   * // The file is for Linux on x86-64.
   * if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") {
   *   using registry = new ModuleRegistry({ onCrash: "throw" });
   *   const module = registry.load("fixtures/c/arith.smf");
   *   const sum = module.getFunction("sum_u32", { parameters: ["buffer", "u64"], result: "u64" })!;
   *   try {
   *     sum(null, 3n);
   *   } catch (error) {
   *     assert(error instanceof LoadError && error.kind === "Crashed");
   *     assertEquals([error.data.signal, error.data.frames?.[0].function], ["SIGSEGV", "sum_u32"]);
   *   }
   *   assert(module.isQuarantined);
   *   module.endQuarantine();
   *   assertEquals(sum(new Uint32Array([1, 2, 3]), 3n), 6n);
   * }
   * ```
   */
  readonly onCrash?: OnCrash;
}

/** The address that is called in place of a function's; disposing takes it away. */
export interface GuardEntry extends Disposable {
  readonly address: bigint;
}

/** An entry for one call at a time, on any thread. */
export interface LoneEntry extends GuardEntry {
  /** The error of the call that has just returned, if it did not end by itself. */
  takeError(name: string): Error | undefined;
}

/** Makes guards for the functions of one module. */
export interface CallGuards {
  /** Its first word is not 0 when the last synchronous call of this isolate crashed, or was refused. */
  readonly state: Uint32Array;
  /** Takes the error of that call. */
  takeError(name: string): Error;
  /**
   * Puts a guard in front of a function, for synchronous calls in this isolate.
   *
   * @param stackSize The bytes of its arguments on the stack, as {@linkcode stackSizeOf} says.
   * @throws {LoadError} `OutOfMemory`.
   */
  enter(address: bigint, stackSize: number): GuardEntry;
  /** Puts a guard in front of a function, for one call at a time, on any thread. Otherwise like `enter`. */
  enterAlone(address: bigint, stackSize: number): LoneEntry;
}

/** The registers for parameters. There are guards on no system without a convention here. */
const { integers: INTEGERS, floats: FLOATS, byPosition: IS_BY_POSITION } =
  (ADAPTER_SYSTEM?.convention ?? SYSV).registers;
/** The bytes of an argument on the stack. */
const WORD = 8;

/**
 * The most bytes that a call of a function has on the stack. More than there are
 * does no harm: a guard copies them from the frame of its caller.
 */
export function stackSizeOf({ parameters, result }: FunctionDefinition): number {
  // The address of a large result takes a register.
  let integers = typeof result === "object" ? 1 : 0, floats = 0, structs = 0;
  // Each parameter takes the next place, a register or a word, and a large struct's is its address.
  if (IS_BY_POSITION) return WORD * Math.max(0, integers + parameters.length - INTEGERS);
  for (const type of parameters) {
    // Each number and address in a struct takes a word at most.
    if (typeof type === "object") structs += leavesOf(type).length;
    else if (type === "f32" || type === "f64") floats++;
    else integers++;
  }
  // A struct may use up registers of either kind.
  if (structs > 0) return WORD * (integers + floats + structs);
  return WORD * (Math.max(0, integers - INTEGERS) + Math.max(0, floats - FLOATS));
}

/** The two steps to a nonblocking call behind a guard. */
interface NonblockingSteps {
  /** Makes an entry. */
  enter(): LoneEntry;
  /** A function that calls the native one through the entry at an address. */
  callOf(address: bigint): CallFunction;
}

/** A nonblocking function behind guards: each call has an entry, which later calls use again. */
export function guardedNonblocking(name: string, { enter, callOf }: NonblockingSteps): CallFunction {
  const free: { readonly entry: LoneEntry; readonly call: CallFunction }[] = [];
  return (...parameters) => {
    let next = free.pop();
    if (next === undefined) {
      const entry = enter();
      next = { entry, call: callOf(entry.address) };
    }
    const used = next;
    let result: Promise<unknown>;
    try {
      result = used.call(...parameters) as Promise<unknown>;
    } catch (error) {
      free.push(used);
      throw error;
    }
    return settle(result, name, used.entry, () => free.push(used));
  };
}

/** Waits for a call; async, so that the stack of its error has the functions that await it. */
async function settle(
  result: Promise<unknown>,
  name: string,
  entry: LoneEntry,
  done: () => void,
): Promise<unknown> {
  try {
    const value = await result;
    const error = entry.takeError(name);
    if (error !== undefined) throw behindAwait(error, settle);
    return value;
  } finally {
    done();
  }
}
