/**
 * Writes types as the bytes of a TypeInfo section.
 */
import { ENCODINGS, FunctionFlag, KINDS, MAGIC, RecordFlag } from "./encoding.ts";
import type { Integer } from "./integer.ts";
import type { RecordType, TypeGraph, TypeRecord } from "./model.ts";

/** Writes the bytes; the same types make the same bytes. */
export function encodeTypes({ types, typed }: TypeGraph): Uint8Array<ArrayBuffer> {
  const names = new Names();
  const body = new Writer();
  body.unsigned(types.length - 1);
  for (let id = 1; id < types.length; id++) writeType(body, names, types[id]!);
  body.unsigned(typed.length);
  let last = 0;
  for (const { address, type } of typed) {
    body.unsigned(address - last);
    body.unsigned(type);
    last = address;
  }
  const file = new Writer();
  for (const byte of MAGIC) file.byte(byte);
  names.writeTo(file);
  file.bytes(body.finish());
  return file.finish();
}

/** Collects names, each once, in the order of their first use. */
class Names {
  readonly #numbers: Map<string, number> = new Map();

  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  writeTo(writer: Writer): void {
    const bytes = new TextEncoder().encode([...this.#numbers.keys()].map((name) => `${name}\0`).join(""));
    writer.unsigned(this.#numbers.size);
    writer.unsigned(bytes.length);
    writer.bytes(bytes);
  }
}

function writeType(out: Writer, names: Names, type: TypeRecord): void {
  out.byte(KINDS.indexOf(type.kind));
  switch (type.kind) {
    case "base":
      out.unsigned(names.number(type.name));
      out.unsigned(type.size);
      return out.byte(ENCODINGS.indexOf(type.encoding));
    case "typedef":
      out.unsigned(names.number(type.name));
      return out.unsigned(type.to);
    case "unknown":
      return out.unsigned(names.number(type.name));
    case "array":
    case "vector":
      out.unsigned(type.of);
      return out.unsigned(type.count === undefined ? 0 : type.count + 1);
    case "enum": {
      out.unsigned(names.number(type.name));
      out.unsigned(type.size === undefined ? 0 : type.size + 1);
      out.unsigned(type.underlying);
      out.unsigned(type.enumerators.length);
      for (const { name, value } of type.enumerators) {
        out.unsigned(names.number(name));
        out.signed(value);
      }
      return;
    }
    case "function":
      out.byte((type.variadic ? FunctionFlag.VARIADIC : 0) | (type.prototyped ? FunctionFlag.PROTOTYPED : 0));
      out.unsigned(type.result);
      out.unsigned(type.parameters.length);
      for (const parameter of type.parameters) {
        out.unsigned(names.number(parameter.name));
        out.unsigned(parameter.type);
      }
      return;
    case "member-pointer":
      out.unsigned(type.to);
      return out.unsigned(type.of);
    case "struct":
    case "union":
    case "class":
      return writeRecord(out, names, type);
    default:
      return out.unsigned(type.to);
  }
}

function writeRecord(out: Writer, names: Names, type: RecordType): void {
  const hasBits = type.fields.some(({ bits }) => bits !== undefined);
  out.unsigned(names.number(type.name));
  out.byte(
    (type.nontrivial ? RecordFlag.NONTRIVIAL : 0) | (type.variants ? RecordFlag.VARIANTS : 0) |
      (type.bases.length > 0 ? RecordFlag.BASES : 0) | (hasBits ? RecordFlag.BITS : 0),
  );
  out.unsigned(type.size === undefined ? 0 : type.size + 1);
  if (type.bases.length > 0) {
    out.unsigned(type.bases.length);
    for (const base of type.bases) {
      out.unsigned(base.type);
      out.unsigned(base.offset === undefined ? 0 : base.offset + 1);
    }
  }
  out.unsigned(type.fields.length);
  let last = 0;
  for (const field of type.fields) {
    out.unsigned(names.number(field.name));
    out.unsigned(field.type);
    out.signed(field.offset - last);
    last = field.offset;
    if (!hasBits) continue;
    out.unsigned(field.bits?.[1] ?? 0);
    if (field.bits !== undefined) out.unsigned(field.bits[0]);
  }
}

/** Twice a smaller number is exact. */
const LARGEST_HALF = 2 ** 52;

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(values: Uint8Array): void {
    this.#grow(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** Writes seven bits a byte, the lowest first; all but the last byte have their highest bit set. */
  unsigned(value: number): void {
    while (value > 0x7f) {
      this.byte(0x80 | (value % 0x80));
      value = Math.floor(value / 0x80);
    }
    this.byte(value);
  }

  /** Writes 2v for v from 0 up, and -2v - 1 below. */
  signed(value: Integer): void {
    if (typeof value === "number" && Math.abs(value) < LARGEST_HALF) {
      return this.unsigned(value < 0 ? -2 * value - 1 : 2 * value);
    }
    let left = BigInt(value);
    left = left < 0n ? -2n * left - 1n : 2n * left;
    for (; left > 0x7fn; left >>= 7n) this.byte(0x80 | Number(left & 0x7fn));
    this.byte(Number(left));
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(by: number): void {
    if (this.#length + by <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + by));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
