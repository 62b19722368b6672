/**
 * The types of a module as plain records that refer to each other by number. Number 0 is `void`.
 */

/** How the bits of a base type are read. */
export type BaseEncoding = "signed" | "unsigned" | "float" | "bool" | "char" | "complex" | "other";

/** A field of a struct, a union or a class. */
export interface TypeField {
  /** The name; empty for an anonymous struct or union. */
  readonly name: string;
  /** The number of its type. */
  readonly type: number;
  /** Offset in bytes; for a bit-field, that of the byte that holds its first bit. */
  readonly offset: number;
  /** For a bit-field: the first bit, counted from `offset` and from the lowest bit, and how many there are. */
  readonly bits?: readonly [first: number, count: number];
}

/** A base class. */
export interface TypeBase {
  /** The number of its type. */
  readonly type: number;
  /** Offset in bytes; undefined for a virtual base, whose place the object itself says. */
  readonly offset: number | undefined;
}

/** A parameter of a function. */
export interface TypeParameter {
  /** The name; empty if the source gives none. */
  readonly name: string;
  /** The number of its type. */
  readonly type: number;
}

/** An integer, a float, a bool or a character. */
export interface BaseType {
  /** The kind of record. */
  readonly kind: "base";
  /** The name in the source, such as `unsigned int`. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** How its bits are read. */
  readonly encoding: BaseEncoding;
}

/** A pointer, a C++ reference, or a qualified type. */
export interface DerivedType {
  /** The kind of record. */
  readonly kind: "pointer" | "reference" | "rvalue-reference" | "const" | "volatile" | "restrict" | "atomic";
  /** The number of the type that it points to or qualifies. */
  readonly to: number;
}

/** A name for another type. */
export interface NamedType {
  /** The kind of record. */
  readonly kind: "typedef";
  /** The name. */
  readonly name: string;
  /** The number of the type that it names. */
  readonly to: number;
}

/** An array, or a vector of SIMD registers; an array of several dimensions is an array of arrays. */
export interface ArrayType {
  /** The kind of record. */
  readonly kind: "array" | "vector";
  /** The number of the elements' type. */
  readonly of: number;
  /** The number of elements; undefined if the type leaves it open. */
  readonly count: number | undefined;
}

/** A struct, a union or a class; of Rust, also an enum with data. */
export interface RecordType {
  /** The kind of record. */
  readonly kind: "struct" | "union" | "class";
  /** The name; empty if it has none. */
  readonly name: string;
  /** Size in bytes; undefined if the type is declared only. */
  readonly size: number | undefined;
  /** Whether its copies need code: it has a destructor, a copy constructor or virtual functions. */
  readonly nontrivial: boolean;
  /** Whether it holds one of several variants, as Rust's enums with data do; `fields` then lists none of them. */
  readonly variants: boolean;
  /** The base classes. */
  readonly bases: readonly TypeBase[];
  /** The fields. */
  readonly fields: readonly TypeField[];
}

/** An enumeration. */
export interface EnumType {
  /** The kind of record. */
  readonly kind: "enum";
  /** The name; empty if it has none. */
  readonly name: string;
  /** Size in bytes; undefined if the type is declared only. */
  readonly size: number | undefined;
  /** The number of the integer type that holds it; 0 if that is not known. */
  readonly underlying: number;
  /** The names and values, as the underlying type holds them. */
  readonly enumerators: readonly { readonly name: string; readonly value: number | bigint }[];
}

/** A function. */
export interface FunctionType {
  /** The kind of record. */
  readonly kind: "function";
  /** The number of the result's type. */
  readonly result: number;
  /** The parameters. */
  readonly parameters: readonly TypeParameter[];
  /** Whether further arguments may follow. */
  readonly variadic: boolean;
  /** Whether the source says the parameters; `int f()` of C does not. */
  readonly prototyped: boolean;
}

/** A C++ pointer to a member. */
export interface MemberPointerType {
  /** The kind of record. */
  readonly kind: "member-pointer";
  /** The number of the member's type. */
  readonly to: number;
  /** The number of the class. */
  readonly of: number;
}

/** A type that only its name tells, such as C++'s `decltype(nullptr)`. */
export interface UnknownType {
  /** The kind of record. */
  readonly kind: "unknown";
  /** The name, or what the compiler calls it. */
  readonly name: string;
}

/** A type. */
export type TypeRecord =
  | BaseType
  | DerivedType
  | NamedType
  | ArrayType
  | RecordType
  | EnumType
  | FunctionType
  | MemberPointerType
  | UnknownType;

/** The type of what is at an address of the module's image. */
export interface TypedAddress {
  /** Offset in the image. */
  readonly address: number;
  /** The number of its type. */
  readonly type: number;
}

/** Types, and what has them. */
export interface TypeGraph {
  /** The types by number; the first is not used, because 0 is `void`. */
  readonly types: readonly (TypeRecord | undefined)[];
  /** The functions and variables that have a type, by address, ascending. */
  readonly typed: readonly TypedAddress[];
}

/** Calls `visit` with each type that a type contains: whose layout is part of its own. */
export function forContained(type: TypeRecord, visit: (type: number) => void): void {
  switch (type.kind) {
    case "const":
    case "volatile":
    case "restrict":
    case "atomic":
    case "typedef":
      return visit(type.to);
    case "array":
    case "vector":
      return visit(type.of);
    case "enum":
      return visit(type.underlying);
    case "struct":
    case "union":
    case "class":
      for (const base of type.bases) visit(base.type);
      for (const field of type.fields) visit(field.type);
  }
}

/** Calls `visit` with each type that a type mentions without containing it. */
export function forMentioned(type: TypeRecord, visit: (type: number) => void): void {
  switch (type.kind) {
    case "pointer":
    case "reference":
    case "rvalue-reference":
      return visit(type.to);
    case "member-pointer":
      visit(type.to);
      return visit(type.of);
    case "function":
      visit(type.result);
      for (const parameter of type.parameters) visit(parameter.type);
  }
}

/** Returns a copy whose references are numbered anew. */
export function renumber(type: TypeRecord, number: (type: number) => number): TypeRecord {
  switch (type.kind) {
    case "base":
    case "unknown":
      return type;
    case "array":
    case "vector":
      return { ...type, of: number(type.of) };
    case "enum":
      return { ...type, underlying: number(type.underlying) };
    case "member-pointer":
      return { ...type, to: number(type.to), of: number(type.of) };
    case "function":
      return {
        ...type,
        result: number(type.result),
        parameters: type.parameters.map(({ name, type }) => ({ name, type: number(type) })),
      };
    case "struct":
    case "union":
    case "class":
      return {
        ...type,
        bases: type.bases.map((base) => ({ ...base, type: number(base.type) })),
        fields: type.fields.map((field) => ({ ...field, type: number(field.type) })),
      };
    default:
      return { ...type, to: number(type.to) };
  }
}
