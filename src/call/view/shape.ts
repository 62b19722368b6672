/**
 * The shapes of variables: which bytes of them are which JavaScript values.
 */

import type { NativeWord } from "../../types/native.ts";

/** A word that a typed array or a `DataView` can read. */
export type Word = Exclude<NativeWord, "function">;

/** A number, a bool or a pointer. */
export interface WordShape {
  readonly kind: "word";
  readonly word: Word;
  readonly size: number;
}

/** Some bits of an integer. */
export interface BitsShape {
  readonly kind: "bits";
  /** The first bit, counted from the lowest one of the field's byte. */
  readonly first: number;
  readonly count: number;
  readonly isSigned: boolean;
  /** How the value appears in JavaScript. */
  readonly as: "number" | "bigint" | "boolean";
  readonly size: 0;
}

/** Bytes that are a text, up to the first zero. */
export interface TextShape {
  readonly kind: "text";
  readonly size: number;
}

/** Bytes without a meaning in JavaScript, such as a `long double`. */
export interface BytesShape {
  readonly kind: "bytes";
  readonly size: number;
}

/** Elements in a row; an array of several dimensions is one row of all its elements. */
export interface ArrayShape {
  readonly kind: "array";
  readonly of: WordShape | TextShape | StructShape;
  readonly count: number;
  readonly size: number;
}

/** A field of a struct. */
export interface FieldShape {
  readonly name: string;
  /** In bytes. */
  readonly offset: number;
  readonly shape: Shape;
}

/** A struct, a union or a class. */
export interface StructShape {
  readonly kind: "struct";
  readonly name: string;
  readonly size: number;
  readonly fields: readonly FieldShape[];
}

/** A shape of a variable or a field. */
export type Shape = WordShape | BitsShape | TextShape | BytesShape | ArrayShape | StructShape;

/** The sizes of words in bytes, which are their alignments as well. */
export const WORD_SIZES: Readonly<Record<Word, number>> = {
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  f32: 4,
  f64: 8,
  bool: 1,
  pointer: 8,
};

/** The shape of each word. */
export const WORDS: Readonly<Record<Word, WordShape>> = Object.fromEntries(
  Object.entries(WORD_SIZES).map(([word, size]) => [word, { kind: "word", word, size }]),
) as Record<Word, WordShape>;

/** Makes the shape of elements in a row. */
export function rowOf(element: Shape, count: number): Shape {
  const size = element.size * count;
  switch (element.kind) {
    case "array":
      return { kind: "array", of: element.of, count: element.count * count, size };
    case "bytes":
    case "bits":
      return { kind: "bytes", size };
    default:
      return { kind: "array", of: element, count, size };
  }
}
