/**
 * The types that a module keeps, in the form of `smf inspect --types --json`.
 */
import type { ParsedSmf } from "../../smf/file.ts";
import type { ModuleTypes } from "../../smf/types.ts";
import { sizeOf } from "../../types/layout.ts";
import type { TypeField, TypeRecord } from "../../types/model.ts";

/** A type by its number. */
export interface ListedType {
  readonly id: number;
  readonly kind: TypeRecord["kind"];
  /** The type in C. */
  readonly declaration: string;
  /** Size in bytes; undefined if it has none, or the module does not say. */
  readonly size?: number;
  /** The hash of its layout; undefined if it has no size. */
  readonly layoutHash?: string;
  readonly fields?: readonly ListedField[];
  readonly bases?: readonly {
    readonly type: number;
    readonly declaration: string;
    readonly offset?: number;
  }[];
  /** Values above 2^53 - 1 are decimal strings. */
  readonly enumerators?: readonly { readonly name: string; readonly value: number | string }[];
  /** The number of the type that it points to, qualifies or names. */
  readonly to?: number;
  /** The number of its elements' type, or of the class that a pointer to a member belongs to. */
  readonly of?: number;
  readonly count?: number;
  readonly result?: number;
  readonly parameters?: readonly { readonly name: string; readonly type: number }[];
  readonly variadic?: boolean;
}

/** A field of a struct, a union or a class. */
export interface ListedField {
  readonly name: string;
  readonly type: number;
  readonly declaration: string;
  readonly offset: number;
  readonly bits?: readonly [first: number, count: number];
}

/** A symbol that has a type. */
export interface TypedSymbol {
  readonly name: string;
  readonly value: number;
  readonly type: number;
  readonly declaration: string;
}

/** All types of a module, and what has which. */
export interface TypeListing {
  readonly types: readonly ListedType[];
  readonly typed: readonly TypedSymbol[];
}

/** Lists the types of a module by number, and its symbols that have one by name. */
export function listTypes(module: ParsedSmf, types: ModuleTypes): TypeListing {
  return {
    types: types.types.flatMap((record, id) => record === undefined ? [] : [listedType(types, record, id)]),
    typed: [...module.symbols].flatMap((symbol) => {
      const type = declarableType(types, symbol);
      if (type === undefined || !module.isDefined(symbol.index)) return [];
      const { name, value } = symbol;
      return [{ name, value, type, declaration: types.declaration(name, type) }];
    }).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  };
}

/** Returns the number of a symbol's type; none for names of sections, which share the address of a variable. */
export function declarableType(
  types: ModuleTypes,
  symbol: Parameters<ModuleTypes["of"]>[0] & { readonly name: string },
): number | undefined {
  return symbol.name.startsWith(".") ? undefined : types.of(symbol);
}

function listedType(types: ModuleTypes, record: TypeRecord, id: number): ListedType {
  const size = sizeOf(types.types, id);
  const listed = {
    id,
    kind: record.kind,
    declaration: types.declaration("", id),
    ...(size !== undefined && { size, layoutHash: types.layoutHash(id) ?? "" }),
  };
  switch (record.kind) {
    case "struct":
    case "union":
    case "class":
      return {
        ...listed,
        fields: record.fields.map((field) => ({ ...field, declaration: fieldText(types, field) })),
        ...(record.bases.length > 0 && {
          bases: record.bases.map(({ type, offset }) => ({
            type,
            declaration: types.declaration("", type),
            ...(offset !== undefined && { offset }),
          })),
        }),
      };
    case "enum":
      return {
        ...listed,
        enumerators: record.enumerators.map(({ name, value }) => ({
          name,
          value: typeof value === "number" ? value : `${value}`,
        })),
      };
    case "array":
    case "vector":
      return { ...listed, of: record.of, ...(record.count !== undefined && { count: record.count }) };
    case "function": {
      const { result, parameters, variadic } = record;
      return { ...listed, result, parameters, variadic };
    }
    case "member-pointer":
      return { ...listed, to: record.to, of: record.of };
    case "base":
    case "unknown":
      return listed;
    default:
      return { ...listed, to: record.to };
  }
}

function fieldText(types: ModuleTypes, { name, type, bits }: TypeField): string {
  const text = types.declaration(name, type);
  return bits === undefined ? text : `${text} : ${bits[1]}`;
}
