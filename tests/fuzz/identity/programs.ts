/** Generates programs by their seeds, builds them together and runs them. */

import { join } from "@std/path";
import { randomFrom } from "../../support/testing.ts";
import { Random } from "../mutate.ts";
import { type Build, buildAll } from "./build.ts";
import { restartValues } from "./draft.ts";
import { type FileCounts, judgeFiles } from "./files.ts";
import { firstVersion, nextVersion } from "./evolve.ts";
import type { Version } from "./model.ts";
import { print } from "./print.ts";
import { type Counts, type Program, runProgram } from "./run.ts";

/** The number of programs that are compiled together. */
const BATCH = 8;

/** Makes the program of a seed. */
function programOf(
  seed: number,
  compilers: readonly string[],
  length: number,
): { program: Program; random: Random } {
  const random = new Random(randomFrom(Math.imul(seed + 1, 0x9e3779b1)));
  const build: Build = {
    compiler: random.pick(compilers),
    flags: [
      random.pick(["-O0", "-O2", "-O2"]),
      "-fcommon",
      ...(random.once(3) ? [] : ["-g"]),
      ...(random.once(3) ? [] : ["-fdata-sections"]),
    ],
  };
  restartValues(100);
  const versions: Version[] = [firstVersion(random)];
  while (versions.length < length) {
    versions.push(nextVersion(versions.at(-1)!, versions.slice(0, -1), random));
  }
  return { program: { seed, build, versions }, random };
}

/** The programs to run. */
export interface Order {
  readonly seeds: readonly number[];
  readonly compilers: readonly string[];
  /** The number of versions of each. */
  readonly length: number;
}

/** Runs programs, and counts what became of their variables. */
export async function fuzzIdentity(
  folder: string,
  order: Order,
  failed: (error: Error) => void,
): Promise<Counts> {
  const counts: Counts = { kept: 0, fresh: 0, moved: 0, any: 0, refused: 0 };
  await forEach(
    folder,
    order,
    failed,
    (program, modules, random) => runProgram(program, modules, random, counts),
  );
  return counts;
}

/** Compiles programs for any processor, and judges their files without running them. */
export async function fuzzFiles(
  folder: string,
  order: Order,
  failed: (error: Error) => void,
): Promise<FileCounts> {
  const counts: FileCounts = { followed: 0, judged: 0, fresh: 0 };
  await forEach(folder, order, failed, (program, modules) => judgeFiles(program, modules, counts));
  return counts;
}

async function forEach(
  folder: string,
  { seeds: all, compilers, length }: Order,
  failed: (error: Error) => void,
  work: (program: Program, modules: Uint8Array<ArrayBuffer>[], random: Random) => void | Promise<void>,
): Promise<void> {
  for (let start = 0; start < all.length; start += BATCH) {
    const seeds = all.slice(start, start + BATCH);
    const made = seeds.map((seed) => programOf(seed, compilers, length));
    const there = join(folder, String(start));
    const modules = await buildAll(
      there,
      made.flatMap(({ program: { build, versions } }) =>
        versions.map((version) => ({ build, files: print(version) }))
      ),
    );
    for (const [index, { program, random }] of made.entries()) {
      try {
        await work(program, modules.slice(index * length, (index + 1) * length), random);
      } catch (error) {
        failed(error as Error);
      }
    }
    Deno.removeSync(there, { recursive: true });
  }
}
