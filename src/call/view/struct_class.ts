/**
 * Classes of accessors: one for each shape of structs, with a getter and a setter
 * for each field that read and write the module's memory.
 *
 * Each kind of field has function texts of its own, so that V8 compiles a fast
 * access for each.
 */

import { showAs } from "../../os/inspection.ts";
import { readBits, writeBits } from "./bits.ts";
import type { FieldShape, Shape, StructShape, Word } from "./shape.ts";

/** Makes the view of a shape at an offset of a struct's memory. */
export type NestedView = (shape: Shape, view: DataView<ArrayBuffer>, offset: number) => unknown;

/** Writes a value to the view of a shape, as an assignment to a field does. */
export type NestedWrite = (view: unknown, shape: Shape, value: unknown) => void;

/** Makes the views of arrays and structs in a struct, for accessors. */
export interface Nesting {
  readonly view: NestedView;
  readonly write: NestedWrite;
}

/** The base of accessors: where the struct is. The names cannot be those of fields. */
class Accessor {
  readonly #view: DataView<ArrayBuffer>;
  readonly #at: number;
  /** Views of arrays and structs in it, by field; made when they are first asked for. */
  #nested: unknown[] | undefined;

  constructor(view: DataView<ArrayBuffer>, at: number) {
    this.#view = view;
    this.#at = at;
  }

  /** Defines the property of a field on a class of accessors. */
  static define(prototype: object, index: number, field: FieldShape, nesting: Nesting): void {
    Object.defineProperty(prototype, field.name, {
      configurable: true,
      enumerable: true,
      ...propertyOf(index, field, nesting),
    });
  }

  static word(word: Word, offset: number): Property {
    switch (word) {
      case "i8":
        return {
          get(this: Accessor) {
            return this.#view.getInt8(this.#at + offset);
          },
          set(this: Accessor, value: number) {
            this.#view.setInt8(this.#at + offset, value);
          },
        };
      case "u8":
        return {
          get(this: Accessor) {
            return this.#view.getUint8(this.#at + offset);
          },
          set(this: Accessor, value: number) {
            this.#view.setUint8(this.#at + offset, value);
          },
        };
      case "bool":
        return {
          get(this: Accessor) {
            return this.#view.getUint8(this.#at + offset) !== 0;
          },
          set(this: Accessor, value: unknown) {
            this.#view.setUint8(this.#at + offset, value ? 1 : 0);
          },
        };
      case "i16":
        return {
          get(this: Accessor) {
            return this.#view.getInt16(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setInt16(this.#at + offset, value, true);
          },
        };
      case "u16":
        return {
          get(this: Accessor) {
            return this.#view.getUint16(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setUint16(this.#at + offset, value, true);
          },
        };
      case "i32":
        return {
          get(this: Accessor) {
            return this.#view.getInt32(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setInt32(this.#at + offset, value, true);
          },
        };
      case "u32":
        return {
          get(this: Accessor) {
            return this.#view.getUint32(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setUint32(this.#at + offset, value, true);
          },
        };
      case "i64":
        return {
          get(this: Accessor) {
            return this.#view.getBigInt64(this.#at + offset, true);
          },
          set(this: Accessor, value: bigint) {
            this.#view.setBigInt64(this.#at + offset, value, true);
          },
        };
      case "u64":
      case "pointer":
        return {
          get(this: Accessor) {
            return this.#view.getBigUint64(this.#at + offset, true);
          },
          set(this: Accessor, value: bigint) {
            this.#view.setBigUint64(this.#at + offset, value, true);
          },
        };
      case "f32":
        return {
          get(this: Accessor) {
            return this.#view.getFloat32(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setFloat32(this.#at + offset, value, true);
          },
        };
      case "f64":
        return {
          get(this: Accessor) {
            return this.#view.getFloat64(this.#at + offset, true);
          },
          set(this: Accessor, value: number) {
            this.#view.setFloat64(this.#at + offset, value, true);
          },
        };
    }
  }

  static nested(index: number, { offset, shape }: FieldShape, nesting: Nesting): Property {
    if (shape.kind === "bits") {
      return {
        get(this: Accessor) {
          return readBits(this.#view, this.#at + offset, shape);
        },
        set(this: Accessor, value: number | bigint | boolean) {
          writeBits(this.#view, this.#at + offset, shape, value);
        },
      };
    }
    const get = (self: Accessor): unknown =>
      (self.#nested ??= [])[index] ??= nesting.view(shape, self.#view, self.#at + offset);
    return {
      get(this: Accessor) {
        return get(this);
      },
      set(this: Accessor, value: unknown) {
        nesting.write(get(this), shape, value);
      },
    };
  }
}

/** A getter and a setter. */
interface Property {
  readonly get: () => unknown;
  readonly set: (value: never) => void;
}

function propertyOf(index: number, field: FieldShape, nesting: Nesting): Property {
  const { shape, offset } = field;
  return shape.kind === "word" ? Accessor.word(shape.word, offset) : Accessor.nested(index, field, nesting);
}

/** Makes an accessor of the struct at an offset. */
export type AccessorClass = new (view: DataView<ArrayBuffer>, offset: number) => object;

/** Makes the class of a struct's accessors. */
export function accessorClass(shape: StructShape, nesting: Nesting): AccessorClass {
  const { name, fields } = shape;
  const made = class extends Accessor {};
  Object.defineProperty(made, "name", { value: name || "struct" });
  const prototype: object = made.prototype;
  const values = (accessor: object): Record<string, unknown> =>
    Object.fromEntries(fields.map(({ name }) => [name, (accessor as Record<string, unknown>)[name]]));
  Object.defineProperty(prototype, "toJSON", {
    configurable: true,
    value(this: object) {
      return values(this);
    },
  });
  showAs(prototype, made.name, values);
  fields.forEach((field, index) => Accessor.define(prototype, index, field, nesting));
  return made;
}
