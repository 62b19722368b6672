/**
 * Values of types out of text: what a command's arguments mean by the types of a function's parameters.
 */
import { isRecord, isSignedEnum } from "../../types/kinds.ts";
import { bareType, sizeOf, type Types } from "../../types/layout.ts";
import type { EnumType, RecordType, TypeRecord } from "../../types/model.ts";
import { didYouMean, nearestWord } from "../../errors/names.ts";

/** A text or a piece of JSON that is not a value of its type. */
export class WrongValueError extends Error {
  override name = "WrongValueError";
}

/**
 * Writes a value, as text or as JSON that was parsed, to memory that holds zeros.
 *
 * @throws {WrongValueError} if it is not a value of the type.
 */
export function writeValue(types: Types, id: number, view: DataView, offset: number, value: unknown): void {
  const type = types[bareType(types, id)];
  const size = sizeOf(types, id);
  if (size === undefined) throw new WrongValueError("its type has no size");
  switch (type?.kind) {
    case "base":
      return writeBase(type, size, view, offset, value);
    case "enum":
      return writeInteger(
        view,
        offset,
        size,
        enumOf(type, value),
        isSignedEnum(types, type),
        type.name || "the enumeration",
      );
    case "pointer":
    case "reference":
    case "rvalue-reference":
      return writeInteger(view, offset, 8, addressOf(value), false, "a pointer");
    case "array":
      return writeArray(types, type.of, size, view, offset, value);
    case "struct":
    case "union":
    case "class":
      return writeRecord(types, type, view, offset, value);
    default:
      throw new WrongValueError("there is no way to write its type");
  }
}

/** Returns the number that a text or a number means, in decimal, hexadecimal, octal or binary. */
function integerOf(value: unknown): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  const text = `${value}`;
  const digits = typeof value === "string" && /^-?(0x[\da-f]+|0o[0-7]+|0b[01]+|\d+)$/i.test(text)
    ? text.replace("-", "")
    : undefined;
  if (digits === undefined) throw new WrongValueError(`'${text}' is not a whole number`);
  return text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
}

function addressOf(value: unknown): bigint {
  return value === null || /^null$/i.test(`${value}`) ? 0n : integerOf(value);
}

/** Returns the number of an enumerator, of several joined by `|`, or a number itself. */
function enumOf(type: EnumType, value: unknown): bigint {
  if (typeof value !== "string" || /^-?\d/.test(value)) return integerOf(value);
  return value.split("|").map((part) => {
    const name = part.trim();
    const found = type.enumerators.find((enumerator) => enumerator.name === name);
    if (found !== undefined) return BigInt(found.value);
    const names = type.enumerators.map((enumerator) => enumerator.name);
    const some = names.slice(0, 8).join(", ");
    throw new WrongValueError(
      `'${name}' is neither a number nor a name of the enumeration${didYouMean(nearestWord(name, names))}; ` +
        `the names are ${some}${names.length > 8 ? ", …" : ""}`,
    );
  }).reduce((all, one) => all | one, 0n);
}

function writeInteger(
  view: DataView,
  offset: number,
  size: number,
  value: bigint,
  isSigned: boolean,
  typeName: string,
): void {
  const bits = BigInt(8 * size);
  const [low, high] = isSigned ? [-(1n << bits - 1n), 1n << bits - 1n] : [0n, 1n << bits];
  if (value < low || value >= high) {
    throw new WrongValueError(`${value} is not in [${low}, ${high}), the range of ${typeName}`);
  }
  for (let index = 0; index < size; index++) {
    view.setUint8(offset + index, Number(BigInt.asUintN(8, value >> BigInt(8 * index))));
  }
}

function writeBase(
  { name, encoding }: Extract<TypeRecord, { readonly kind: "base" }>,
  size: number,
  view: DataView,
  offset: number,
  value: unknown,
): void {
  if (encoding === "bool") {
    const text = `${value}`;
    if (text !== "true" && text !== "false") throw new WrongValueError(`'${text}' is neither true nor false`);
    return view.setUint8(offset, text === "true" ? 1 : 0);
  }
  if (encoding === "float" && (size === 4 || size === 8)) {
    const number = `${value}`.trim() === "" ? NaN : Number(value);
    if (Number.isNaN(number) && `${value}` !== "NaN") throw new WrongValueError(`'${value}' is not a number`);
    return size === 4 ? view.setFloat32(offset, number, true) : view.setFloat64(offset, number, true);
  }
  if (size > 8 || (encoding !== "signed" && encoding !== "unsigned" && encoding !== "char")) {
    throw new WrongValueError(`there is no way to write ${name}`);
  }
  const isCharacter = name === "char" && typeof value === "string" && /^[\x20-\x7e]$/.test(value) &&
    !/\d/.test(value);
  const number = isCharacter ? BigInt(value.charCodeAt(0)) : integerOf(value);
  writeInteger(view, offset, size, number, encoding === "signed", name);
}

function writeArray(
  types: Types,
  element: number,
  size: number,
  view: DataView,
  offset: number,
  value: unknown,
): void {
  const step = sizeOf(types, element) ?? 0;
  const type = types[bareType(types, element)];
  const isText = type?.kind === "base" && type.name === "char" && typeof value === "string";
  const items: unknown = isText
    ? [...new TextEncoder().encode(value)].map((byte) => byte << 24 >> 24)
    : value;
  if (!Array.isArray(items)) throw new WrongValueError(`'${JSON.stringify(value)}' is not a list`);
  if (items.length * step > size) {
    throw new WrongValueError(`${items.length} elements are more than ${size / step}`);
  }
  if (isText && type.encoding !== "signed") {
    items.forEach((item, index) => view.setUint8(offset + index, item & 0xff));
  } else items.forEach((item, index) => writeValue(types, element, view, offset + index * step, item));
}

function writeRecord(types: Types, type: RecordType, view: DataView, offset: number, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WrongValueError(`${JSON.stringify(value)} is not an object of fields`);
  }
  for (const [name, item] of Object.entries(value)) {
    const field = fieldOf(types, type, name, 0);
    if (field === undefined) {
      const names = type.fields.filter(({ name, bits }) => name !== "" && bits === undefined).map((
        { name },
      ) => name);
      throw new WrongValueError(
        `there is no field '${name}'${didYouMean(nearestWord(name, names))}; the fields are ${
          names.join(", ")
        }`,
      );
    }
    writeValue(types, field.type, view, offset + field.offset, item);
  }
}

/** Finds a field, in base classes and unnamed members, too. */
function fieldOf(
  types: Types,
  type: RecordType,
  name: string,
  depth: number,
): { readonly type: number; readonly offset: number } | undefined {
  for (const field of type.fields) if (field.name === name && field.bits === undefined) return field;
  const inner = [...type.fields.filter((field) => field.name === ""), ...type.bases];
  for (const { type: id, offset } of depth < 8 ? inner : []) {
    const part = types[bareType(types, id)];
    if (offset === undefined || !isRecord(part)) continue;
    const found = fieldOf(types, part, name, depth + 1);
    if (found !== undefined) return { type: found.type, offset: offset + found.offset };
  }
  return undefined;
}
