/**
 * The mutants by number: equal numbers give equal files, in any process.
 */
import { randomFrom } from "../support/testing.ts";
import { type Anatomy, moduleAnatomy, mutate, Random } from "./mutate.ts";
import { objectAnatomy, objectSeeds, tryLinking } from "./objects.ts";
import { tryTypes } from "./types.ts";
import { dense, moduleSeeds, type Seed } from "./seeds.ts";
import type { Harness } from "./harness.ts";
import type { Outcome } from "./outcome.ts";

/** The part of the package that a file is for: the loader or the linker. */
export type Target = "module" | "object";

/** A file to try. */
export interface Mutant {
  readonly target: Target;
  readonly bytes: Uint8Array;
}

/** Numbered mutants. */
export interface Cases {
  /** The number of mutants; `Infinity` if it has no end. */
  readonly count: number;
  make(index: number): Mutant;
}

/** Tries a file with the part of the package that it is for. */
export function tryMutant({ target, bytes }: Mutant, harness: Harness): Outcome {
  if (target === "object") return tryLinking(bytes, harness);
  tryTypes(bytes, false);
  return harness.try(bytes);
}

interface Parent {
  readonly bytes: Uint8Array;
  readonly anatomy: Anatomy | undefined;
}

const ANATOMY = { module: moduleAnatomy, object: objectAnatomy } as const;

/** Mutants of seeds and of the corpus, as the corpus is when a batch begins. */
export class RandomCases implements Cases {
  readonly count: number = Infinity;
  readonly #seed: number;
  readonly #parents: Record<Target, Parent[]> = { module: [], object: [] };
  readonly #bytes: Record<Target, Uint8Array[]> = { module: [], object: [] };
  /** The number of parents of each target that are seeds. */
  readonly #seeds: Record<Target, number>;

  constructor(seed: number, corpus: readonly Mutant[]) {
    this.#seed = seed;
    const add = (target: Target, seeds: readonly { bytes: Uint8Array }[]) => {
      for (const { bytes } of seeds) {
        if (bytes.length === 0) continue;
        this.#parents[target].push({ bytes, anatomy: ANATOMY[target](bytes) });
        this.#bytes[target].push(bytes);
      }
    };
    add("module", moduleSeeds());
    add("object", objectSeeds());
    this.#seeds = { module: this.#parents.module.length, object: this.#parents.object.length };
    for (const mutant of corpus) add(mutant.target, [mutant]);
  }

  make(index: number): Mutant {
    const random = new Random(
      randomFrom(Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(this.#seed, 0x85ebca6b)),
    );
    const target = random.once(4) ? "object" : "module";
    const parents = this.#parents[target];
    // Half of the mutants have any parent, half of them a seed.
    const { bytes, anatomy } = random.once(2)
      ? parents[random.below(this.#seeds[target])]
      : random.pick(parents);
    return { target, bytes: mutate(bytes, anatomy, this.#bytes[target], random) };
  }
}

/** A list of cases that are made on demand. */
interface Family {
  readonly count: number;
  make(index: number): Mutant;
}

/** Every byte of a file with all 255 other values. */
function everyByte(target: Target, original: Uint8Array): Family {
  return {
    count: original.length * 255,
    make(index) {
      const bytes = original.slice();
      const at = Math.floor(index / 255);
      bytes[at] = (bytes[at] + 1 + index % 255) % 256;
      return { target, bytes };
    },
  };
}

/** Every shorter length of a file. */
function everyLength(target: Target, { bytes }: Seed): Family {
  return { count: bytes.length, make: (index) => ({ target, bytes: bytes.slice(0, index) }) };
}

/** Every two records of every table, swapped. */
function everySwap(target: Target, { bytes: original }: Seed): Family {
  const swaps = (ANATOMY[target](original)?.tables ?? []).flatMap(({ at, size, count }) =>
    Array.from({ length: count * count }, (_, i) => [Math.floor(i / count), i % count])
      .filter(([a, b]) => a < b)
      .map(([a, b]) => ({ size, a: at + a * size, b: at + b * size }))
  );
  return {
    count: swaps.length,
    make(index) {
      const { size, a, b } = swaps[index];
      const bytes = original.slice();
      bytes.set(original.subarray(b, b + size), a);
      bytes.set(original.subarray(a, a + size), b);
      return { target, bytes };
    },
  };
}

/** All small changes that can be tried exhaustively: bytes, lengths, swaps. */
export function exhaustiveCases(): Cases {
  const denseFile = dense();
  // The hash is zeroed, since it would hide all other damage.
  denseFile.fill(0, 64, 72);
  const modules = moduleSeeds(), objects = objectSeeds();
  const families = [
    everyByte("module", denseFile),
    ...modules.map((seed) => everyLength("module", seed)),
    ...objects.map((seed) => everyLength("object", seed)),
    ...modules.map((seed) => everySwap("module", seed)),
    ...objects.map((seed) => everySwap("object", seed)),
  ];
  return {
    count: families.reduce((sum, { count }) => sum + count, 0),
    make(index) {
      let rest = index;
      for (const family of families) {
        if (rest < family.count) return family.make(rest);
        rest -= family.count;
      }
      throw new RangeError(`Cannot make case ${index}: there are fewer`);
    },
  };
}
