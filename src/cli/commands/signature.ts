/**
 * Signatures such as `i64(i64, cstring)` or `int f(const char *)`, by which functions are called from the
 * command line.
 */
import { cString, readCString } from "../../os/c_strings.ts";
import { hex } from "../../errors/load_error.ts";
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { UsageError } from "../terminal/command.ts";
import { C_NAMES, readCDeclaration } from "./c_types.ts";

/** The types of a function, with the conversion of its values from and to text. */
export interface Signature {
  /** The function's name, if the signature is a declaration of C that has it. */
  readonly name?: string;
  readonly definition: {
    readonly parameters: readonly Deno.NativeType[];
    readonly result: Deno.NativeResultType;
  };
  /**
   * Converts the arguments.
   *
   * @throws {UsageError} if their number or one of them is wrong.
   */
  values(texts: readonly string[]): unknown[];
  /** Converts the result to text; undefined for `void`. */
  text(result: unknown): string | undefined;
}

/** A type: its name in Deno, and the conversion of its values from and to text. */
interface ValueType {
  readonly native: Deno.NativeType;
  parse(text: string): unknown;
  show(value: unknown): string;
}

const show = (value: unknown): string => `${value}`;

/** An integer type; its values are read in decimal, hexadecimal, octal or binary. */
function integer(native: Deno.NativeType, bits: number, signed: boolean): ValueType {
  const [low, high] = signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1)] : [0n, 2n ** BigInt(bits)];
  return {
    native,
    show,
    parse(text) {
      const digits = /^-?(0x[\da-f]+|0o[0-7]+|0b[01]+|\d+)$/i.test(text) ? text.replace("-", "") : undefined;
      if (digits === undefined) throw new UsageError(`'${text}' is not a whole number`);
      const value = text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
      if (value < low || value >= high) {
        throw new UsageError(`${text} is not in [${low}, ${high}), the range of ${native}`);
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
      if (Number.isNaN(value) && text !== "NaN") throw new UsageError(`'${text}' is not a number`);
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
  pointer: { ...address, show: (value) => hex(value as bigint) },
  cstring: { native: "buffer", parse: cString, show: (value) => readCString(value as bigint) ?? "NULL" },
};

/** A part of a signature: the type of the result with the function's name, or a parameter. */
function declared(text: string): { readonly type: ValueType | undefined; readonly name: string | undefined } {
  const { type, name } = readCDeclaration(text, (word) => Object.hasOwn(TYPES, word));
  if (type === "void") return { type: undefined, name };
  if (type !== undefined) return { type: TYPES[type], name };
  const near = didYouMean(nearestWord(text.trim(), [...Object.keys(TYPES), ...C_NAMES]));
  throw new UsageError(
    `there is no type '${text.trim()}'${near}; the types are void (as a result), ` +
      `${
        Object.keys(TYPES).join(", ")
      }, and those of C without structs by value: int, unsigned long, size_t, ` +
      "const char *, void *",
  );
}

/**
 * Parses a signature: the result, then the parameters in parentheses, as words of this package or as a declaration of
 * C (`int open(const char *path, int)`).
 *
 * @throws {UsageError} if the text is not a signature.
 */
export function parseSignature(text: string): Signature {
  const [, head, list] = /^\s*([\w$*\s]+?)\s*\(([^()]*)\)\s*;?\s*$/.exec(text) ?? [];
  if (head === undefined) {
    throw new UsageError(
      `'${text}' is not a signature; examples are "i64(i64, cstring)", "void()" and "int f(const char *, size_t)"`,
    );
  }
  const texts = list.trim() === "" || list.trim() === "void" ? [] : list.split(",");
  const parameters = texts.map((parameter) => {
    const { type } = declared(parameter);
    if (type === undefined) {
      throw new UsageError(`'${parameter.trim()}' is not a parameter: void has no values`);
    }
    return type;
  });
  const { type: returned, name } = declared(head);
  return {
    name,
    definition: {
      parameters: parameters.map(({ native }) => native),
      // A function returns a C string as an address.
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
