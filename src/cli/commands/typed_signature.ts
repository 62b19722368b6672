/**
 * Signatures of functions by the types that their module keeps: how arguments are read and results shown.
 */
import { cString, readCString } from "../../os/c_strings.ts";
import { didYouMean, nearestSymbol } from "../../errors/names.ts";
import type { ModuleTypes } from "../../smf/types.ts";
import { bareType, sizeOf, type Types } from "../../types/layout.ts";
import type { FunctionType, TypeParameter } from "../../types/model.ts";
import { isReason, nativeFunction, type NativeValue } from "../../types/native.ts";
import { writeValue, WrongValueError } from "../analysis/parse_value.ts";
import { type ShownValue, showValue } from "../analysis/show_value.ts";
import { declarationText, type ModuleExports } from "../analysis/typed_exports.ts";
import { UsageError } from "../terminal/command.ts";
import { printable } from "../terminal/table.ts";
import type { Signature } from "./signature.ts";

/** A signature by the module's own types. */
export interface TypedSignature extends Signature {
  /** The declaration of the function in C. */
  readonly declaration: string;
  /** Shows the result; undefined for `void`. */
  show(result: unknown): ShownValue | undefined;
}

/**
 * Returns the signature of a function that the module exports.
 *
 * @throws {UsageError} if the module does not export the function, or it cannot be called.
 */
export function typedSignature({ types, exports }: ModuleExports, name: string): TypedSignature {
  const found = exports.find((item) => item.name === name);
  if (found === undefined) {
    const near = nearestSymbol(name, exports.map((item) => item.name));
    throw new UsageError(
      `there is no function '${printable(name)}'${didYouMean(near && printable(near))}; there are:\n` +
        functionLines({ types, exports }, MOST_LISTED).join("\n"),
    );
  }
  const declaration = printable(declarationText(types, found));
  if (found.kind === "variable") throw new UsageError(`'${printable(name)}' is a variable: ${declaration}`);
  const type = found.type === undefined ? undefined : types.types[bareType(types.types, found.type)];
  if (type?.kind !== "function") {
    throw new UsageError(
      `the module does not know the type of '${printable(name)}': give --signature "result(parameters)"`,
    );
  }
  return signatureOf(types, type, declaration);
}

/** The number of functions that an error lists. */
export const MOST_LISTED = 20;

/** Lists the functions that can be called, by their declarations, and how many more there are. */
export function functionLines({ types, exports }: ModuleExports, most = Infinity): string[] {
  const callable = exports.filter(({ kind, type }) => {
    const record = type === undefined ? undefined : types.types[bareType(types.types, type)];
    return kind === "function" && record?.kind === "function" &&
      !isReason(nativeFunction(types.types, record));
  });
  const lines = callable.slice(0, most).map((item) => `  ${printable(declarationText(types, item))}`);
  const more = callable.length - lines.length;
  return more > 0 ? [...lines, `  and ${more} more; smf nm lists all`] : lines;
}

function signatureOf(module: ModuleTypes, type: FunctionType, declaration: string): TypedSignature {
  const { types } = module;
  const native = nativeFunction(types, type);
  if (isReason(native)) throw new UsageError(`${declaration} cannot be called: ${native.reason}`);
  const { parameters } = type;
  const takesText = parameters.map((parameter) => isText(types, parameter.type));
  const show = (result: unknown): ShownValue | undefined =>
    native.result === "void" ? undefined : showResult(types, type.result, native.result, result);
  return {
    declaration,
    definition: {
      parameters: native.parameters.map((value, index) => takesText[index] ? "buffer" : asAddress(value)),
      result: native.result === "void" ? "void" : asAddress(native.result),
    },
    values(texts) {
      if (texts.length !== parameters.length) {
        const plural = parameters.length === 1 ? "argument" : "arguments";
        throw new UsageError(`${declaration} takes ${parameters.length} ${plural}, not ${texts.length}`);
      }
      return parameters.map((parameter, index) => {
        try {
          return takesText[index]
            ? cString(texts[index])
            : argumentOf(types, parameter.type, native.parameters[index], texts[index]);
        } catch (error) {
          if (!(error instanceof WrongValueError)) throw error;
          const subject = printable(parameterText(module, parameter));
          throw new UsageError(`argument ${index + 1} (${subject}): ${error.message}\n  ${declaration}`);
        }
      });
    },
    show,
    text: (result) => show(result)?.text,
  };
}

function parameterText(module: ModuleTypes, { name, type }: TypeParameter): string {
  return module.declaration(name, type);
}

/** Whether a type is a pointer to characters. */
function isText(types: Types, id: number): boolean {
  const type = types[bareType(types, id)];
  const target = type?.kind === "pointer" ? types[bareType(types, type.to)] : undefined;
  return target?.kind === "base" && target.name === "char" && target.size === 1;
}

/** Addresses are numbers here, not pointer objects. */
function asAddress(value: NativeValue): Deno.NativeType {
  return value === "pointer" || value === "function" ? "u64" : value as Deno.NativeType;
}

function argumentOf(types: Types, id: number, native: NativeValue, text: string): unknown {
  const bytes = new Uint8Array(Math.max(8, sizeOf(types, id) ?? 0));
  const view = new DataView(bytes.buffer);
  writeValue(types, id, view, 0, typeof native === "object" ? jsonOf(text) : text);
  return typeof native === "object" ? bytes.subarray(0, sizeOf(types, id)) : wordAt(view, native);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WrongValueError(`'${text}' is not JSON; a struct is written as {"field": value}`);
  }
}

function wordAt(view: DataView, native: Exclude<NativeValue, object>): unknown {
  switch (native) {
    case "bool":
      return view.getUint8(0) !== 0;
    case "i8":
      return view.getInt8(0);
    case "u8":
      return view.getUint8(0);
    case "i16":
      return view.getInt16(0, true);
    case "u16":
      return view.getUint16(0, true);
    case "i32":
      return view.getInt32(0, true);
    case "u32":
      return view.getUint32(0, true);
    case "i64":
      return view.getBigInt64(0, true);
    case "f32":
      return view.getFloat32(0, true);
    case "f64":
      return view.getFloat64(0, true);
    default:
      return view.getBigUint64(0, true);
  }
}

function showResult(types: Types, id: number, native: NativeValue, result: unknown): ShownValue {
  if (typeof native === "object") {
    const bytes = result as Uint8Array;
    return showValue(types, id, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  if (isText(types, id)) {
    const text = readCString(result as bigint);
    return { text: text ?? "NULL", json: text };
  }
  const view = new DataView(new ArrayBuffer(8));
  if (native === "f32") view.setFloat32(0, result as number, true);
  else if (native === "f64") view.setFloat64(0, result as number, true);
  else view.setBigUint64(0, BigInt.asUintN(64, BigInt(result as number | bigint | boolean)), true);
  return showValue(types, id, view);
}
