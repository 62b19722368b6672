/**
 * Signatures such as `i64(i64, cstring)`: how a function of a module is called
 * from a command line.
 */
import { cString, readCString } from "../../os/c_strings.ts";
import { UsageError } from "../terminal/command.ts";

/** A function's types, and how its values are written as text. */
export interface Signature {
  readonly definition: {
    readonly parameters: readonly Deno.NativeType[];
    readonly result: Deno.NativeResultType;
  };
  /** The arguments as the function takes them. */
  values(texts: readonly string[]): unknown[];
  /** What the function returned, as text; undefined for `void`. */
  text(result: unknown): string | undefined;
}

/** A type: what Deno calls it, what it is made from and how it is shown. */
interface ValueType {
  readonly native: Deno.NativeType;
  parse(text: string): unknown;
  show(value: unknown): string;
}

const show = (value: unknown): string => `${value}`;

/** Integers of so many bits, in decimal, hexadecimal, octal or binary. */
function integer(native: Deno.NativeType, bits: number, signed: boolean): ValueType {
  const [low, high] = signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1)] : [0n, 2n ** BigInt(bits)];
  return {
    native,
    show,
    parse(text) {
      const digits = /^-?(0x[\da-f]+|0o[0-7]+|0b[01]+|\d+)$/i.test(text) ? text.replace("-", "") : undefined;
      if (digits === undefined) throw new UsageError(`'${text}' is no whole number`);
      const value = text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
      if (value < low || value >= high) {
        throw new UsageError(`${text} is not in [${low}, ${high}), as ${native} is`);
      }
      return bits === 64 ? value : Number(value);
    },
  };
}

function float(native: "f32" | "f64"): ValueType {
  return {
    native,
    show,
    parse(text) {
      const value = text.trim() === "" ? NaN : Number(text);
      if (Number.isNaN(value) && text !== "NaN") throw new UsageError(`'${text}' is no number`);
      return value;
    },
  };
}

const address = integer("usize", 64, false);

const TYPES: Readonly<Record<string, ValueType>> = {
  i8: integer("i8", 8, true),
  u8: integer("u8", 8, false),
  i16: integer("i16", 16, true),
  u16: integer("u16", 16, false),
  i32: integer("i32", 32, true),
  u32: integer("u32", 32, false),
  i64: integer("i64", 64, true),
  u64: integer("u64", 64, false),
  isize: integer("isize", 64, true),
  usize: integer("usize", 64, false),
  f32: float("f32"),
  f64: float("f64"),
  bool: {
    native: "bool",
    show,
    parse(text) {
      if (text !== "true" && text !== "false") throw new UsageError(`'${text}' is neither true nor false`);
      return text === "true";
    },
  },
  pointer: { ...address, show: (value) => `0x${(value as bigint).toString(16)}` },
  cstring: { native: "buffer", parse: cString, show: (value) => readCString(value as bigint) ?? "NULL" },
};

function typeOf(name: string): ValueType {
  if (Object.hasOwn(TYPES, name)) return TYPES[name];
  throw new UsageError(
    `there is no type '${name}'; there are void (as a result), ${Object.keys(TYPES).join(", ")}`,
  );
}

/**
 * Reads a signature: result, then parameters in brackets.
 *
 * @throws {UsageError} if it is none.
 */
export function parseSignature(text: string): Signature {
  const [, result, list] = /^\s*(\w+)\s*\(([^()]*)\)\s*$/.exec(text) ?? [];
  if (result === undefined) {
    throw new UsageError(`'${text}' is no signature; one looks like "i64(i64, cstring)" or "void()"`);
  }
  const names = list.trim() === "" || list.trim() === "void"
    ? []
    : list.split(",").map((name) => name.trim());
  const parameters = names.map(typeOf);
  const returned = result === "void" ? undefined : typeOf(result);
  return {
    definition: {
      parameters: parameters.map(({ native }) => native),
      // A C string comes back as an address.
      result: returned === undefined ? "void" : returned.native === "buffer" ? "usize" : returned.native,
    },
    values(texts) {
      if (texts.length !== parameters.length) {
        const plural = parameters.length === 1 ? "argument" : "arguments";
        throw new UsageError(`the function takes ${parameters.length} ${plural}, not ${texts.length}`);
      }
      return parameters.map(({ parse }, index) => parse(texts[index]));
    },
    text: (value) => returned?.show(value),
  };
}
