/**
 * The types of definitions as words at places: what calls and reads of memory depend on, whatever names
 * the definitions use for them.
 */

/** The type of a value in a definition: a word such as `i32`, `void` as a result, or a struct of types. */
export type DefinedType = string | { readonly struct: readonly DefinedType[] };

/** A word as calls pass it. */
export interface Word {
  /** The registers that it goes to. */
  readonly kind: "integer" | "float";
  /** Size in bytes. */
  readonly size: number;
  /** Whether its highest bit is a sign; undefined where it does not matter. */
  readonly sign: boolean | undefined;
}

/** The words of a type, and their places in it. */
export interface Leaves {
  /** The number of words. */
  readonly length: number;
  /** The words, by place. */
  readonly words: readonly Word[];
  /** The offset of each word, in bytes. */
  readonly offsets: readonly number[];
  /** The size of the whole, in bytes. */
  readonly size: number;
}

const integer = (size: number, sign?: boolean): Word => ({ kind: "integer", size, sign });

const WORDS: ReadonlyMap<string, Word> = new Map<string, Word>([
  ["bool", integer(1)],
  ["i8", integer(1, true)],
  ["u8", integer(1, false)],
  ["i16", integer(2, true)],
  ["u16", integer(2, false)],
  ["i32", integer(4, true)],
  ["u32", integer(4, false)],
  ["i64", integer(8, true)],
  ["u64", integer(8, false)],
  ["isize", integer(8, true)],
  ["usize", integer(8, false)],
  ["pointer", integer(8)],
  ["buffer", integer(8)],
  ["function", integer(8)],
  ["cstring", integer(8)],
  ["f32", { kind: "float", size: 4, sign: undefined }],
  ["f64", { kind: "float", size: 8, sign: undefined }],
]);

/** Returns the word that a name of definitions stands for; undefined for `void`. */
export function wordOf(name: string): Word | undefined {
  return WORDS.get(name);
}

/** Lists the words of a type, as Deno lays out structs: each at the next multiple of its size. */
export function leavesOf(type: DefinedType): Leaves {
  const words: Word[] = [];
  const offsets: number[] = [];
  const { size } = place(type, 0, words, offsets);
  return { length: words.length, words, offsets, size };
}

/** Returns the size and alignment of a type in bytes, as Deno lays it out. */
export function layoutOf(type: DefinedType): { readonly size: number; readonly alignment: number } {
  return place(type, 0, [], []);
}

/** Appends the words of a type that begins at `start` or behind it, where its alignment allows. */
function place(
  type: DefinedType,
  start: number,
  words: Word[],
  offsets: number[],
): { readonly end: number; readonly size: number; readonly alignment: number } {
  if (typeof type === "string") {
    const word = wordOf(type);
    if (word === undefined) return { end: start, size: 0, alignment: 1 };
    const at = roundUp(start, word.size);
    words.push(word);
    offsets.push(at);
    return { end: at + word.size, size: word.size, alignment: word.size };
  }
  const alignment = alignmentOf(type);
  const at = roundUp(start, alignment);
  let end = at;
  for (const field of type.struct) end = place(field, end, words, offsets).end;
  const size = roundUp(end - at, alignment);
  return { end: at + size, size, alignment };
}

function alignmentOf(type: DefinedType): number {
  if (typeof type === "string") return wordOf(type)?.size ?? 1;
  return type.struct.reduce((most, field) => Math.max(most, alignmentOf(field)), 1);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Writes a type of a definition as messages show it: `i32`, `struct of f64, f64`. */
export function describeDefined(type: DefinedType): string {
  return typeof type === "string" ? type : `struct of ${type.struct.map(describeDefined).join(", ")}`;
}
