/**
 * The corpus: mutants that are kept, one file each: `0042.module.bin`. A mutant
 * is kept if its outcome has a new feature: the kind and sentence of its error
 * or, if it loads, a kind of section in its layout, a kind of symbol, a type of
 * relocation with the kind of its symbol. There is no instrumentation.
 */
import { join } from "@std/path";
import type { Mutant, Target } from "./cases.ts";

const NAME = /^(\d+)\.(module|object)\.bin$/;

/** The first `count` mutants of a folder; none if the folder does not exist. */
export function readCorpus(folder: string, count = Infinity): Mutant[] {
  return names(folder).slice(0, count).map((name) => ({
    target: NAME.exec(name)![2] as Target,
    bytes: Deno.readFileSync(join(folder, name)),
  }));
}

/** The number of mutants in a folder. */
export function corpusSize(folder: string): number {
  return names(folder).length;
}

/** Adds a mutant at the end. */
export function keep(folder: string, { target, bytes }: Mutant): void {
  Deno.mkdirSync(folder, { recursive: true });
  const number = String(names(folder).length).padStart(5, "0");
  Deno.writeFileSync(join(folder, `${number}.${target}.bin`), bytes);
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => NAME.test(name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
