/**
 * Finds the types that are equal. Types refer to each other in circles, and each circle passes a struct, a
 * union or a class: those start out equal if they are spelt alike, all other types follow from what they refer
 * to, and what proves to differ is told apart until nothing differs any more.
 */
import type { CollectedTypes } from "./collected.ts";
import { damaged } from "./damaged.ts";
import { Sequences } from "./sequences.ts";

/** The first of the types that are equal to a type, by its number. */
export type Classes = Int32Array;

/** Rounds after which structs are not merged: real ones differ within a few. */
const MOST_ROUNDS = 64;
/** The most types that refer to each other with no struct between them. */
const MOST_DEPTH = 1000;
/** The number that sequences of structs begin with; those of other types begin with their spelling, which is above 0. */
const STRUCT = -1;

/** Returns the first equal type of each. */
export function classesOf(types: CollectedTypes): Classes {
  const structs: number[] = [];
  for (let id = 1; id < types.length; id++) if (types.isStruct(id)) structs.push(id);
  /** Numbers for structs that equal ones share. */
  let labels = new Int32Array(types.length);
  for (const id of structs) labels[id] = types.spelling(id);
  const definitions = definitionsOf(types, structs);
  const defined = structs.filter((id) => !definitions.has(id));
  let count = countDistinct(defined, labels);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const [declaration, definition] of definitions) labels[declaration] = labels[definition];
    const derivation = new Derivation(types, structs, labels);
    const numbers = derivation.all();
    labels = new Int32Array(types.length);
    for (const id of defined) labels[id] = derivation.withReferences(id, numbers[id], 0);
    const found = countDistinct(defined, labels);
    if (found === count) return firstOfEach(numbers, definitions);
    count = found;
  }
  return Int32Array.from(labels, (_, id) => id);
}

function countDistinct(ids: readonly number[], labels: Int32Array): number {
  return new Set(ids.map((id) => labels[id])).size;
}

/** Returns the first of those with the same number, for each; of structs, the first that is not only declared. */
function firstOfEach(numbers: Int32Array, definitions: ReadonlyMap<number, number>): Int32Array {
  const first = new Map<number, number>();
  numbers.forEach((number, id) => {
    if (!first.has(number) && !definitions.has(id)) first.set(number, id);
  });
  return numbers.map((number) => first.get(number)!);
}

/** Finds the definition of each struct that is only declared, if all objects that define it are spelt alike. */
function definitionsOf(types: CollectedTypes, structs: readonly number[]): Map<number, number> {
  /** A definition by kind and name, or -1 if they differ. */
  const byName = new Map<string, number>();
  const declared = new Map<number, string>();
  /** By spelling: kind and name, if there is a name, and whether it is only declared. */
  const known = new Map<number, { readonly key: string | undefined; readonly isDeclared: boolean }>();
  for (const id of structs) {
    const spelling = types.spelling(id);
    let head = known.get(spelling);
    if (head === undefined) {
      const [name, size] = types.words(id);
      const key = name === 0 ? undefined : `${types.kind(id)} ${name}`;
      known.set(spelling, head = { key, isDeclared: types.numberOf(size) === undefined });
    }
    const { key, isDeclared } = head;
    if (key === undefined) continue;
    if (isDeclared) declared.set(id, key);
    else {
      const other = byName.get(key) ?? id;
      byName.set(key, other !== -1 && types.spelling(other) === spelling ? other : -1);
    }
  }
  const definitions = new Map<number, number>();
  for (const [id, key] of declared) {
    const definition = byName.get(key) ?? -1;
    if (definition !== -1) definitions.set(id, definition);
  }
  return definitions;
}

/** Numbers types while the labels of structs are given: equal ones get the same number. */
class Derivation {
  readonly #types: CollectedTypes;
  readonly #sequences: Sequences = new Sequences();
  /** The numbers; -1 before one is known, -2 while it is looked for. */
  readonly #numbers: Int32Array;

  constructor(types: CollectedTypes, structs: readonly number[], labels: Int32Array) {
    this.#types = types;
    this.#numbers = new Int32Array(types.length).fill(-1);
    this.#numbers[0] = 0;
    const struct = this.#sequences.append(0, STRUCT);
    for (const id of structs) this.#numbers[id] = this.#sequences.append(struct, labels[id]);
  }

  all(): Int32Array {
    for (let id = 1; id < this.#types.length; id++) if (this.#numbers[id] < 0) this.#find(id, 0);
    return this.#numbers;
  }

  #find(id: number, depth: number): number {
    const known = this.#numbers[id];
    if (known >= 0) return known;
    if (known === -2) throw damaged("a type refers to itself");
    if (depth > MOST_DEPTH) throw damaged(`types refer to each other ${MOST_DEPTH} deep`);
    this.#numbers[id] = -2;
    const spelling = this.#sequences.append(0, this.#types.spelling(id));
    return this.#numbers[id] = this.withReferences(id, spelling, depth + 1);
  }

  /** Returns the sequence of a number and those of the types that a type refers to. */
  withReferences(id: number, number: number, depth: number): number {
    const types = this.#types;
    const end = types.behindReferences(id);
    for (let i = types.firstReference(id); i < end; i++) {
      number = this.#sequences.append(number, this.#find(types.references[i], depth));
    }
    return number;
  }
}
