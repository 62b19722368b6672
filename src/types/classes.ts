/**
 * Finds the types that are equal. Types refer to each other in circles, and each circle passes a struct, a
 * union or a class: those start out equal if their fields are spelt alike, all other types follow from what
 * they refer to, and what proves to differ is told apart until nothing differs any more.
 */
import { damaged } from "./damaged.ts";
import { KINDS } from "./encoding.ts";
import { isRecord } from "./kinds.ts";
import type { Types } from "./layout.ts";
import type { RecordType, TypeRecord } from "./model.ts";

/** The first of the types that are equal to a type, by its number. */
export type Classes = Int32Array;

/** Rounds after which structs are not merged: real ones differ within a few. */
const MOST_ROUNDS = 64;
/** The most types that refer to each other with no struct between them. */
const MOST_DEPTH = 1000;
/** Above all numbers of types; numbers of kinds times this are exact. */
const KIND_FACTOR = 2 ** 32;

/** Returns the first equal type of each. */
export function classesOf(types: Types): Classes {
  const records = types.flatMap((type, id) => isRecord(type) ? [id] : []);
  /** The class of each struct: the number of the first one in it. */
  let classes: Int32Array = new Int32Array(types.length);
  let count = group(records, classes, (id) => spelling(types[id] as RecordType));
  const definitions = definitionsOf(types, records, classes);
  const defined = records.filter((id) => !definitions.has(id));
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const [declaration, definition] of definitions) classes[declaration] = classes[definition];
    const all = new Derivation(types, classes).all();
    const next = new Int32Array(types.length);
    const found = group(defined, next, (id) => {
      let key = `${classes[id]}`;
      const { bases, fields } = types[id] as RecordType;
      for (const { type } of bases) key += `,${all[type]}`;
      for (const { type } of fields) key += `,${all[type]}`;
      return key;
    });
    if (round > 0 && found === count) return all;
    count = found;
    classes = next;
  }
  return Int32Array.from(types, (_, id) => id);
}

/** Numbers ids by the first that has the same key; returns how many keys there are. */
function group(ids: readonly number[], classes: Int32Array, keyOf: (id: number) => string): number {
  const first = new Map<string, number>();
  for (const id of ids) {
    const key = keyOf(id);
    const known = first.get(key);
    if (known === undefined) first.set(key, id);
    classes[id] = known ?? id;
  }
  return first.size;
}

function spelling({ kind, name, size, nontrivial, variants, bases, fields }: RecordType): string {
  let text = `${kind} ${name}|${size}|${nontrivial}|${variants}`;
  for (const { offset } of bases) text += `|${offset}`;
  for (const { name, offset, bits } of fields) text += `|${name} ${offset} ${bits ?? ""}`;
  return text;
}

/** Finds the definition of each struct that is only declared, if all objects that define it agree. */
function definitionsOf(types: Types, records: readonly number[], classes: Int32Array): Map<number, number> {
  /** The class of the definitions by kind and name, or -1 if they differ. */
  const byName = new Map<string, number>();
  const declared = new Map<number, string>();
  for (const id of records) {
    const { kind, name, size } = types[id] as RecordType;
    if (name === "") continue;
    const key = `${kind} ${name}`;
    if (size === undefined) declared.set(id, key);
    else byName.set(key, (byName.get(key) ?? classes[id]) === classes[id] ? classes[id] : -1);
  }
  const definitions = new Map<number, number>();
  for (const [id, key] of declared) {
    const definition = byName.get(key) ?? -1;
    if (definition !== -1) definitions.set(id, definition);
  }
  return definitions;
}

/** Finds equal types while the classes of structs are given. */
class Derivation {
  readonly #types: Types;
  /** The first equal type; -1 before it is known, -2 while it is looked for. */
  readonly #first: Int32Array;
  /** Types that refer to one other type, by kind and that type. */
  readonly #derived: Map<number, number> = new Map();
  readonly #others: Map<string, number> = new Map();

  constructor(types: Types, classes: Int32Array) {
    this.#types = types;
    this.#first = new Int32Array(types.length).fill(-1);
    types.forEach((type, id) => {
      if (type === undefined) this.#first[id] = id;
      else if (isRecord(type)) this.#first[id] = classes[id];
    });
  }

  all(): Int32Array {
    for (let id = 0; id < this.#types.length; id++) this.#find(id, 0);
    return this.#first;
  }

  #find(id: number, depth: number): number {
    const known = this.#first[id];
    if (known >= 0) return known;
    if (known === -2) throw damaged("a type refers to itself");
    if (depth > MOST_DEPTH) throw damaged(`types refer to each other ${MOST_DEPTH} deep`);
    this.#first[id] = -2;
    return this.#first[id] = this.#equal(id, this.#types[id]!, depth + 1);
  }

  #equal(id: number, type: TypeRecord, depth: number): number {
    switch (type.kind) {
      case "base":
        return intern(this.#others, `b${type.name}|${type.size}|${type.encoding}`, id);
      case "unknown":
        return intern(this.#others, `u${type.name}`, id);
      case "typedef":
        return intern(this.#others, `t${type.name}|${this.#find(type.to, depth)}`, id);
      case "array":
      case "vector":
        return intern(this.#others, `${type.kind} ${type.count} ${this.#find(type.of, depth)}`, id);
      case "member-pointer":
        return intern(this.#others, `m${this.#find(type.to, depth)} ${this.#find(type.of, depth)}`, id);
      case "enum": {
        let key = `e${type.name}|${type.size}|${this.#find(type.underlying, depth)}`;
        for (const { name, value } of type.enumerators) key += `|${name} ${value}`;
        return intern(this.#others, key, id);
      }
      case "function": {
        let key = `f${type.variadic}${type.prototyped} ${this.#find(type.result, depth)}`;
        for (const { name, type: own } of type.parameters) key += `|${name} ${this.#find(own, depth)}`;
        return intern(this.#others, key, id);
      }
      case "struct":
      case "union":
      case "class":
        return this.#first[id];
      default:
        return intern(this.#derived, KINDS.indexOf(type.kind) * KIND_FACTOR + this.#find(type.to, depth), id);
    }
  }
}

function intern<Key>(known: Map<Key, number>, key: Key, id: number): number {
  const found = known.get(key);
  if (found !== undefined) return found;
  known.set(key, id);
  return id;
}
