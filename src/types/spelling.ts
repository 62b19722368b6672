/**
 * Types as words and references, kind by kind. Both lists of a type are in the order of the source: a word's
 * place says what it means.
 */
import type { CollectedTypes } from "./collected.ts";
import { ENCODINGS, FunctionFlag } from "./encoding.ts";
import type { BaseEncoding, RecordType, TypeBase, TypeField, TypeRecord } from "./model.ts";

/** Words of a struct that are not the name of a field. */
export const Mark = { NONTRIVIAL: -1, VARIANTS: -2, BASE: -3, BITS: -4 } as const;

/** The words of encodings. */
export const ENCODING_NUMBERS = Object.fromEntries(
  ENCODINGS.map((encoding, number) => [encoding, number]),
) as Readonly<Record<BaseEncoding, number>>;

/** Writes a type under a number that was made for it. */
export function writeType(types: CollectedTypes, id: number, type: TypeRecord): void {
  types.begin(type.kind);
  if ("name" in type) types.word(types.texts.numberOf(type.name));
  switch (type.kind) {
    case "base":
      types.number(type.size);
      types.word(ENCODING_NUMBERS[type.encoding]);
      break;
    case "unknown":
      break;
    case "array":
    case "vector":
      types.number(type.count);
      types.reference(type.of);
      break;
    case "enum":
      types.number(type.size);
      for (const { name } of type.enumerators) types.word(types.texts.numberOf(name));
      for (const { value } of type.enumerators) types.number(value);
      types.reference(type.underlying);
      break;
    case "function":
      types.reference(type.result);
      for (const parameter of type.parameters) {
        types.word(types.texts.numberOf(parameter.name));
        types.reference(parameter.type);
      }
      types.word(functionFlags(type.variadic, type.prototyped));
      break;
    case "member-pointer":
      types.reference(type.to);
      types.reference(type.of);
      break;
    case "struct":
    case "union":
    case "class":
      writeStruct(types, type);
      break;
    default:
      types.reference(type.to);
  }
  types.end(id);
}

function writeStruct(types: CollectedTypes, { size, nontrivial, variants, bases, fields }: RecordType): void {
  types.number(size);
  if (nontrivial) types.word(Mark.NONTRIVIAL);
  for (const { type, offset } of bases) writeBase(types, type, offset);
  for (const { name, type, offset, bits } of fields) {
    writeField(types, types.texts.numberOf(name), type, offset);
    if (bits !== undefined) writeBits(types, bits[0], bits[1]);
  }
  if (variants) types.word(Mark.VARIANTS);
}

/** Adds a base class to the struct that is being written. */
export function writeBase(types: CollectedTypes, type: number, offset: number | undefined): void {
  types.word(Mark.BASE);
  types.number(offset);
  types.reference(type);
}

/** Adds a field to the struct that is being written; `name` is the number of a text. */
export function writeField(types: CollectedTypes, name: number, type: number, offset: number): void {
  types.word(name);
  types.number(offset);
  types.reference(type);
}

/** Makes the field that was added last a bit-field. */
export function writeBits(types: CollectedTypes, first: number, count: number): void {
  types.word(Mark.BITS);
  types.number(first);
  types.number(count);
}

/** The word that a function ends with. */
export function functionFlags(variadic: boolean, prototyped: boolean): number {
  return (variadic ? FunctionFlag.VARIADIC : 0) | (prototyped ? FunctionFlag.PROTOTYPED : 0);
}

/** Returns a type as a record. */
export function readType(types: CollectedTypes, id: number): TypeRecord {
  const { texts } = types;
  const kind = types.kind(id);
  const words = types.words(id);
  const references = types.references.subarray(types.firstReference(id), types.behindReferences(id));
  const number = (index: number) => types.numberOf(words[index]);
  switch (kind) {
    case "base":
      return { kind, name: texts.text(words[0]), size: number(1)!, encoding: ENCODINGS[words[2]] };
    case "unknown":
      return { kind, name: texts.text(words[0]) };
    case "typedef":
      return { kind, name: texts.text(words[0]), to: references[0] };
    case "array":
    case "vector":
      return { kind, of: references[0], count: number(0) };
    case "enum": {
      // All names stand before all values: the type that holds the values is looked for behind the last of them.
      const names = words.slice(2, 1 + words.length / 2);
      const values = words.slice(1 + words.length / 2);
      const enumerators = names.map((name, index) => ({
        name: texts.text(name),
        value: types.integerOf(values[index])!,
      }));
      return { kind, name: texts.text(words[0]), size: number(1), underlying: references[0], enumerators };
    }
    case "function":
      return {
        kind,
        result: references[0],
        parameters: words.slice(0, -1).map((name, index) => ({
          name: texts.text(name),
          type: references[index + 1],
        })),
        variadic: (words.at(-1)! & FunctionFlag.VARIADIC) !== 0,
        prototyped: (words.at(-1)! & FunctionFlag.PROTOTYPED) !== 0,
      };
    case "member-pointer":
      return { kind, to: references[0], of: references[1] };
    case "struct":
    case "union":
    case "class":
      return readStruct(types, kind, words, references);
    default:
      return { kind, to: references[0] };
  }
}

function readStruct(
  types: CollectedTypes,
  kind: RecordType["kind"],
  words: readonly number[],
  references: Int32Array,
): RecordType {
  const bases: TypeBase[] = [];
  const fields: TypeField[] = [];
  let nontrivial = false, variants = false;
  const number = (index: number) => types.numberOf(words[index]);
  let reference = 0;
  for (let i = 2; i < words.length;) {
    const word = words[i++];
    if (word === Mark.NONTRIVIAL) nontrivial = true;
    else if (word === Mark.VARIANTS) variants = true;
    else if (word === Mark.BASE) bases.push({ type: references[reference++], offset: number(i++) });
    else {
      const [name, type, offset] = [types.texts.text(word), references[reference++], number(i++)!];
      const isBits = words[i] === Mark.BITS;
      fields.push(
        isBits ? { name, type, offset, bits: [number(i + 1)!, number(i + 2)!] } : { name, type, offset },
      );
      if (isBits) i += 3;
    }
  }
  return { kind, name: types.texts.text(words[0]), size: number(1), nontrivial, variants, bases, fields };
}
