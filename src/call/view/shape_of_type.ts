/**
 * From the types that a module keeps to the shapes of its variables.
 */

import { LoadError } from "../../errors/load_error.ts";
import { isCharacter, isRecord, isSignedEnum } from "../../types/kinds.ts";
import { bareType, sizeOf, type Types } from "../../types/layout.ts";
import type { BaseType, EnumType, RecordType, TypeField } from "../../types/model.ts";
import { type BitsShape, type FieldShape, rowOf, type Shape, type Word, WORDS } from "./shape.ts";

/** More fields than any program reads by name: nested unnamed structs can multiply without end. */
const MOST_FIELDS = 10_000;

/**
 * Returns the shape of a variable.
 *
 * @param id The number of its type.
 * @param size The variable's size in bytes, which settles the length of an array that the type leaves open.
 * @returns undefined if the module does not tell the type's size.
 * @throws {LoadError} `Unsupported` if a struct has too many fields.
 */
export function shapeOfType(types: Types, id: number, size: number): Shape | undefined {
  return new Shapes(types).of(id, size);
}

class Shapes {
  readonly #types: Types;
  /** Types that many variables and fields share. */
  readonly #known = new Map<number, Shape | undefined>();

  constructor(types: Types) {
    this.#types = types;
  }

  of(id: number, size?: number): Shape | undefined {
    const bare = bareType(this.#types, id);
    if (!this.#known.has(bare)) this.#known.set(bare, this.#make(bare, size));
    return this.#known.get(bare);
  }

  #make(id: number, size: number | undefined): Shape | undefined {
    const type = this.#types[id];
    switch (type?.kind) {
      case "base":
        return wordOf(type) ?? { kind: "bytes", size: type.size };
      case "enum":
        return this.#enum(type);
      case "pointer":
      case "reference":
      case "rvalue-reference":
        return WORDS.pointer;
      case "array":
      case "vector":
        return this.#array(type.of, type.count, size);
      case "struct":
      case "union":
      case "class":
        return this.#struct(type);
      default: {
        const size = sizeOf(this.#types, id);
        return size === undefined ? undefined : { kind: "bytes", size };
      }
    }
  }

  #enum(type: EnumType): Shape | undefined {
    const underlying = this.#types[bareType(this.#types, type.underlying)];
    if (underlying?.kind === "base") return wordOf(underlying);
    if (type.size === undefined) return undefined;
    return integerOf(type.size, isSignedEnum(this.#types, type));
  }

  #array(element: number, count: number | undefined, size: number | undefined): Shape | undefined {
    const of = this.of(element);
    if (of === undefined) return undefined;
    const room = size === undefined || of.size === 0 ? 0 : Math.floor(size / of.size);
    const length = count ?? room;
    return isCharacter(this.#types, element) ? { kind: "text", size: length } : rowOf(of, length);
  }

  #struct(type: RecordType): Shape | undefined {
    const { size, name } = type;
    if (size === undefined) return undefined;
    // No field says which of the variants it holds.
    if (type.variants) return { kind: "bytes", size };
    const fields = new Map<string, FieldShape>();
    this.#addFields(type, 0, fields, { left: MOST_FIELDS });
    const inside = [...fields.values()].filter(({ offset, shape }) =>
      offset + (shape.kind === "bits" ? Math.ceil((shape.first + shape.count) / 8) : shape.size) <= size
    );
    return { kind: "struct", name, size, fields: inside };
  }

  /** Adds the fields of base classes and of unnamed structs as the program's source names them. */
  #addFields(type: RecordType, at: number, fields: Map<string, FieldShape>, budget: { left: number }): void {
    for (const base of type.bases) {
      const record = this.#record(base.type);
      if (record !== undefined && base.offset !== undefined) {
        this.#addFields(record, at + base.offset, fields, budget);
      }
    }
    for (const field of type.fields) {
      if (--budget.left < 0) {
        throw new LoadError("Unsupported", `Cannot view struct ${type.name}: it has too many fields`, {
          range: [0, MOST_FIELDS + 1],
          hint: "take its address with addressOf(name)",
        });
      }
      const offset = at + field.offset;
      const unnamed = field.name === "" ? this.#record(field.type) : undefined;
      if (unnamed !== undefined) {
        this.#addFields(unnamed, offset, fields, budget);
        continue;
      }
      const shape = field.bits === undefined ? this.of(field.type) : this.#bits(field, field.bits);
      if (shape !== undefined && field.name !== "") {
        fields.set(field.name, { name: field.name, offset, shape });
      }
    }
  }

  #record(id: number): RecordType | undefined {
    const type = this.#types[bareType(this.#types, id)];
    return isRecord(type) ? type : undefined;
  }

  #bits({ type }: TypeField, [first, count]: readonly [number, number]): BitsShape | undefined {
    const shape = this.of(type);
    if (shape?.kind !== "word" || shape.word === "f32" || shape.word === "f64" || count > 64) {
      return undefined;
    }
    const { word } = shape;
    return {
      kind: "bits",
      first,
      count,
      isSigned: word.startsWith("i"),
      as: word === "bool" ? "boolean" : word === "i64" || word === "u64" ? "bigint" : "number",
      size: 0,
    };
  }
}

function wordOf({ encoding, size }: BaseType): Shape | undefined {
  switch (encoding) {
    case "bool":
      return size === 1 ? WORDS.bool : integerOf(size, false);
    case "float":
      return size === 4 ? WORDS.f32 : size === 8 ? WORDS.f64 : undefined;
    case "signed":
      return integerOf(size, true);
    case "unsigned":
    case "char":
      return integerOf(size, false);
    default:
      return undefined;
  }
}

function integerOf(size: number, isSigned: boolean): Shape | undefined {
  return WORDS[`${isSigned ? "i" : "u"}${8 * size}` as Word];
}
