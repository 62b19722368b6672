/**
 * Makes one graph of the types of many objects: equal types become one, what contains another comes
 * behind it, and the order depends on nothing but the types and what has them.
 */
import { type Classes, classesOf } from "./classes.ts";
import type { CollectedTypes } from "./collected.ts";
import { damaged } from "./damaged.ts";
import {
  forContained,
  forMentioned,
  renumber,
  type TypedAddress,
  type TypeGraph,
  type TypeRecord,
} from "./model.ts";
import { readType } from "./spelling.ts";

/** The most types that contain each other, one in the next. */
const MOST_DEPTH = 1000;

/** The types of the last graph, for the next one of the same types: only addresses differ then. */
export class LastMerge {
  #collected: CollectedTypes | undefined;
  #roots: readonly number[] = [];
  #merged: Merged | undefined;

  find(collected: CollectedTypes, roots: readonly number[]): Merged | undefined {
    const known = this.#roots;
    if (known.length !== roots.length || known.some((root, index) => root !== roots[index])) return undefined;
    return this.#collected?.equals(collected) === true ? this.#merged : undefined;
  }

  keep(collected: CollectedTypes, roots: readonly number[], merged: Merged): void {
    this.#collected = collected;
    this.#roots = roots;
    this.#merged = merged;
  }
}

/** The types of a graph, and the types of its addresses in ascending order. */
interface Merged {
  readonly types: TypeGraph["types"];
  readonly roots: readonly number[];
}

/**
 * Merges equal types and leaves out those that nothing reaches.
 *
 * @param last The last graph of types with the same pools.
 */
export function mergeTypes(
  collected: CollectedTypes,
  typed: readonly TypedAddress[],
  last?: LastMerge,
): TypeGraph {
  const sorted = typed.toSorted((a, b) => a.address - b.address);
  const roots = sorted.map(({ type }) => type);
  let merged = last?.find(collected, roots);
  if (merged === undefined) {
    merged = merge(collected, roots);
    last?.keep(collected, roots, merged);
  }
  const { types, roots: numbers } = merged;
  return { types, typed: sorted.map(({ address }, index) => ({ address, type: numbers[index] })) };
}

function merge(collected: CollectedTypes, roots: readonly number[]): Merged {
  const classes = classesOf(collected);
  const types = new Array<TypeRecord | undefined>(collected.length);
  const typeOf = (id: number) => types[id] ??= readType(collected, id);
  const ordered = inOrder(typeOf, classes, roots);
  const numbers = new Int32Array(collected.length);
  ordered.forEach((id, index) => numbers[id] = index + 1);
  const numberOf = (id: number): number => id === 0 ? 0 : numbers[classes[id]];
  return {
    types: [undefined, ...ordered.map((id) => renumber(typeOf(id), numberOf))],
    roots: roots.map(numberOf),
  };
}

/** Lists what the roots reach, contained types before those that contain them. */
function inOrder(
  typeOf: (id: number) => TypeRecord,
  classes: Classes,
  roots: readonly number[],
): number[] {
  const ordered: number[] = [];
  const waiting = [...roots];
  /** 1 while a type's parts are visited, 2 behind that. */
  const state = new Uint8Array(classes.length);
  const visit = (given: number, depth: number): void => {
    if (given === 0) return;
    const id = classes[given];
    if (state[id] === 2) return;
    if (state[id] === 1) throw damaged("a type contains itself");
    if (depth > MOST_DEPTH) throw damaged(`types contain each other ${MOST_DEPTH} deep`);
    state[id] = 1;
    const type = typeOf(id);
    forContained(type, (part) => visit(part, depth + 1));
    state[id] = 2;
    ordered.push(id);
    forMentioned(type, (mentioned) => void waiting.push(mentioned));
  };
  for (let i = 0; i < waiting.length; i++) visit(waiting[i], 0);
  return ordered;
}
