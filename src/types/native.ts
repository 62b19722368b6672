/**
 * Types as calls by foreign function interfaces know them: words of some sizes, and structs of them.
 */
import { layoutOf } from "./definition_words.ts";
import { isSignedEnum } from "./kinds.ts";
import { bareType, elementsOf, MOST_DEPTH, sizeOf, type Types } from "./layout.ts";
import type { FunctionType, RecordType, TypeField } from "./model.ts";

/** A word's type, spelt as `Deno.NativeType` spells it. */
export type NativeWord =
  | "bool"
  | "i8"
  | "u8"
  | "i16"
  | "u16"
  | "i32"
  | "u32"
  | "i64"
  | "u64"
  | "f32"
  | "f64"
  | "pointer"
  | "function";

/** The type of a value: a word, or a struct by its fields in order. */
export type NativeValue = NativeWord | { readonly struct: readonly NativeValue[] };

/** A function's definition. */
export interface NativeFunction {
  /** The types of the parameters. */
  readonly parameters: readonly NativeValue[];
  /** The type of the result. */
  readonly result: NativeValue | "void";
}

/** Why something cannot be called or read. */
export interface NotNative {
  /** Such as `it is variadic` or `parameter 2 is long double`. */
  readonly reason: string;
}

/** More words than any call has: damaged types may claim any number. */
const MOST_WORDS = 1024;

/**
 * Returns the definition of a function, or the reason why it cannot be called. The type is that of a
 * definition, which lists all parameters even where C's older form, `int f()`, gives no prototype.
 */
export function nativeFunction(types: Types, type: FunctionType): NativeFunction | NotNative {
  if (type.variadic) return { reason: "it is variadic" };
  const parameters: NativeValue[] = [];
  for (const [index, parameter] of type.parameters.entries()) {
    const value = nativeValue(types, parameter.type);
    if (isReason(value)) return { reason: `parameter ${index + 1} ${value.reason}` };
    parameters.push(value);
  }
  if (types[bareType(types, type.result)] === undefined) return { parameters, result: "void" };
  const result = nativeValue(types, type.result);
  return isReason(result) ? { reason: `its result ${result.reason}` } : { parameters, result };
}

/** Returns the type of a value that is passed or returned, or the reason why it cannot be. */
export function nativeValue(types: Types, id: number): NativeValue | NotNative {
  return new Flattener(types).value(id, 0);
}

/** Tells reasons from results. */
export function isReason(value: NativeValue | NativeFunction | NotNative): value is NotNative {
  return typeof value === "object" && "reason" in value;
}

class Flattener {
  readonly #types: Types;
  #words = 0;

  constructor(types: Types) {
    this.#types = types;
  }

  value(id: number, depth: number): NativeValue | NotNative {
    const bare = bareType(this.#types, id);
    const type = this.#types[bare];
    if (depth > MOST_DEPTH || ++this.#words > MOST_WORDS) return { reason: "has too many parts" };
    switch (type?.kind) {
      case undefined:
        return { reason: "is void" };
      case "base":
        return word(type.name, type.encoding, type.size);
      case "enum": {
        const underlying = this.#types[bareType(this.#types, type.underlying)];
        if (underlying?.kind === "base") return word(type.name, underlying.encoding, underlying.size);
        if (type.size === undefined) return { reason: `is the enum ${type.name}, which is only declared` };
        return word(type.name, isSignedEnum(this.#types, type) ? "signed" : "unsigned", type.size);
      }
      case "pointer":
        return this.#types[bareType(this.#types, type.to)]?.kind === "function" ? "function" : "pointer";
      case "reference":
      case "rvalue-reference":
        return "pointer";
      case "struct":
      case "class":
        return this.#struct(type, depth);
      case "union":
        return { reason: `is the union ${type.name || "without a name"}, by value` };
      case "array":
        return { reason: "is an array, by value" };
      case "vector":
        return { reason: "is a vector of SIMD registers" };
      case "member-pointer":
        return { reason: "is a pointer to a member" };
      default:
        return { reason: `is ${(type as { name?: string }).name || `a ${type?.kind}`}` };
    }
  }

  #struct(type: RecordType, depth: number): NativeValue | NotNative {
    const label = `is ${type.kind} ${type.name}`.trimEnd();
    if (type.size === undefined) return { reason: `${label}, which is only declared` };
    if (type.nontrivial) return { reason: `${label}, whose copies need code of C++` };
    if (type.variants) return { reason: `${label}, an enum with data` };
    const fields: NativeValue[] = [];
    /** The end of the fields so far, as a compiler lays them out that knows nothing of their source. */
    let end = 0;
    let largest = 1;
    for (const field of fieldsByOffset(type)) {
      if (field.bits !== undefined) return { reason: `${label}, which has bit-fields, by value` };
      const { of, count } = elementsOf(this.#types, field.type);
      if (count === undefined) return { reason: `${label}, whose size is open` };
      if (count === 0) continue;
      const value = this.value(of, depth + 1);
      if (isReason(value)) {
        return { reason: `${label}, whose field ${field.name || "without a name"} ${value.reason}` };
      }
      const { size, alignment } = layoutOf(value);
      end = Math.ceil(end / alignment) * alignment;
      if (end !== field.offset || sizeOf(this.#types, of) !== size) {
        return { reason: `${label}, which is packed or aligned in its own way` };
      }
      this.#words += count;
      if (this.#words > MOST_WORDS) return { reason: `${label}, which has too many parts` };
      for (let i = 0; i < count; i++) fields.push(value);
      end += size * count;
      largest = Math.max(largest, alignment);
    }
    if (fields.length === 0) return { reason: `${label}, which has no fields` };
    if (Math.ceil(end / largest) * largest !== type.size) {
      return { reason: `${label}, which is packed or aligned in its own way` };
    }
    return { struct: fields };
  }
}

/** Lists fields and base classes in the order of their places; Rust reorders fields. */
function fieldsByOffset(type: RecordType): readonly TypeField[] {
  const bases = type.bases.map((base) => ({
    name: "of its base",
    type: base.type,
    offset: base.offset ?? -1,
  }));
  return [...bases, ...type.fields].sort((a, b) => a.offset - b.offset);
}

function word(name: string, encoding: string, size: number): NativeWord | NotNative {
  if (encoding === "bool" && size === 1) return "bool";
  if (encoding === "float" && size === 4) return "f32";
  if (encoding === "float" && size === 8) return "f64";
  const isInteger = encoding === "signed" || encoding === "unsigned" || encoding === "char";
  if (isInteger && (size === 1 || size === 2 || size === 4 || size === 8)) {
    return `${encoding === "signed" ? "i" : "u"}${size * 8}` as NativeWord;
  }
  return { reason: `is ${name}` };
}
