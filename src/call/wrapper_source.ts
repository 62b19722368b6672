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

import { Bytes, isSafeInteger } from "../os/intrinsics.ts";
import type { CallFunction } from "../os/pointer.ts";
import { scratch } from "./adapter/scratch.ts";

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
  /**
   * Writes the call as the statements of a function, if it is more than passing the
   * parameters on. It can use `open`, the parameters `p0` and so on, and what
   * {@linkcode KNOWN} has.
   *
   * @param cell The name of the cell.
   * @param fallback The text of a call of the fallback.
   * @param returning Writes the statements that return the value of an expression, which must be evaluated there.
   */
  readonly source?: (cell: string, fallback: string, returning: (value: string) => string) => string;
}

/** Serves the calls of the wrapper at `index` while its cell is empty, and after it was closed. */
export type FallbackCall = (index: number, ...parameters: unknown[]) => unknown;

/** How wrappers learn of calls that a guard has ended. */
export interface WrapperGuard {
  /** Its first word is not 0 after such a call. */
  readonly state: Uint32Array;
  /** Throws the error of that call. */
  readonly failed: (index: number) => never;
}

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
  guard?: WrapperGuard,
): Wrappers | undefined {
  const [{ parameterCount, source }] = targets;
  const cells = targets.map(({ cell }) => cell);
  const isGuarded = guard !== undefined;
  const instantiate = targets.length === 1 && source === undefined
    ? takeSpare(parameterCount, isGuarded)
    : compile(sourceOf(targets, isGuarded))?.[0];
  if (instantiate === undefined) return undefined;
  const wrappers = instantiate();
  const known = targets.some((target) => target.source !== undefined) ? KNOWN : [];
  const ends = guard === undefined ? [] : [guard.state, guard.failed];
  return { functions: wrappers(fallback, ...known, ...ends, ...cells), close: wrappers };
}

/**
 * A compiled source text. The function that it returns creates the wrappers when
 * it is called with a fallback and cells, and closes them when it is called with
 * nothing.
 */
type CompiledSource = () => (
  fallback?: FallbackCall,
  ...more: (CallCell | (typeof KNOWN)[number] | Uint32Array | WrapperGuard["failed"])[]
) => CallFunction[];

/** The values that source texts of their own may use, and the names of these. */
const KNOWN = [isSafeInteger, Bytes, scratch] as const, KNOWN_NAMES = ",safe,Bytes,scratch";

function sourceOf(
  targets: readonly Pick<WrapperTarget, "parameterCount" | "source">[],
  isGuarded: boolean,
): string {
  let cells = isGuarded ? ",state,failed" : "";
  let functions = "";
  let known = "";
  for (const [index, { parameterCount, source }] of targets.entries()) {
    const parameters = parameterNames(parameterCount);
    const cell = `c${index}`;
    const fallback = `fallback(${index}${parameterCount === 0 ? "" : `,${parameters}`})`;
    cells += `,${cell}`;
    // A guard's call has ended before the word that says how is read.
    const returning = (value: string): string =>
      isGuarded ? `const v=${value};return state[0]===0?v:failed(${index})` : `return ${value}`;
    const canCall = `open&&${cell}.direct!==undefined`, call = `${cell}.direct(${parameters})`;
    if (source !== undefined) {
      known = KNOWN_NAMES;
      functions += `((${parameters})=>{${source(cell, fallback, returning)}}),\n`;
    } else if (isGuarded) {
      functions += `((${parameters})=>{if(${canCall}){${returning(call)}}return ${fallback}}),\n`;
    } else {
      functions += `((${parameters})=>${canCall}?${call}:${fallback}),\n`;
    }
  }
  // Parentheses make V8 compile a function eagerly, instead of pre-parsing it first.
  return `(()=>{let open=true;return((fallback${known}${cells})=>fallback===undefined?open=false:[${functions}])}),\n`;
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
type Spares = (CompiledSource[] | undefined)[];
const plainSpares: Spares = [], guardedSpares: Spares = [];

function takeSpare(parameterCount: number, isGuarded: boolean): CompiledSource | undefined {
  const spares = isGuarded ? guardedSpares : plainSpares;
  const known = spares[parameterCount];
  const next = known?.pop();
  if (next !== undefined) return next;
  // The first time only one is compiled: a program that binds one function may not bind another.
  const sources = sourceOf([{ parameterCount }], isGuarded);
  const compiled = compile(sources.repeat(known === undefined ? 1 : BATCH));
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
