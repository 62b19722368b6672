/**
 * The stacks of errors at the edge of the package: they begin with the caller's own frame, since those above it say
 * nothing about the mistake.
 */
import { LoadError } from "./load_error.ts";

/** The errors, besides `LoadError`, that are about an argument of the call. */
const aboutArguments = new WeakSet<Error>();

/** The errors whose stack has been cut: another call around it, from a callback of the user's, leaves it. */
const cut = new WeakSet<Error>();

/** Marks an error as one about an argument of the call that is running. */
export function aboutArgument<T extends Error>(error: T): T {
  aboutArguments.add(error);
  return error;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Makes errors of a class's methods begin their stack with the caller, those of promises that they return, too.
 *
 * @param prototype Of the class; its methods are replaced, those of classes above it are not.
 */
export function cutStacks(prototype: object): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const method = descriptor.value as Method;
    if (name === "constructor" || typeof method !== "function") continue;
    const outer: Method = {
      [name](this: unknown, ...args: unknown[]): unknown {
        let result: unknown;
        try {
          result = method.apply(this, args);
        } catch (error) {
          cutStack(error, outer);
          throw error;
        }
        return result instanceof Promise ? rejectingAtCaller(result, outer) : result;
      },
    }[name];
    Object.defineProperty(outer, "length", { value: method.length, configurable: true });
    Object.defineProperty(prototype, name, { ...descriptor, value: outer });
  }
}

/**
 * Does the work of a function at the edge of the package: the error of its promise begins its stack with the caller.
 *
 * @param outer The function.
 */
export function callAtEdge<T>(outer: (...args: never[]) => unknown, work: () => Promise<T>): Promise<T> {
  return rejectingAtCaller(work(), outer);
}

/** Some two microseconds: where a promise is awaited may be far from the call, so its place is noted at once. */
function rejectingAtCaller<T>(promise: Promise<T>, outer: (...args: never[]) => unknown): Promise<T> {
  const caller: { stack?: string } = {};
  Error.captureStackTrace?.(caller, outer);
  return promise.then(undefined, (error) => {
    moveStack(error, caller);
    throw error;
  });
}

/**
 * Makes an error begin its stack behind a function that is on the stack.
 *
 * @returns the error.
 */
export function behindFunction<T extends Error>(error: T, inner: (...args: never[]) => unknown): T {
  Error.captureStackTrace?.(error, inner);
  return error;
}

/**
 * Makes an error begin its stack with the functions that await an asynchronous one of this package, if there are any.
 *
 * @returns the error.
 */
export function behindAwait<T extends Error>(error: T, inner: (...args: never[]) => unknown): T {
  // To read a stack costs memory, which is why it is read here alone.
  const { stack } = error;
  behindFunction(error, inner);
  if (firstFrame(error) === "") setStack(error, stack);
  return error;
}

/** Gives an error the frames of the call. */
function moveStack(error: unknown, caller: { readonly stack?: string }): void {
  if (!isCut(error)) return;
  const [all = ""] = /(?:\n\s+at .*)+$/.exec(caller.stack ?? "") ?? [];
  const lines = all.split("\n").slice(1);
  // In the published bundle, a function that makes the linker first stands before some of this package.
  const first = lines.findIndex((line) => !line.includes(OWN));
  if (first < 0) return;
  const frames = lines.slice(first).map((line) => `\n${line}`).join("");
  cut.add(error);
  for (const each of [error, ...systemError(error)]) setStack(each, `${each}${frames}`);
}

/** The system's own error behind one, which was made at the same place; other causes may be the user's. */
function systemError(error: Error): Error[] {
  const { kind, cause } = error as LoadError;
  return (kind === "Io" || kind === "PermissionDenied") && cause instanceof Error ? [cause] : [];
}

function setStack(error: Error, stack: string | undefined): void {
  Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
}

/** Whether the stack of an error may be cut: it is one of this package, not of a callback's. */
function isCut(error: unknown): error is Error {
  if (!(error instanceof LoadError) && !aboutArguments.has(error as Error)) return false;
  // One call of the package may be made by another one, or by a callback of the user's, whose frames stay.
  return !cut.has(error as Error) || firstFrame(error as Error).includes(OWN);
}

/** The folder of the package's own files. */
const OWN = new URL("../", import.meta.url).href;

function cutStack(error: unknown, outer: (...args: never[]) => unknown): void {
  if (!isCut(error)) return;
  cut.add(error);
  // V8 alone has it; elsewhere the stack stays as it is.
  Error.captureStackTrace?.(error, outer);
  for (const cause of systemError(error)) Error.captureStackTrace?.(cause, outer);
}

function firstFrame({ stack = "" }: Error): string {
  return /^\s+at .*$/m.exec(stack)?.[0] ?? "";
}
