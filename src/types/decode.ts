/**
 * Reads the bytes of a TypeInfo section. Each record has a byte at least, so time and memory are bounded
 * by the number of bytes.
 */
import { LoadError } from "../errors/load_error.ts";
import { ENCODINGS, FunctionFlag, KINDS, MAGIC, RecordFlag } from "./encoding.ts";
import { type Integer, integer } from "./integer.ts";
import {
  type EnumType,
  forContained,
  forMentioned,
  type FunctionType,
  type RecordType,
  type TypeField,
  type TypeGraph,
  type TypeRecord,
} from "./model.ts";
import { TypedAddresses } from "./typed_addresses.ts";

/** Numbers may have bytes that add nothing, but not without end: the factor of the last byte. */
const MOST_FACTOR = 2 ** 65;
/** Bytes of this factor and below make a number that is exact. */
const EXACT_FACTOR = 2 ** 42;
/** Values of enumerations have at most 128 bits; they are written as twice themselves. */
const WIDEST = 1n << 129n;

/** The types of a section, decoded. */
export interface DecodedTypes {
  readonly types: readonly (TypeRecord | undefined)[];
  readonly typed: TypedAddresses;
  /** The bytes from the start of the section that tell the types, without their addresses. */
  readonly recordsLength: number;
}

/** A section of types that was decoded before: of the version before, in most cases. */
export interface KnownTypes {
  readonly decoded: DecodedTypes;
  readonly bytes: Uint8Array;
}

/** Reads and checks the types. Offsets in errors count from the start of the bytes. */
export function decodeTypes(bytes: Uint8Array): TypeGraph {
  const { types, typed } = decodeTables(bytes);
  return {
    types,
    typed: Array.from(typed.addresses, (address, index) => ({ address, type: typed.types[index] })),
  };
}

/**
 * Like {@linkcode decodeTypes}, with the addresses in typed arrays.
 *
 * @param known If its types have the same bytes, they are taken from there; addresses may differ.
 */
export function decodeTables(bytes: Uint8Array, known?: KnownTypes): DecodedTypes {
  if (known?.bytes.length === bytes.length && isSame(bytes, known.bytes, bytes.length)) return known.decoded;
  return new Decoder(bytes).read(known);
}

/** Whether two arrays begin with the same bytes. */
function isSame(left: Uint8Array, right: Uint8Array, length: number): boolean {
  if (left.length < length || right.length < length) return false;
  for (let at = 0; at < length; at++) if (left[at] !== right[at]) return false;
  return true;
}

class Decoder {
  readonly #bytes: Uint8Array;
  #at = 0;
  #names: readonly string[] = [];
  /** The number of types, `void` included. */
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(known?: KnownTypes): DecodedTypes {
    const types = (known && this.#knownTypes(known)) ?? this.#readTypes();
    const recordsLength = this.#at;
    return { types, typed: this.#readAddresses(), recordsLength };
  }

  #knownTypes({ decoded: { types, recordsLength }, bytes }: KnownTypes): DecodedTypes["types"] | undefined {
    if (!isSame(this.#bytes, bytes, recordsLength)) return undefined;
    this.#at = recordsLength;
    this.#count = types.length;
    return types;
  }

  #readTypes(): DecodedTypes["types"] {
    for (const byte of MAGIC) {
      if (this.#byte() !== byte) {
        throw this.#refuse("it does not begin with SMFT and the version 1", this.#at - 1);
      }
    }
    this.#names = this.#readNames();
    this.#count = this.#length("types") + 1;
    const types: (TypeRecord | undefined)[] = [undefined];
    for (let id = 1; id < this.#count; id++) {
      const start = this.#at;
      const type = this.#type();
      forContained(type, (part) => {
        if (part >= id) throw this.#refuse("a type contains one that comes behind it", start);
      });
      forMentioned(type, (other) => {
        if (other >= this.#count) throw this.#refuse("a type refers to one that does not exist", start);
      });
      types.push(type);
    }
    return types;
  }

  #readAddresses(): TypedAddresses {
    const count = this.#length("addresses");
    const addresses = new Float64Array(count), types = new Uint32Array(count);
    let address = 0;
    for (let index = 0; index < count; index++) {
      const step = this.#unsigned();
      const type = this.#unsigned();
      if (index > 0 && step === 0) throw this.#refuse("an address has two types", this.#at);
      if (type === 0 || type >= this.#count) {
        throw this.#refuse("an address has a type that does not exist", this.#at);
      }
      address += step;
      if (!Number.isSafeInteger(address)) throw this.#refuse("an address is above 2^53 - 1", this.#at);
      addresses[index] = address;
      types[index] = type;
    }
    if (this.#at !== this.#bytes.length) throw this.#refuse("bytes follow the last record", this.#at);
    return new TypedAddresses(addresses, types);
  }

  #readNames(): string[] {
    const count = this.#length("names");
    const length = this.#unsigned();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw this.#refuse("the names pass the end of the section", this.#at);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.subarray(this.#at, end),
      );
    } catch {
      throw this.#refuse("a name is not UTF-8", this.#at);
    }
    const names = text.split("\0");
    if (names.pop() !== "" || names.length !== count) {
      throw this.#refuse("the names are not as many as it says", this.#at);
    }
    this.#at = end;
    return names;
  }

  #type(): TypeRecord {
    const start = this.#at;
    const kind = KINDS[this.#byte()];
    switch (kind) {
      case undefined:
        throw this.#refuse("the kind of a type is unknown", start);
      case "base": {
        const name = this.#name();
        const size = this.#unsigned();
        const encoding = ENCODINGS[this.#byte()];
        if (encoding === undefined) throw this.#refuse("the encoding of a type is unknown", start);
        return { kind, name, size, encoding };
      }
      case "typedef":
        return { kind, name: this.#name(), to: this.#unsigned() };
      case "unknown":
        return { kind, name: this.#name() };
      case "array":
      case "vector":
        return { kind, of: this.#unsigned(), count: this.#optional() };
      case "member-pointer":
        return { kind, to: this.#unsigned(), of: this.#unsigned() };
      case "enum":
        return this.#enum();
      case "function":
        return this.#function();
      case "struct":
      case "union":
      case "class":
        return this.#record(kind);
      default:
        return { kind, to: this.#unsigned() };
    }
  }

  #enum(): EnumType {
    const [name, size, underlying] = [this.#name(), this.#optional(), this.#unsigned()];
    const enumerators: { name: string; value: Integer }[] = [];
    for (let left = this.#length("enumerators"); left > 0; left--) {
      enumerators.push({ name: this.#name(), value: this.#value() });
    }
    return { kind: "enum", name, size, underlying, enumerators };
  }

  #function(): FunctionType {
    const flags = this.#byte();
    const result = this.#unsigned();
    const parameters: { name: string; type: number }[] = [];
    for (let left = this.#length("parameters"); left > 0; left--) {
      parameters.push({ name: this.#name(), type: this.#unsigned() });
    }
    const has = (flag: number): boolean => (flags & flag) !== 0;
    return {
      kind: "function",
      result,
      parameters,
      variadic: has(FunctionFlag.VARIADIC),
      prototyped: has(FunctionFlag.PROTOTYPED),
    };
  }

  #record(kind: RecordType["kind"]): RecordType {
    const name = this.#name();
    const flags = this.#byte();
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const size = this.#optional();
    const bases: { type: number; offset: number | undefined }[] = [];
    for (let left = has(RecordFlag.BASES) ? this.#length("bases") : 0; left > 0; left--) {
      bases.push({ type: this.#unsigned(), offset: this.#optional() });
    }
    const fields: TypeField[] = [];
    let offset = 0;
    for (let left = this.#length("fields"); left > 0; left--) {
      const [name, type] = [this.#name(), this.#unsigned()];
      offset += this.#signed();
      if (!Number.isSafeInteger(offset)) throw this.#refuse("an offset is beyond 2^53 - 1", this.#at);
      const count = has(RecordFlag.BITS) ? this.#unsigned() : 0;
      const bits = count > 0 ? [this.#unsigned(), count] as const : undefined;
      fields.push({ name, type, offset, ...(bits !== undefined && { bits }) });
    }
    const [nontrivial, variants] = [has(RecordFlag.NONTRIVIAL), has(RecordFlag.VARIANTS)];
    return { kind, name, size, nontrivial, variants, bases, fields };
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw this.#refuse("it ends inside a record", this.#at);
    return this.#bytes[this.#at++];
  }

  #unsigned(): number {
    const start = this.#at;
    let value = 0;
    for (let factor = 1;; factor *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw this.#refuse("a number is above 2^53 - 1", start);
      if (byte < 0x80) return value;
      if (factor > MOST_FACTOR) throw this.#refuse("a number has too many bytes", start);
    }
  }

  #signed(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Reads the value of an enumerator, a signed number of any size. */
  #value(): Integer {
    const start = this.#at;
    let low = 0;
    for (let factor = 1; factor <= EXACT_FACTOR; factor *= 0x80) {
      const byte = this.#byte();
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
    }
    let value = BigInt(low);
    for (let shift = 49n;; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (value >= WIDEST || shift > 129n) throw this.#refuse("a value has more than 128 bits", start);
      if (byte < 0x80) break;
    }
    return integer((value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n));
  }

  /** Reads a number that may be absent. */
  #optional(): number | undefined {
    const value = this.#unsigned();
    return value === 0 ? undefined : value - 1;
  }

  #name(): string {
    const start = this.#at;
    const name = this.#names[this.#unsigned()];
    if (name === undefined) throw this.#refuse("a name does not exist", start);
    return name;
  }

  /** Reads how many records follow, which have a byte each at least. */
  #length(subject: string): number {
    const start = this.#at;
    const count = this.#unsigned();
    if (count > this.#bytes.length - this.#at) throw this.#refuse(`it cannot hold so many ${subject}`, start);
    return count;
  }

  #refuse(problem: string, offset: number): LoadError {
    return new LoadError("InvalidFormat", `Cannot read types: ${problem}`, { offset });
  }
}
