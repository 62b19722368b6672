/**
 * Programs in a small part of C, as trees that are both printed and evaluated: functions that call each other, with
 * all kinds of arguments. Numbers are `unsigned long` and `double`.
 */

/** The types of parameters and results: numbers, and structs that are passed in registers and in memory. */
export type Type = "word" | "int" | "double" | "pair" | "big";

/** The words and doubles in a value of each type, in their order. */
export const PARTS: Readonly<Record<Type, readonly ("word" | "double")[]>> = {
  word: ["word"],
  int: ["word"],
  double: ["double"],
  pair: ["word", "double"],
  big: ["word", "word", "word", "double"],
};

/** A part of a parameter. */
export interface Parameter {
  readonly kind: "parameter";
  readonly index: number;
  readonly part: number;
  readonly type: Type;
}

/** An expression whose value is a word. */
export type Word =
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "local" | "global"; readonly index: number }
  | Parameter
  | { readonly kind: "+" | "-" | "*" | "^"; readonly left: Word; readonly right: Word }
  | { readonly kind: "bits"; readonly of: Double };

/** An expression whose value is a double. */
export type Double =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "local"; readonly index: number }
  | Parameter
  | { readonly kind: "+" | "-" | "*"; readonly left: Double; readonly right: Double }
  /** The lowest bits of a word. */
  | { readonly kind: "small"; readonly of: Word };

/** The parts of an argument or result, in their order. */
export type Value = readonly (Word | Double)[];

/** A call, whose result is added to locals. */
export interface Call {
  readonly kind: "call";
  /** Tells it from all other calls of its version. */
  readonly site: number;
  /** The index of the function. */
  readonly callee: number;
  /** Whether the call goes through a pointer in a variable. */
  readonly isIndirect: boolean;
  readonly arguments: readonly Value[];
  readonly word: number;
  readonly double: number;
}

/** A statement. */
export type Statement =
  | Call
  | { readonly kind: "word"; readonly local: number; readonly value: Word }
  | { readonly kind: "double"; readonly local: number; readonly value: Double }
  | { readonly kind: "global"; readonly index: number; readonly value: Word }
  | { readonly kind: "loop"; readonly count: number; readonly body: readonly Statement[] };

/** The parts of a function that all its versions share. */
export interface Signature {
  readonly name: string;
  readonly parameters: readonly Type[];
  readonly result: Type;
  readonly isStatic: boolean;
  /** Whether compilers may put its body in place of calls. */
  readonly isInline: boolean;
  /** Whether its address is in a variable. */
  readonly isTaken: boolean;
  /** Whether its parameters but the first are variable arguments. */
  readonly isVariadic: boolean;
}

/** The body of a function. */
export interface Body {
  readonly statements: readonly Statement[];
  readonly result: Value;
}

/** One version: the bodies of all functions, and of the loop in which reloads happen. */
export interface Version {
  readonly bodies: readonly Body[];
  readonly loop: readonly Statement[];
}

/** A program. Functions call those behind them. */
export interface Program {
  readonly signatures: readonly Signature[];
  readonly versions: readonly Version[];
  /** The number of variables that functions add to. */
  readonly globals: number;
}

/** The locals of a function, and those of the loop, which are as many as do not fit into registers. */
export const LOCALS = { word: 3, double: 2 } as const;
export const LOOP_LOCALS = { word: 8, double: 5 } as const;
