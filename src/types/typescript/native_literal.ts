/**
 * Types of parameters and results as literals of definitions.
 */
import type { NativeValue } from "../native.ts";
import type { Literal } from "./literal.ts";

/** Writes a type as a definition has it. */
export function nativeLiteral(value: NativeValue | "void"): Literal {
  return typeof value === "string"
    ? `"${value}"`
    : { entries: [["struct", { list: value.struct.map(nativeLiteral) }]] };
}
