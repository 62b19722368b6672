/**
 * Values in memory as text and as JSON, by their types.
 */
import { isSignedEnum } from "../../types/kinds.ts";
import { bareType, MOST_DEPTH, sizeOf, type Types } from "../../types/layout.ts";
import type { EnumType, RecordType } from "../../types/model.ts";
import { hex } from "../../errors/load_error.ts";
import { hexBytes } from "../../smf/hex_bytes.ts";

/** A value in two forms: as text to be read, and as JSON. */
export interface ShownValue {
  readonly text: string;
  /** Numbers that JSON has no exact form for are strings; of an enumeration, `{ name, value }`. */
  readonly json: unknown;
}

/** Shows the value of a type at an offset; the memory must hold all of it. */
export function showValue(types: Types, id: number, view: DataView, offset = 0, depth = 0): ShownValue {
  const type = types[bareType(types, id)];
  const size = sizeOf(types, id) ?? 0;
  if (depth > MOST_DEPTH || offset < 0 || offset + size > view.byteLength) return same("...");
  switch (type?.kind) {
    case "base":
      return showBase(type.name, type.encoding, size, view, offset);
    case "enum":
      return showEnum(types, type, view, offset);
    case "pointer":
    case "reference":
    case "rvalue-reference": {
      const address = view.getBigUint64(offset, true);
      return same(address === 0n ? "NULL" : hex(address));
    }
    case "array": {
      const element = types[bareType(types, type.of)];
      if (element?.kind === "base" && element.name === "char") return showText(view, offset, size);
      const step = sizeOf(types, type.of) ?? 0;
      const items = Array.from(
        { length: step === 0 ? 0 : size / step },
        (_, index) => showValue(types, type.of, view, offset + index * step, depth + 1),
      );
      return { text: `[${items.map(({ text }) => text).join(", ")}]`, json: items.map(({ json }) => json) };
    }
    case "struct":
    case "union":
    case "class":
      return showRecord(types, type, view, offset, depth);
    default:
      return showBytes(view, offset, size);
  }
}

function same(text: string): ShownValue {
  return { text, json: text };
}

function showBytes(view: DataView, offset: number, size: number): ShownValue {
  return same(hexBytes(new Uint8Array(view.buffer, view.byteOffset + offset, size), " "));
}

/** Shows a number; JSON has it as a string if it is above 2^53, or not finite. */
function number(value: number | bigint): ShownValue {
  const fits = typeof value === "number"
    ? Number.isFinite(value)
    : value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return { text: `${value}`, json: fits ? Number(value) : `${value}` };
}

function showBase(name: string, encoding: string, size: number, view: DataView, offset: number): ShownValue {
  if (encoding === "float" && size === 4) return number(view.getFloat32(offset, true));
  if (encoding === "float" && size === 8) return number(view.getFloat64(offset, true));
  if (encoding === "float" || encoding === "complex" || encoding === "other" || size > 8 || size < 1) {
    return showBytes(view, offset, size);
  }
  const value = integerAt(view, offset, size, encoding === "signed");
  if (encoding === "bool") return { text: `${value !== 0n}`, json: value !== 0n };
  const shown = number(value);
  const isText = name === "char" && value >= 0x20n && value < 0x7fn;
  return isText ? { ...shown, text: `${value} '${String.fromCharCode(Number(value))}'` } : shown;
}

/** Reads an integer of up to eight bytes. */
function integerAt(view: DataView, offset: number, size: number, isSigned: boolean): bigint {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = value << 8n | BigInt(view.getUint8(offset + index));
  return isSigned ? BigInt.asIntN(8 * size, value) : value;
}

function showEnum(types: Types, type: EnumType, view: DataView, offset: number): ShownValue {
  return enumValue(type, integerAt(view, offset, type.size ?? 0, isSignedEnum(types, type)));
}

function enumValue(type: EnumType, value: bigint): ShownValue {
  const shown = number(value);
  const name = type.enumerators.find((item) => BigInt(item.value) === value)?.name;
  return name === undefined ? shown : { text: `${name} (${value})`, json: { name, value: shown.json } };
}

/** Shows characters up to the first NUL. */
function showText(view: DataView, offset: number, size: number): ShownValue {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size);
  const end = bytes.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  return { text: JSON.stringify(text), json: text };
}

function showRecord(
  types: Types,
  type: RecordType,
  view: DataView,
  offset: number,
  depth: number,
): ShownValue {
  if (type.fields.length === 0 && type.bases.length === 0) return showBytes(view, offset, type.size ?? 0);
  const texts: string[] = [];
  const json: Record<string, unknown> = Object.create(null);
  const add = (name: string, { text, json: value }: ShownValue): void => {
    texts.push(name === "" ? text : `${name}: ${text}`);
    if (name !== "") json[name] = value;
    // The fields of unnamed members belong to the record itself.
    else if (typeof value === "object") Object.assign(json, value);
  };
  for (const base of type.bases) {
    if (base.offset !== undefined) {
      add("", showValue(types, base.type, view, offset + base.offset, depth + 1));
    }
  }
  for (const { name, type: id, offset: at, bits } of type.fields) {
    add(
      name,
      bits === undefined
        ? showValue(types, id, view, offset + at, depth + 1)
        : showBits(types, id, view, offset + at, bits),
    );
  }
  return { text: `{${texts.join(", ")}}`, json };
}

function showBits(
  types: Types,
  id: number,
  view: DataView,
  offset: number,
  [first, count]: readonly [number, number],
): ShownValue {
  const size = Math.ceil((first + count) / 8);
  if (count > 64 || offset + size > view.byteLength) return same("...");
  const raw = BigInt.asUintN(count, integerAt(view, offset, size, false) >> BigInt(first));
  const type = types[bareType(types, id)];
  if (type?.kind === "enum") {
    return enumValue(type, isSignedEnum(types, type) ? BigInt.asIntN(count, raw) : raw);
  }
  if (type?.kind !== "base") return number(raw);
  if (type.encoding === "bool") return { text: `${raw !== 0n}`, json: raw !== 0n };
  return number(type.encoding === "signed" ? BigInt.asIntN(count, raw) : raw);
}
