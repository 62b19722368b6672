/**
 * Compiles the JavaScript functions that wrap native ones, each from a source
 * text of its own.
 *
 * V8 keeps a fast call only at a call site that has seen one target. A wrapper
 * with a source text of its own has a call site of its own, which never sees
 * another target, however mixed the wrapper's callers are.
 *
 * The two values that a wrapper checks cost nothing once V8 has compiled it:
 *
 * | value | why V8 treats it as a constant | until |
 * |---|---|---|
 * | `open` | a variable that was never assigned, in a scope of at most two such | the module is closed; V8 then discards the compiled code |
 * | `direct` | a property that was set once in every object of its shape | |
 *
 * A property in place of `open` would be a constant only until the first object
 * of its shape, of any other module, had changed.
 */

import type { CallFunction } from "../os/pointer.ts";

/** Holds the fast call of a function: absent first, set once, never changed. */
export class CallCell {
  declare direct?: CallFunction;
}
// Without a prototype, a `direct` that others add to Object.prototype is not taken for a call.
Object.setPrototypeOf(CallCell.prototype, null);

/** The facts that the source text of a wrapper depends on. */
export interface WrapperTarget {
  readonly cell: CallCell;
  readonly parameterCount: number;
}

/** Serves the calls of the wrapper at `index` while its cell is empty, and after it was closed. */
export type FallbackCall = (index: number, ...parameters: unknown[]) => unknown;

/** The wrappers of one source text. */
export interface Wrappers {
  readonly functions: readonly CallFunction[];
  /** Sends all further calls to the fallback. Refers to one variable only, so keeping it keeps no function alive. */
  readonly close: () => void;
}

/** Begins the source name of every wrapper, by which stack frames are recognised. */
export const SOURCE_NAME = "smf-call:";
let sourceCount = 0;

/** The most wrappers in one source text: each cell is a parameter of one function, whose number V8 limits. */
export const MAX_WRAPPERS = 1000;

/** Compiles at most {@linkcode MAX_WRAPPERS} wrappers; undefined where code from strings is forbidden. */
export function compileWrappers(
  targets: readonly WrapperTarget[],
  fallback: FallbackCall,
): Wrappers | undefined {
  const counts: number[] = [];
  const cells: CallCell[] = [];
  for (const { parameterCount, cell } of targets) {
    counts.push(parameterCount);
    cells.push(cell);
  }
  const instantiate = counts.length === 1 ? takeSpare(counts[0]) : compile(sourceOf(counts))?.[0];
  if (instantiate === undefined) return undefined;
  const wrappers = instantiate();
  return { functions: wrappers(fallback, ...cells), close: wrappers };
}

/**
 * A compiled source text. The function that it returns creates the wrappers when
 * it is called with a fallback and cells, and closes them when it is called with
 * nothing.
 */
type CompiledSource = () => (fallback?: FallbackCall, ...cells: CallCell[]) => CallFunction[];

function sourceOf(parameterCounts: readonly number[]): string {
  let cells = "";
  let functions = "";
  for (const [index, count] of parameterCounts.entries()) {
    const parameters = parameterNames(count);
    cells += `,c${index}`;
    functions += `((${parameters})=>open&&c${index}.direct!==undefined?c${index}.direct(${parameters})` +
      `:fallback(${index}${count === 0 ? "" : `,${parameters}`})),\n`;
  }
  // Parentheses make V8 compile a function eagerly, instead of pre-parsing it first.
  return `(()=>{let open=true;return((fallback${cells})=>fallback===undefined?open=false:[${functions}])}),\n`;
}

/**
 * Keeps a source text out of V8's cache of evaluated texts, which only a shortage
 * of memory empties: a tagged template, whose object must be a new one each time
 * the text is evaluated. It is never run.
 */
const NOT_CACHED = "_``";

function compile(sources: string): CompiledSource[] | undefined {
  const body = `"use strict";return[${sources}];${NOT_CACHED}\n//# sourceURL=${SOURCE_NAME}${++sourceCount}`;
  try {
    return new Function(body)();
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}

/** The number of source texts that are compiled together: most of the cost of compiling is paid once for all. */
const BATCH = 8;
/** Compiled source texts of one wrapper that are not used yet, by the wrapper's number of parameters. */
const spares: (CompiledSource[] | undefined)[] = [];

function takeSpare(parameterCount: number): CompiledSource | undefined {
  const known = spares[parameterCount];
  const next = known?.pop();
  if (next !== undefined) return next;
  // The first time only one is compiled: a program that binds one function may not bind another.
  const compiled = compile(sourceOf([parameterCount]).repeat(known === undefined ? 1 : BATCH));
  spares[parameterCount] = compiled;
  return compiled?.pop();
}

/** Parameter lists that were made before, by their number of parameters. */
const parameterLists: (string | undefined)[] = [];

function parameterNames(count: number): string {
  let names = parameterLists[count];
  if (names === undefined) {
    names = "";
    for (let index = 0; index < count; index++) names += index === 0 ? "p0" : `,p${index}`;
    parameterLists[count] = names;
  }
  return names;
}
