/**
 * Functions of the language and the runtime that safety rests on, taken when the
 * package is imported: code is freed only when no call runs in it, and a program
 * that later puts others in their place, such as fake timers in its tests, must
 * not change what "no call runs" means.
 */

const { add, compareExchange, exchange, load, notify, store, sub, wait, waitAsync } = globalThis.Atomics;

/** The operations of the global of this name, as they were. */
export const Atomics: Pick<
  typeof globalThis.Atomics,
  "add" | "compareExchange" | "exchange" | "load" | "notify" | "store" | "sub" | "wait" | "waitAsync"
> = { add, compareExchange, exchange, load, notify, store, sub, wait, waitAsync };

/** Like the global of this name when the package was imported. */
export const { queueMicrotask } = globalThis;

/** Like the global of this name when the package was imported. */
export const setTimeout: (call: () => void, milliseconds?: number) => number = lazyGlobal("setTimeout");

/** Like the global of this name when the package was imported. */
export const clearTimeout: (timer?: number) => void = lazyGlobal("clearTimeout");

/**
 * Calls the global function that has this name now, and gets it at the first call: in Deno 2.9 a getter starts
 * the timers, which takes 4 ms of every program that looks at them.
 */
function lazyGlobal<P extends readonly unknown[], R>(name: string): (...parameters: P) => R {
  const { get, value } = Object.getOwnPropertyDescriptor(globalThis, name)!;
  let found: ((...parameters: P) => R) | undefined = value;
  return (...parameters) => (found ??= Reflect.apply(get!, globalThis, []) as typeof value)(...parameters);
}

/** `Date.now`, as it was. */
export const now: () => number = Date.now;

/** `Number.isSafeInteger`, as it was. */
export const isSafeInteger: (value: unknown) => boolean = Number.isSafeInteger;

/** `String.fromCharCode`, as it was. */
export const fromCharCode: (...units: number[]) => string = String.fromCharCode;

/** `Uint8Array`, as it was. */
export const Bytes: Uint8ArrayConstructor = Uint8Array;

const { asIntN, asUintN } = BigInt;

/** The integer of 64 bits with a sign that has the same low bits. */
export const asInt64 = (value: bigint): bigint => asIntN(64, value);

/** The integer of 64 bits without a sign that has the same low bits. */
export const asUint64 = (value: bigint): bigint => asUintN(64, value);

const { apply } = Reflect;
const { then } = Promise.prototype;
const PlainPromise = Promise;

/** Calls `listener` once `promise` has settled either way. Never rejects. */
export function whenSettled(promise: Promise<unknown>, listener: () => void): void {
  apply(then, promise, [listener, listener]);
}

/** Like `Promise.prototype.finally`: settles as `promise` does, after `listener` has run. */
export function finallyCall<T>(promise: Promise<T>, listener: () => void): Promise<T> {
  return apply(then, promise, [
    (value: T) => {
      listener();
      return value;
    },
    (error: unknown) => {
      listener();
      throw error;
    },
  ]);
}

/** Calls `listener` with the value of `promise`, which must never reject. */
export function whenFulfilled<T>(promise: Promise<T>, listener: (value: T) => void): void {
  apply(then, promise, [listener]);
}

/** A promise and the function that fulfils it. */
export function withResolver<T = void>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
} {
  let resolve!: (value: T) => void;
  const promise = new PlainPromise<T>((fulfil) => resolve = fulfil);
  return { promise, resolve };
}

const { add: addTo, delete: deleteFrom } = Set.prototype;

/** A set whose methods are those that sets had when the package was imported. */
export function plainSet<T>(): { add(value: T): void; delete(value: T): void } {
  const set = new Set<T>();
  return {
    add: (value) => void apply(addTo, set, [value]),
    delete: (value) => void apply(deleteFrom, set, [value]),
  };
}

const { transfer } = ArrayBuffer.prototype;
const detachedOf = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "detached")!.get!;

/** Whether a buffer has lost its memory: somebody detached it, or moved the memory to another buffer. */
export function isDetached(buffer: ArrayBuffer): boolean {
  return apply(detachedOf, buffer, []) as boolean;
}

/**
 * Detaches a buffer: it and all views of it have the length 0 from now on. The
 * memory is neither copied nor freed if it is not V8's own.
 */
export function detachBuffer(buffer: ArrayBuffer): void {
  apply(transfer, buffer, []);
}
