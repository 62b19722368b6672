/**
 * Changes what a program can change of the language in one way, closes a module
 * from a callback of its own code, and prints whether its memory stayed for as
 * long as that code was running.
 */
import { ModuleLoader } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { sample } from "../support/modules.ts";

const V8Error = Error as unknown as Record<string, unknown>;
const realTimeout = setTimeout;
const realThen = Promise.prototype.then;

/** The changes, by name. Some are other than the engine allows later, so each runs in a process of its own. */
const CHANGES: Readonly<Record<string, () => void>> = {
  "none": () => {},
  "captureStackTrace does nothing": () => V8Error.captureStackTrace = () => {},
  "captureStackTrace is missing": () => delete V8Error.captureStackTrace,
  "stackTraceLimit is 0 and read-only": () =>
    void Object.defineProperty(Error, "stackTraceLimit", { value: 0, writable: false, configurable: false }),
  "stackTraceLimit is an accessor": () =>
    void Object.defineProperty(Error, "stackTraceLimit", {
      get: () => 0,
      set: () => {},
      configurable: false,
    }),
  "prepareStackTrace is read-only": () =>
    void Object.defineProperty(Error, "prepareStackTrace", { value: () => "mine", configurable: false }),
  "prepareStackTrace is an accessor": () =>
    void Object.defineProperty(Error, "prepareStackTrace", {
      get: () => () => "mine",
      set: () => {},
      configurable: true,
    }),
  "Error is frozen": () => void Object.freeze(Error),
  "Error is not extensible": () => void Object.preventExtensions(Error),
  "Error is another class": () => {
    globalThis.Error = class extends Error {} as ErrorConstructor;
  },
  "methods of arrays and strings lie": () => {
    Array.prototype.some = () => false;
    Array.prototype.splice = () => [];
    String.prototype.startsWith = () => false;
  },
  "descriptors have another prototype": () =>
    void Object.defineProperty(Object.prototype, "get", { value: 7, configurable: true }),
  "timers run at once": () => {
    globalThis.setTimeout = ((run: () => void) => (run(), 0)) as unknown as typeof setTimeout;
    globalThis.queueMicrotask = (run) => run();
  },
  "promises call back at once": () => {
    Promise.prototype.finally = function <T>(this: Promise<T>, listener?: (() => void) | null) {
      listener?.();
      return this;
    };
  },
};

const [change, callPath] = Deno.args as [string, "fast" | "pointer"];

/** Counts memory that is not freed: reading the memory map needs methods that lie here. */
const allocator = new FailingAllocator();
const loader = new ModuleLoader({ callPath, allocator });
const module = loader.loadBytes(sample());
const call = module.getFunction("call", { parameters: ["function", "i32"], result: "i32" })!;
const waiting = loader.loadBytes(sample());
const wait = waiting.getFunction("wait", { parameters: ["buffer"], result: "i32", nonblocking: true })!;
let during: number | undefined;
let failure: string | undefined;
const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value) => {
  try {
    module.close();
  } catch (error) {
    failure = String(error);
  }
  during = allocator.live.size;
  return value;
});
CHANGES[change]();
const result = call(callback.pointer, 5);
callback.close();
await new Promise((resolve) => realTimeout(resolve, 20));
const afterwards = allocator.live.size;

// Errors cannot be made with this.
delete (Object.prototype as { get?: unknown }).get;

// A nonblocking call returns when the flag is set.
const flag = new Int32Array(1);
const returned = wait(flag);
let busy: unknown;
try {
  waiting.close();
} catch (error) {
  busy = (error as { kind: unknown }).kind;
}
const inFlight = allocator.live.size;
flag[0] = 1;
await new Promise((resolve) => realThen.call(returned, resolve));
console.log(JSON.stringify({ result, during, afterwards, failure, busy, inFlight }));
Deno.exit();
