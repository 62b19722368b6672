/** Generates programs by their seeds, builds them together, and runs them. */

import { join } from "@std/path";
import { randomFrom } from "../../support/testing.ts";
import { type Build, compileAll } from "../identity/build.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { Random } from "../mutate.ts";
import { generate } from "./generate.ts";
import { print } from "./print.ts";
import { type Counts, type Linked, runProgram } from "./run.ts";

/** The number of programs that are compiled together. */
const BATCH = 16;
const VERSIONS = 3;

/** The ways to compile a program. */
function buildOf(random: Random, compilers: readonly string[]): Build {
  const compiler = random.pick(compilers);
  const special = compiler === "gcc"
    ? [[], ["-flive-patching=inline-clone"], ["-flive-patching=inline-clone", "-frecord-gcc-switches"], [
      "-fvisibility=hidden",
    ]]
    : [[], ["-fsemantic-interposition"], ["-fsemantic-interposition", "-frecord-command-line"]];
  return {
    compiler,
    flags: [
      random.pick(["-O2", "-O3"]),
      ...["-ffp-contract=off", "-fdata-sections"],
      ...(random.once(2) ? ["-ffunction-sections"] : []),
      ...(random.once(3) ? [] : ["-g"]),
      ...random.pick(special),
    ],
  };
}

/** Runs the programs of some seeds. */
export async function fuzzAbi(
  folder: string,
  { seeds: all, compilers }: { readonly seeds: readonly number[]; readonly compilers: readonly string[] },
  failed: (error: Error) => void,
): Promise<Counts> {
  const counts: Counts = { switched: 0, staying: 0, unclear: 0, unjudged: 0 };
  for (let start = 0; start < all.length; start += BATCH) {
    const made = all.slice(start, start + BATCH).map((seed) => {
      const random = new Random(randomFrom(Math.imul(seed + 1, 0x9e3779b1)));
      const build = buildOf(random, compilers);
      return { seed, build, program: generate(random, VERSIONS) };
    });
    const there = join(folder, String(start));
    const objects = await compileAll(
      there,
      made.flatMap(({ program, build }) =>
        program.versions.map((_, version) => ({
          build,
          files: [{ path: "m.c", text: print(program, version) }],
        }))
      ),
    );
    for (const [index, { seed, build, program }] of made.entries()) {
      try {
        const linked = program.versions.map((_, version): Linked => {
          const { bytes, map } = linkObjects(objects[index * VERSIONS + version], {
            hot: true,
            exports: ["run", "probe"],
          });
          return { bytes: bytes as Uint8Array<ArrayBuffer>, map };
        });
        await runProgram(program, build, seed, linked, counts);
      } catch (error) {
        failed(error as Error);
      }
    }
    Deno.removeSync(there, { recursive: true });
  }
  return counts;
}
