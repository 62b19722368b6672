/**
 * Judges definitions when they are bound, as `Deno.dlopen` does, so that a wrong
 * one is an error there by every call path, and not at some later call.
 */

import { aboutArgument } from "../errors/edge.ts";
import { describeValue } from "../errors/options.ts";
import { didYouMean, nearestWord } from "../errors/names.ts";
import { STATIC_TYPES } from "../os/native_memory.ts";
import {
  type Definitions,
  type FunctionDefinition,
  INTEGER_WORDS,
  RESULT_BUFFER_WORDS,
} from "./function_definition.ts";

/** The types of parameters, results and fields that are words; results may be `void`, too. */
const TYPES: readonly string[] = [
  "bool",
  "i8",
  "u8",
  "i16",
  "u16",
  "i32",
  "u32",
  "i64",
  "u64",
  "isize",
  "usize",
  "f32",
  "f64",
  "pointer",
  "buffer",
  "function",
];
/** The types of parameters of functions that JavaScript calls. */
const PARAMETERS: readonly string[] = [...TYPES, "cstring"];
const PARAMETER_SET: ReadonlySet<unknown> = new Set(PARAMETERS);
const RESULTS: readonly string[] = ["void", ...PARAMETERS];

/** The most structs within each other: Deno follows them without a bound. */
const MAX_DEPTH = 64;

/**
 * Judges all definitions of a library.
 *
 * @throws {TypeError} with the name of the function or static whose definition is wrong.
 */
export function judgeDefinitions(definitions: Definitions): void {
  if (typeof definitions !== "object" || definitions === null) {
    throw new TypeError(`Cannot bind: the definitions are ${describeValue(definitions)}, not an object`);
  }
  // Many functions often share one definition.
  const judged = new Set<unknown>();
  for (const key of Object.keys(definitions)) {
    const definition: unknown = definitions[key];
    if (judged.has(definition)) continue;
    judged.add(definition);
    if (typeof definition === "object" && definition !== null && "type" in definition) {
      judgeStatic(key, definition as Deno.ForeignStatic);
    } else {
      judgeFunction(key, definition as FunctionDefinition);
    }
  }
}

/**
 * Judges the definition of one function.
 *
 * @throws {TypeError} with the name of the function.
 */
export function judgeFunction(name: string, definition: FunctionDefinition): void {
  const refuse = (problem: string) =>
    aboutArgument(new TypeError(`Cannot bind function '${name}': ${problem}`));
  if (typeof definition !== "object" || definition === null) {
    throw refuse(`its definition is ${describeValue(definition)}, not an object`);
  }
  judgeNames(definition, refuse);
  const { parameters, result, nonblocking } = definition;
  if (!Array.isArray(parameters)) {
    throw refuse(`its parameters are ${describeValue(parameters)}, not an array`);
  }
  for (let index = 0; index < parameters.length; index++) {
    if (PARAMETER_SET.has(parameters[index])) continue;
    const problem = problemOfType(parameters[index], PARAMETERS, 0);
    if (problem !== undefined) throw refuse(`parameter ${index + 1} ${problem}`);
  }
  if (result !== "void" && !PARAMETER_SET.has(result)) {
    const problem = problemOfType(result, RESULTS, 0);
    if (problem !== undefined) throw refuse(`its result ${problem}`);
  }
  judgeFlag("nonblocking", nonblocking, refuse);
  judgeOptions(definition, refuse);
}

/** Judges the options that `Deno.dlopen` does not have. */
function judgeOptions(
  { integers, resultBuffer, captureErrno, result, nonblocking }: FunctionDefinition,
  refuse: (problem: string) => TypeError,
): void {
  if (!isAbsent(integers)) judgeWord("integers", integers, INTEGER_WORDS, refuse);
  judgeFlag("captureErrno", captureErrno, refuse);
  if (isAbsent(resultBuffer)) return;
  judgeWord("resultBuffer", resultBuffer, RESULT_BUFFER_WORDS, refuse);
  if (typeof result === "string") {
    throw refuse(`resultBuffer is given, but its result is ${result}, not a struct`);
  }
  if (resultBuffer === "reused" && nonblocking === true) {
    throw refuse("resultBuffer is 'reused', which calls in flight would overwrite; use 'caller'");
  }
}

function judgeFlag(option: string, value: unknown, refuse: (problem: string) => TypeError): void {
  if (!isAbsent(value) && typeof value !== "boolean") {
    throw refuse(`${option} is ${describeValue(value)}, not true or false`);
  }
}

function judgeWord(
  option: string,
  value: unknown,
  words: readonly string[],
  refuse: (problem: string) => TypeError,
): void {
  if (typeof value !== "string" || !words.includes(value)) {
    throw refuse(`${option} ${problemOfWord(value, words)}`);
  }
}

/**
 * Judges the definition of a function that JavaScript implements and native code calls.
 *
 * @param refusal Begins the message: what cannot be done.
 * @throws {TypeError} as {@linkcode judgeFunction}, and for options and types that only calls of native functions have.
 */
export function judgeCallback(name: string, definition: FunctionDefinition, refusal: string): void {
  judgeFunction(name, definition);
  const { parameters, result, integers, resultBuffer, captureErrno } = definition;
  const isCallOnly = parameters.includes("cstring") || result === "cstring" || !isAbsent(integers) ||
    !isAbsent(resultBuffer) || !isAbsent(captureErrno);
  if (!isCallOnly) return;
  throw new TypeError(
    `${refusal}: cstring, integers, resultBuffer and captureErrno are for functions that ` +
      "JavaScript calls, not for those that it implements",
  );
}

function judgeStatic(key: string, definition: Deno.ForeignStatic): void {
  const refuse = (problem: string) => aboutArgument(new TypeError(`Cannot bind static '${key}': ${problem}`));
  judgeNames(definition, refuse);
  const { type } = definition;
  if (typeof type === "string" && STATIC_TYPES.includes(type)) return;
  throw refuse(`its type ${problemOfWord(type, STATIC_TYPES)}`);
}

function judgeNames(
  { name, optional }: { readonly name?: unknown; readonly optional?: unknown },
  refuse: (problem: string) => TypeError,
): void {
  if (!isAbsent(name) && typeof name !== "string") {
    throw refuse(`its name is ${describeValue(name)}, not a string`);
  }
  judgeFlag("optional", optional, refuse);
}

/** As for Deno, `null` is absent, too. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function problemOfType(type: unknown, words: readonly string[], depth: number): string | undefined {
  if (typeof type !== "object" || type === null) {
    return typeof type === "string" && words.includes(type) ? undefined : problemOfWord(type, words);
  }
  const { struct } = type as { readonly struct?: unknown };
  if (!Array.isArray(struct) || Object.keys(type).length !== 1) {
    return "is an object other than { struct: [types of the fields] }";
  }
  if (struct.length === 0) return "is a struct without fields";
  if (depth === MAX_DEPTH) return `has more than ${MAX_DEPTH} structs within each other`;
  for (let index = 0; index < struct.length; index++) {
    const problem = problemOfType(struct[index], TYPES, depth + 1);
    if (problem !== undefined) return `is a struct whose field ${index + 1} ${problem}`;
  }
  return undefined;
}

function problemOfWord(type: unknown, words: readonly string[]): string {
  if (type === undefined) return "is missing";
  const near = typeof type === "string" ? nearestWord(type, words) : undefined;
  return `is ${describeValue(type)}, not one of ${words.join(", ")}${didYouMean(near)}`;
}

/**
 * Copies the part of a definition that Deno reads, so that later mutation has no effect on calls by address, which read
 * it each time.
 */
export function copyDefinition(definition: FunctionDefinition): Deno.ForeignFunction {
  const { parameters, result, nonblocking } = definition;
  return {
    parameters: parameters.map((type) => type === "cstring" ? "buffer" : copyType(type)),
    result: result === "cstring" ? "pointer" : copyType(result),
    nonblocking: nonblocking === true,
  };
}

function copyType<Type extends Deno.NativeResultType>(type: Type): Type {
  return typeof type === "string"
    ? type
    : { struct: (type as Deno.NativeStructType).struct.map(copyType) } as unknown as Type;
}
