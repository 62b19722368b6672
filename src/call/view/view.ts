/**
 * Views of variables: typed arrays and accessors over a buffer of their memory.
 */

import { LoadError } from "../../errors/load_error.ts";
import { CharArray } from "./char_array.ts";
import type { ArrayShape, Shape, StructShape, Word } from "./shape.ts";
import { type AccessorClass, accessorClass, type Nesting } from "./struct_class.ts";

/** A typed array over memory. */
type TypedArrayClass = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayLike<unknown>;
};

const TYPED_ARRAYS: Readonly<Record<Word, TypedArrayClass>> = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
  bool: Uint8Array,
  pointer: BigUint64Array,
};

/** More accessors than one array should have: each is an object of its own. */
const MOST_ACCESSORS = 1 << 20;

/** Makes views of memory; asks for a buffer of its own where a typed array could not begin in that of the whole. */
export class ViewMaker implements Nesting {
  readonly #classes = new Map<StructShape, AccessorClass>();
  readonly #open: (offset: number, length: number) => ArrayBuffer;

  /** @param open Makes a buffer over a part of the variable. */
  constructor(open: (offset: number, length: number) => ArrayBuffer) {
    this.#open = open;
  }

  /**
   * Makes the view of a whole variable: of one number a typed array of one.
   *
   * @throws {LoadError} `Unsupported` for an array of too many structs.
   */
  whole(shape: Shape): unknown {
    const view = new DataView(this.#open(0, shape.size));
    if (shape.kind !== "word") return this.view(shape, view, 0);
    return this.#numbers(shape.word, 1, view, 0);
  }

  view(shape: Shape, view: DataView<ArrayBuffer>, offset: number): unknown {
    switch (shape.kind) {
      case "array":
        return this.#array(shape, view, offset);
      case "struct":
        return new (this.#classOf(shape))(view, offset);
      case "text":
        return new CharArray(view.buffer, view.byteOffset + offset, shape.size);
      case "word":
      case "bits":
      case "bytes":
        return new Uint8Array(view.buffer, view.byteOffset + offset, shape.size);
    }
  }

  write(view: unknown, shape: Shape, value: unknown): void {
    switch (shape.kind) {
      case "text":
        if (typeof value === "string") (view as CharArray).text = value;
        else (view as CharArray).set(value as ArrayLike<number>);
        break;
      case "struct":
        for (const { name } of shape.fields) {
          const fields = value as Record<string, unknown>;
          if (name in fields) (view as Record<string, unknown>)[name] = fields[name];
        }
        break;
      case "array":
        if (shape.of.kind === "word") (view as Uint8Array).set(value as ArrayLike<number>);
        else this.#writeElements(view as unknown[], shape, value as ArrayLike<unknown>);
        break;
      default:
        (view as Uint8Array).set(value as ArrayLike<number>);
    }
  }

  #writeElements(views: readonly unknown[], { of, count }: ArrayShape, values: ArrayLike<unknown>): void {
    if (values.length > count) {
      throw new RangeError(`Cannot set elements: there are ${values.length}, the array has ${count}`);
    }
    for (let index = 0; index < values.length; index++) this.write(views[index], of, values[index]);
  }

  #numbers(word: Word, count: number, view: DataView<ArrayBuffer>, offset: number): ArrayLike<unknown> {
    const Numbers = TYPED_ARRAYS[word];
    const start = view.byteOffset + offset;
    // Fields of packed structs may lie where no typed array of the whole buffer can begin.
    if (start % Numbers.BYTES_PER_ELEMENT !== 0) {
      return new Numbers(this.#open(start, count * Numbers.BYTES_PER_ELEMENT), 0, count);
    }
    return new Numbers(view.buffer, start, count);
  }

  #array({ of, count }: ArrayShape, view: DataView<ArrayBuffer>, offset: number): unknown {
    if (of.kind === "word") return this.#numbers(of.word, count, view, offset);
    if (count > MOST_ACCESSORS) {
      throw new LoadError("Unsupported", "Cannot view array: it has too many structs", {
        value: count,
        range: [0, MOST_ACCESSORS + 1],
        hint: "view a part of it: describe the variable, with a smaller `count`",
      });
    }
    const elements: unknown[] = [];
    for (let index = 0; index < count; index++) {
      elements.push(this.view(of, view, offset + index * of.size));
    }
    // Not frozen: an access would cost ten times as much.
    return elements;
  }

  #classOf(shape: StructShape): AccessorClass {
    let made = this.#classes.get(shape);
    if (made === undefined) this.#classes.set(shape, made = accessorClass(shape, this));
    return made;
  }
}
