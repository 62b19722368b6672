/**
 * Walks over this isolate's stack, looking for wrappers.
 *
 * V8 shows its stack frames through properties of `Error` that every program can
 * change, and that some do. The walk replaces them for its duration, and trusts
 * the result only if V8 has called its own hook, with a number of frames that no
 * limit has cut.
 */

import { SOURCE_NAME } from "./wrapper_source.ts";

/** V8's own view of a stack frame, for which Deno has no type. Its methods cannot be changed. */
interface StackFrame {
  getScriptNameOrSourceURL(): string | null | undefined;
}

type FrameVisitor = (frames: readonly StackFrame[]) => void;

const PlainError = Error;
const { captureStackTrace } = Error;
const { defineProperty, deleteProperty, getOwnPropertyDescriptor } = Reflect;

/**
 * Replaces a property of `Error`.
 *
 * @returns its state before; undefined if it cannot be replaced.
 */
function replace(name: string, value: unknown): { readonly before?: PropertyDescriptor } | undefined {
  const before = getOwnPropertyDescriptor(PlainError, name);
  const replacement = before === undefined ? { value, writable: true, configurable: true } : { value };
  return defineProperty(PlainError, name, replacement) ? { before } : undefined;
}

function restore(name: string, { before }: { readonly before?: PropertyDescriptor }): void {
  if (before === undefined) deleteProperty(PlainError, name);
  else defineProperty(PlainError, name, before);
}

/** Calls `visit` with all frames of the stack; does not where `Error` cannot be changed. */
function visitFrames(visit: FrameVisitor): void {
  const limit = replace("stackTraceLimit", Infinity);
  if (limit === undefined) return;
  try {
    // A hook that gets the frames themselves saves formatting them.
    const hook = replace("prepareStackTrace", (_: unknown, frames: readonly StackFrame[]) => visit(frames));
    if (hook === undefined) return;
    try {
      const trace: { stack?: unknown } = {};
      captureStackTrace(trace, visitFrames);
      void trace.stack;
    } finally {
      restore("prepareStackTrace", hook);
    }
  } finally {
    restore("stackTraceLimit", limit);
  }
}

/**
 * Whether a compiled wrapper may be on this isolate's stack: true also where the
 * stack cannot be seen.
 */
export function mayWrapperBeOnStack(): boolean {
  let found: boolean | undefined;
  try {
    visitFrames((frames) => {
      let isOnStack = false;
      for (let index = 0; index < frames.length && !isOnStack; index++) {
        isOnStack = isOfWrapper(frames[index].getScriptNameOrSourceURL());
      }
      found = isOnStack;
    });
  } catch {
    // Near the end of the stack every call can fail.
    return true;
  }
  return found ?? true;
}

/** Compares characters: a program can replace the methods of strings. */
function isOfWrapper(name: string | null | undefined): boolean {
  if (typeof name !== "string") return false;
  for (let index = 0; index < SOURCE_NAME.length; index++) {
    if (name[index] !== SOURCE_NAME[index]) return false;
  }
  return true;
}
