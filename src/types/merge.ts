/**
 * Makes one graph of the types of many objects: equal types become one, what contains another comes
 * behind it, and the order depends on nothing but the types and what has them.
 */
import { LoadError } from "../errors/load_error.ts";
import {
  forContained,
  forMentioned,
  renumber,
  type TypedAddress,
  type TypeGraph,
  type TypeRecord,
} from "./model.ts";

/** Rounds of comparison after which types are not merged: real ones differ within a few. */
const MOST_ROUNDS = 64;
/** The most types that contain each other, one in the next. */
const MOST_DEPTH = 1000;

/** The error for debug information that contradicts itself. */
export function damaged(problem: string): LoadError {
  return new LoadError("InvalidFormat", `Cannot read debug information: ${problem}`, {
    hint: 'compile the object again, or link without types (`types: "off"`, --types off)',
  });
}

/** Merges equal types and leaves out those that nothing reaches. `types[0]` stands for `void`. */
export function mergeTypes(
  types: readonly (TypeRecord | undefined)[],
  typed: readonly TypedAddress[],
): TypeGraph {
  const classes = classesOf(types);
  const first = new Int32Array(types.length).fill(-1);
  for (let i = 0; i < types.length; i++) if (first[classes[i]] === -1) first[classes[i]] = i;
  const sorted = typed.toSorted((a, b) => a.address - b.address);
  const ordered = inOrder(types, (id) => first[classes[id]], sorted.map(({ type }) => type));
  const numbers = new Map(ordered.map((id, index) => [id, index + 1]));
  const numberOf = (id: number): number => id === 0 ? 0 : numbers.get(first[classes[id]])!;
  return {
    types: [undefined, ...ordered.map((id) => renumber(types[id]!, numberOf))],
    typed: sorted.map(({ address, type }) => ({ address, type: numberOf(type) })),
  };
}

/**
 * Numbers types so that equal ones have one number. Types start out equal if they are spelt alike, and
 * are told apart while what they refer to differs (Moore's refinement of partitions).
 */
function classesOf(types: readonly (TypeRecord | undefined)[]): Int32Array {
  let classes = new Int32Array(types.length);
  let count = 0;
  const children: number[][] = types.map(() => []);
  const known = new Map<string, number>();
  const zero = () => 0;
  types.forEach((type, id) => {
    const text = type === undefined ? "" : JSON.stringify(renumber(type, zero));
    let found = known.get(text);
    if (found === undefined) known.set(text, found = known.size);
    classes[id] = found;
    if (type === undefined) return;
    const add = (child: number) => void children[id].push(child);
    forContained(type, add);
    forMentioned(type, add);
  });
  count = known.size;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    known.clear();
    const next = new Int32Array(types.length);
    for (let id = 0; id < types.length; id++) {
      let key = `${classes[id]}`;
      for (const child of children[id]) key += `,${classes[child]}`;
      let found = known.get(key);
      if (found === undefined) known.set(key, found = known.size);
      next[id] = found;
    }
    classes = next;
    if (known.size === count) return classes;
    count = known.size;
  }
  return classes.map((_, id) => id);
}

/** Lists what the roots reach, contained types before those that contain them. */
function inOrder(
  types: readonly (TypeRecord | undefined)[],
  representative: (id: number) => number,
  roots: readonly number[],
): number[] {
  const ordered: number[] = [];
  const waiting = [...roots];
  /** 1 while a type's parts are visited, 2 behind that. */
  const state = new Uint8Array(types.length);
  const visit = (given: number, depth: number): void => {
    if (given === 0) return;
    const id = representative(given);
    if (state[id] === 2) return;
    if (state[id] === 1) throw damaged("a type contains itself");
    if (depth > MOST_DEPTH) throw damaged(`types contain each other ${MOST_DEPTH} deep`);
    state[id] = 1;
    const type = types[id]!;
    forContained(type, (part) => visit(part, depth + 1));
    state[id] = 2;
    ordered.push(id);
    forMentioned(type, (mentioned) => void waiting.push(mentioned));
  };
  for (let i = 0; i < waiting.length; i++) visit(waiting[i], 0);
  return ordered;
}
