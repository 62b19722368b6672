/**
 * Source texts of functions that call native ones.
 *
 * V8 keeps a fast call only at a call site that has seen one target. Each
 * function therefore gets a source text of its own: its call site inside never
 * sees another target, however mixed the callers are.
 *
 * What the functions look at costs nothing once V8 has compiled them:
 *
 * | what | is a constant to V8 | until |
 * |---|---|---|
 * | `open` | a variable that was never assigned, in a scope of at most two such | the module is closed; then compiled code is thrown away |
 * | `direct` | a property that was set once in every object of its shape | |
 *
 * A property in place of `open` would be a constant only until the first object
 * of its shape, of any other module, had changed.
 */

import type { CallFunction } from "../os/pointer.ts";

/** Where a function finds the call that V8 makes fast: absent first, set once, never changed. */
export class CallCell {
  declare direct?: CallFunction;
}
// What others add to Object.prototype is no call.
Object.setPrototypeOf(CallCell.prototype, null);

/** One function that is wanted. */
export interface TextTarget {
  readonly cell: CallCell;
  readonly parameterCount: number;
}

/** Serves a call while the cell is empty, and once the text is shut. */
export type OtherCall = (index: number, ...parameters: unknown[]) => unknown;

/** Functions of one text. */
export interface CallText {
  readonly functions: readonly CallFunction[];
  /** Sends all calls the other way. Leads to nothing but the variable: whoever keeps it keeps no function. */
  readonly shut: () => void;
}

/** The mark in a stack trace of a function made here. */
const SOURCE_NAME = "smf-call:";
let sourceCount = 0;

/** As many as can be parameters of one function, and some fewer. */
export const LONGEST_TEXT = 1000;

/** A text for at most {@linkcode LONGEST_TEXT} functions; undefined where code from strings is forbidden. */
export function callText(targets: readonly TextTarget[], other: OtherCall): CallText | undefined {
  const counts: number[] = [];
  const cells: CallCell[] = [];
  for (const { parameterCount, cell } of targets) {
    counts.push(parameterCount);
    cells.push(cell);
  }
  const open = counts.length === 1 ? spare(counts[0]) : compile(sourceOf(counts))?.[0];
  if (open === undefined) return undefined;
  const text = open();
  return { functions: text(other, ...cells), shut: text };
}

/** A compiled text: opened once, it gives its functions once; called without anything, it is shut. */
type Compiled = () => (other?: OtherCall, ...cells: CallCell[]) => CallFunction[];

function sourceOf(parameterCounts: readonly number[]): string {
  let cells = "";
  let functions = "";
  for (const [index, count] of parameterCounts.entries()) {
    const parameters = parameterNames(count);
    cells += `,c${index}`;
    functions += `((${parameters})=>open&&c${index}.direct!==undefined?c${index}.direct(${parameters})` +
      `:other(${index}${count === 0 ? "" : `,${parameters}`})),\n`;
  }
  // What stands in parentheses V8 compiles at once, in place of looking through it first.
  return `(()=>{let open=true;return((other${cells})=>other===undefined?open=false:[${functions}])}),\n`;
}

function compile(sources: string): Compiled[] | undefined {
  const body = `"use strict";return[${sources}]\n//# sourceURL=${SOURCE_NAME}${++sourceCount}`;
  try {
    return new Function(body)();
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}

/** How many texts are compiled together: most of what one takes is taken once for all. */
const BATCH = 8;
/** Texts for one function that nobody uses yet, by its number of parameters. */
const spares: (Compiled[] | undefined)[] = [];

function spare(parameterCount: number): Compiled | undefined {
  const known = spares[parameterCount];
  const next = known?.pop();
  if (next !== undefined) return next;
  // A program that binds one function may not bind another.
  const compiled = compile(sourceOf([parameterCount]).repeat(known === undefined ? 1 : BATCH));
  spares[parameterCount] = compiled;
  return compiled?.pop();
}

/** By how many there are. */
const namesOfParameters: (string | undefined)[] = [];

function parameterNames(count: number): string {
  let names = namesOfParameters[count];
  if (names === undefined) {
    names = "";
    for (let index = 0; index < count; index++) names += index === 0 ? "p0" : `,p${index}`;
    namesOfParameters[count] = names;
  }
  return names;
}

/** V8's own view of a stack frame, of which Deno has no type. */
interface StackFrame {
  getScriptNameOrSourceURL(): string | null | undefined;
}

/** The parts of `Error` that are V8's own. */
const StackTrace = Error as ErrorConstructor & {
  prepareStackTrace?: (error: Error, frames: readonly StackFrame[]) => unknown;
};

/** Whether a function made here is on this isolate's stack. */
export function isTextOnStack(): boolean {
  const { stackTraceLimit, prepareStackTrace } = StackTrace;
  let found = false;
  StackTrace.stackTraceLimit = Infinity;
  // Called with the frames themselves, this spares formatting them.
  StackTrace.prepareStackTrace = (_, frames) => {
    found = frames.some((frame) => frame.getScriptNameOrSourceURL()?.startsWith(SOURCE_NAME));
  };
  try {
    const trace: { stack?: unknown } = {};
    StackTrace.captureStackTrace(trace, isTextOnStack);
    void trace.stack;
  } finally {
    StackTrace.stackTraceLimit = stackTraceLimit;
    StackTrace.prepareStackTrace = prepareStackTrace;
  }
  return found;
}
