/**
 * The native functions between a callback that throws and the JavaScript that called
 * them, in the stack of its error.
 */

import { demangled } from "../demangle/mod.ts";
import type { CrashFrame } from "./crash.ts";

/** A function in a source: with those that are inlined in it, the place of a native frame. */
export interface InlinedFrame {
  readonly function: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
}

/** Finds the functions at an address, innermost first: each but the last is inlined in the next. */
export type SourceLocator = (address: bigint) => readonly InlinedFrame[] | undefined;

const named = (name: string | undefined): string => name === undefined ? "unknown function" : demangled(name);

const placed = ({ file, line }: Pick<InlinedFrame, "file" | "line">): string =>
  file === undefined ? "" : ` (${file}${line === undefined ? "" : `:${line}`})`;

// deno-lint-ignore no-explicit-any
type Callback = (...values: any[]) => any;

/** A native frame in lines of a stack: those of the functions that are inlined there come first. */
function linesOf(frame: CrashFrame, locate: SourceLocator): string[] {
  const { function: name, offset, module, version, address, times } = frame;
  const isModule = version !== undefined;
  // The address is that of the instruction behind the call.
  const inlined = (isModule ? locate(address - 1n) : undefined) ?? [];
  const distance = `0x${offset.toString(16)}`;
  const owner = isModule ? `module '${module}', version ${version}` : module;
  const own = name === undefined
    ? `${distance} of`
    : `${demangled(name)}+${distance}${placed(inlined.at(-1) ?? frame)} in`;
  return [
    ...inlined.slice(0, -1).map((each) => `    at ${named(each.function)}${placed(each)}, inlined`),
    `    at ${own} ${owner}`,
    ...times > 1 ? [`    the same ${times - 1} ${times === 2 ? "time" : "times"} more`] : [],
  ];
}

/**
 * The native frames as the cause of an error. What Deno writes about an error that nobody catches has its causes, and
 * frames of JavaScript as V8 knows them, whatever `stack` says.
 */
class NativeStack {
  readonly name = "NativeStack";
  readonly message: string;

  constructor(lines: readonly string[]) {
    this.message = ["the callback was called by native code", ...lines].join("\n");
  }

  get stack(): string {
    return `${this.name}: ${this.message}`;
  }

  /** Whoever prints the whole error sees the frames in its stack. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[NativeStack: the native frames in the stack]";
  }
}
// Without frames of JavaScript, which are those of the error itself.
Object.setPrototypeOf(NativeStack.prototype, Error.prototype);

/** The lines of a stack behind the message; undefined if the stack is not V8's text. */
function framesOf(stack: unknown): { readonly head: string; readonly frames: string[] } | undefined {
  if (typeof stack !== "string") return undefined;
  const lines = stack.split("\n");
  let first = lines.length;
  while (first > 0 && /^ {4}(at |the same )/.test(lines[first - 1])) first--;
  return { head: lines.slice(0, first).join("\n"), frames: lines.slice(first) };
}

/** Where the frames of `callers` begin in `frames`, which may be cut; their length if they are not there. */
function indexOfCallers(frames: readonly string[], callers: readonly string[]): number {
  const matches = (start: number) =>
    frames.slice(start).every((line, index) => index >= callers.length || line === callers[index]);
  let start = 0;
  while (start < frames.length && !matches(start)) start++;
  return start;
}

/** The frames of a stack as it is now: below `callback`, or all. */
function framesHere(callback?: Callback): readonly string[] {
  const here: { stack?: unknown } = {};
  Error.captureStackTrace?.(here, callback);
  return framesOf(here.stack)?.frames ?? [];
}

/** Whether two frames are of one function, wherever it is in its code. */
function isSameFunction(left: string | undefined, right: string | undefined): boolean {
  const [one, other] = [left, right].map((line) => line?.replace(/(:\d+)+\)?$/, ""));
  return one === other;
}

/** Where native frames belong: the number of frames above them and below, in a stack that may be cut. */
function placeIn(
  frames: readonly string[],
  callback: Callback,
): { readonly end: number; readonly start: number } {
  const callers = framesHere(callback);
  // On a thread of its own, native code was not called by JavaScript: the callback's wrapper is the outermost frame.
  if (callers.length === 0) {
    const isWhole = isSameFunction(frames.at(-1), framesHere().at(-1));
    return { end: frames.length - (isWhole ? 1 : 0), start: frames.length };
  }
  const start = indexOfCallers(frames, callers);
  // The frame in front is the wrapper of the callback, if the stack reaches so far.
  return { end: start > 0 && start < frames.length ? start - 1 : start, start };
}

/**
 * Adds native frames to an error that a callback has thrown: to its `stack`, behind the callback's own frames, and as
 * its `cause`, if it has none. What is not an error stays as it is, and so does one that cannot be changed.
 *
 * @param callback The function that native code has called, which is running.
 */
export function addNativeFrames(
  error: unknown,
  native: readonly CrashFrame[],
  locate: SourceLocator,
  callback: Callback,
): void {
  if (!(error instanceof Error) || native.length === 0) return;
  const lines = native.flatMap((frame) => linesOf(frame, locate));
  const stack = framesOf(error.stack);
  if (stack !== undefined) {
    const { end, start } = placeIn(stack.frames, callback);
    const text = [stack.head, ...stack.frames.slice(0, end), ...lines, ...stack.frames.slice(start)].join(
      "\n",
    );
    Reflect.defineProperty(error, "stack", { value: text, writable: true, configurable: true });
  }
  const { cause } = error;
  const before = cause instanceof NativeStack ? cause.message.split("\n").slice(1) : [];
  if (cause !== undefined && before.length === 0) return;
  Reflect.defineProperty(error, "cause", {
    value: new NativeStack(before.length === 0 ? lines : [...before, "    from JavaScript", ...lines]),
    writable: true,
    configurable: true,
  });
}
