/**
 * Crashes that became exceptions, as `LoadError` describes them.
 */

import { demangled } from "../demangle/mod.ts";

/** A function on the native stack of a crash. */
export interface CrashFrame {
  /** The function's name; undefined if nothing names it. */
  readonly function: string | undefined;
  /** The distance from the start of the function in bytes; without a name, from the start of the module. */
  readonly offset: number;
  /** The module as it was asked for, or the file name of a library: `libc.so.6`. */
  readonly module: string;
  /** The number of the module's version; undefined for a library. */
  readonly version: number | undefined;
  /** The source file, if the module has debug information. */
  readonly file: string | undefined;
  /** The line in that file, from 1 on. */
  readonly line: number | undefined;
  /** The address of the instruction that failed, or of the one behind the call. */
  readonly address: bigint;
  /** How many calls in a row this frame stands for: more than 1 for a function that called itself. */
  readonly times: number;
}

/** A frame in one line: `store (/home/me/plugin.c:20)`, with the name demangled. */
export function describeFrame({ function: name, offset, module, file, line }: CrashFrame): string {
  const place = file === undefined ? `in ${module}` : `(${file}:${line})`;
  return `${name === undefined ? `0x${offset.toString(16)}` : demangled(name)} ${place}`;
}
