/**
 * Checks option objects: an unknown name, an unknown word or a value of another
 * kind is an error at the call that has it, instead of an option without effect.
 *
 * A table has one line for each option; its type demands a line for every
 * option of the interface.
 */

import { aboutArgument } from "./edge.ts";
import { didYouMean, nearestWord } from "./names.ts";

/** The values that an option takes. */
export interface OptionKind {
  /** Names the values in messages: `an array of strings`. */
  readonly description: string;
  /** The words, if the option takes nothing else. */
  readonly words?: readonly string[];
  accepts(value: unknown): boolean;
}

/** The options of one call. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: OptionKind };

/** One of some words. */
export function oneOf(...words: readonly string[]): OptionKind {
  return {
    description: words.map((word) => `'${word}'`).join(" or "),
    words,
    accepts: (value) => typeof value === "string" && words.includes(value),
  };
}

/** Something for which `accepts` returns true. */
export function kindOf(description: string, accepts: (value: unknown) => boolean): OptionKind {
  return { description, accepts };
}

/** An array whose items are of one kind. */
export function arrayOf(description: string, accepts: (item: unknown) => boolean): OptionKind {
  return kindOf(`an array of ${description}`, (value) => Array.isArray(value) && value.every(accepts));
}

const isString = (value: unknown): boolean => typeof value === "string";

export const STRING: OptionKind = kindOf("a string", isString);
export const STRINGS: OptionKind = arrayOf("strings", isString);
export const PATHS: OptionKind = arrayOf("paths and URLs", (item) => isString(item) || item instanceof URL);
export const PATH: OptionKind = kindOf("a path or URL", (item) => isString(item) || item instanceof URL);
export const BOOLEAN: OptionKind = kindOf("true or false", (value) => typeof value === "boolean");
export const NUMBER: OptionKind = kindOf("a number", (value) => typeof value === "number");
/** Milliseconds and other numbers that are not negative. */
export const AMOUNT: OptionKind = kindOf(
  "a number from 0 on",
  (value) => typeof value === "number" && value >= 0,
);
export const FUNCTION: OptionKind = kindOf("a function", (value) => typeof value === "function");
export const SET: OptionKind = kindOf("a Set", (value) => value instanceof Set);
export const BYTES: OptionKind = kindOf("a Uint8Array", (value) => value instanceof Uint8Array);
export const SIGNAL: OptionKind = kindOf("an AbortSignal", (value) => value instanceof AbortSignal);
/** An object of values by name; a Map or an array has its values elsewhere. */
export const RECORD: OptionKind = kindOf(
  "an object with a value for each name",
  (value) => typeof value === "object" && value !== null && !(Symbol.iterator in value),
);

/**
 * Checks the options of one call. An option that is `undefined` counts as absent.
 *
 * @param task What the call does: `reload module`.
 * @throws {TypeError} that names the valid options, or the valid values of the option that is wrong.
 */
export function checkOptions<Options extends object>(
  task: string,
  options: Options,
  table: OptionTable<Options>,
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw aboutArgument(
      new TypeError(`Cannot ${task}: the options are ${describeValue(options)}, not an object`),
    );
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name)) throw aboutArgument(unknownName(task, name, table));
  }
  for (const name of Object.keys(table) as (keyof Options & string)[]) {
    const value: unknown = options[name];
    if (value !== undefined && !table[name].accepts(value)) {
      throw aboutArgument(wrongValue(task, name, value, table[name]));
    }
  }
}

function unknownName(task: string, name: string, table: object): TypeError {
  const names = Object.keys(table);
  const suggestion = didYouMean(nearestWord(name, names));
  const known = names.map((known) => `'${known}'`).join(", ");
  return new TypeError(
    `Cannot ${task}: there is no option '${name}'${suggestion}; ` +
      (names.length === 1 ? `the only option is ${known}` : `the options are ${known}`),
  );
}

function wrongValue(task: string, name: string, value: unknown, kind: OptionKind): TypeError {
  const near = typeof value === "string" && kind.words !== undefined
    ? nearestWord(value, kind.words)
    : undefined;
  return new TypeError(
    `Cannot ${task}: option '${name}' is ${describeValue(value)}, not ${kind.description}${didYouMean(near)}`,
  );
}

/** The longest string that a message repeats as a whole. */
const LONGEST_STRING = 60;

/** Describes a wrong value in a message: `the string 'x'`, `5`, `an array of numbers`. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the string '${value.length > LONGEST_STRING ? `${value.slice(0, LONGEST_STRING)}…` : value}'`;
    case "bigint":
      return `the bigint ${value}`;
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      if (!Array.isArray(value)) return "an object";
      return value.length === 0
        ? "an empty array"
        : `an array of ${
          [...new Set(value.map((item) => item === null ? "null" : typeof item))].join(" and ")
        }`;
    default:
      return String(value);
  }
}
