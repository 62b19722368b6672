/**
 * JavaScript functions that native code calls by a name that it imports.
 */

import { nextParameterOf } from "../../call/adapter/next_parameter.ts";
import { ADAPTER_SYSTEM } from "../../call/adapter/system.ts";
import { addNativeFrames, type SourceLocator } from "../../errors/native_stack.ts";
import { addressOf, pointerTo } from "../../os/pointer.ts";
import { type CallbackEntry, enterCallback, hasCallbackEntries } from "../runtime/callers.ts";
import { closedProvider, type Provider } from "./resolve.ts";

/**
 * A JavaScript function for native code to call, with the signature that the
 * native code expects. The registry makes the callback and closes it.
 *
 * An error that it throws reaches the JavaScript that called the native code, which goes on first with 0 as the
 * result. Its stack has the functions of native code in between, with their source where debug information
 * knows it; they are its `cause`, too, unless it has another, since Deno writes no other text for errors that
 * nobody catches.
 *
 * Another thread may call it, that of a nonblocking call included, and waits for the result, which is 0 if the
 * function throws. No JavaScript gets the error then: it is written with `console.error`, where the stack has native
 * functions.
 *
 * Platforms: the stack has native functions on Linux, and on Windows on x86-64.
 */
export interface ImportedFunction {
  /** The parameter types, as `Deno.UnsafeCallback` takes them. */
  readonly parameters: readonly Deno.NativeType[];
  /** The result type, as `Deno.UnsafeCallback` takes it. */
  readonly result: Deno.NativeResultType;
  /** Called with values of the parameters' types; must return one of the result's. */
  // deno-lint-ignore no-explicit-any
  readonly callback: (...parameters: any[]) => any;
}

// deno-lint-ignore no-explicit-any
type Callback = (...values: any[]) => any;

/**
 * Wraps a function that is called with `count` values: `listener` hears of what it throws, while it is on the stack.
 * A rest parameter costs 6 ns in each call, so the usual counts have functions of their own.
 */
function withListener(callback: Callback, count: number, listener: (error: unknown) => void): Callback {
  const fail = (error: unknown): never => {
    listener(error);
    throw error;
  };
  const wrappers: Callback[] = [
    () => {
      try {
        return callback();
      } catch (error) {
        return fail(error);
      }
    },
    (first) => {
      try {
        return callback(first);
      } catch (error) {
        return fail(error);
      }
    },
    (first, second) => {
      try {
        return callback(first, second);
      } catch (error) {
        return fail(error);
      }
    },
    (first, second, third) => {
      try {
        return callback(first, second, third);
      } catch (error) {
        return fail(error);
      }
    },
  ];
  return wrappers.at(count) ?? ((...values) => {
    try {
      return callback(...values);
    } catch (error) {
      return fail(error);
    }
  });
}

/** A callback that lives until its owner and all importers have released it. */
export class OwnedCallback implements Provider, Disposable {
  readonly description: string;
  readonly address: bigint;
  readonly #callback: Deno.UnsafeCallback;
  /** The one that other threads call, so that they can say where they wait. */
  readonly #elsewhere: Deno.UnsafeCallback | undefined;
  readonly #entry: CallbackEntry | undefined;
  #holders = 1;

  /** @param locate Finds the source of native frames. */
  constructor(name: string, definition: ImportedFunction, locate: SourceLocator) {
    const { parameters, result, callback } = definition;
    this.description = `callback '${name}'`;
    const outer: Callback = withListener(callback, parameters.length, (error) => {
      addNativeFrames(error, this.#entry?.callers(0n) ?? [], locate, outer);
    });
    this.#callback = new Deno.UnsafeCallback({ parameters, result }, outer as never);
    this.address = addressOf(this.#callback.pointer);
    if (ADAPTER_SYSTEM === undefined || !hasCallbackEntries()) return;
    const waited: Callback = (...values) => {
      const frame = values.pop() as bigint;
      try {
        return callback(...values);
      } catch (error) {
        addNativeFrames(error, this.#entry?.callers(frame) ?? [], locate, waited);
        // Deno drops it, and says only that there was one.
        console.error("Uncaught (in callback of another thread)", error);
        throw error;
      }
    };
    const more = [...parameters, "usize" as const];
    this.#elsewhere = new Deno.UnsafeCallback({ parameters: more, result }, waited as never);
    const next = nextParameterOf(definition, ADAPTER_SYSTEM.convention);
    this.#entry = enterCallback(this.address, addressOf(this.#elsewhere.pointer), next);
    this.address = this.#entry?.address ?? this.address;
  }

  get pointer(): Deno.PointerObject {
    return pointerTo(this.address);
  }

  ref(): number {
    return this.#callback.ref();
  }

  unref(): number {
    return this.#callback.unref();
  }

  hold(): Disposable {
    if (this.#holders === 0) throw closedProvider(this);
    this.#holders++;
    return { [Symbol.dispose]: () => this[Symbol.dispose]() };
  }

  [Symbol.dispose](): void {
    if (--this.#holders !== 0) return;
    this.#entry?.[Symbol.dispose]();
    this.#elsewhere?.close();
    this.#callback.close();
  }
}
