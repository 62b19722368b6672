// Runs some generated programs that are reloaded while their loop runs; `deno task fuzz --programs abi` runs more.
import { assert } from "@std/assert";
import { testWithCompilers } from "../support/compilers.ts";
import { stress } from "../support/testing.ts";
import { fuzzAbi } from "./abi/programs.ts";

/** Programs of every build whose functions have clones, go and come back, return constants, or are folded into one. */
const TRICKY = [29, 31, 32, 63, 64, 94, 382];

testWithCompilers(
  ["gcc", "clang"],
  "a loop that goes on through reloads calls the functions that smf link --hot says, whatever the compiler knows of them",
  async (folder) => {
    const seeds = [
      ...TRICKY,
      ...Array.from({ length: Math.max(12, stress(360)) }, (_, index) => 1000 + index),
    ];
    const counts = await fuzzAbi(folder, { seeds, compilers: ["gcc", "clang"] }, (error) => {
      throw error;
    });
    const { switched, staying, unjudged } = counts;
    assert(switched > 100 && staying > 100 && unjudged < seeds.length / 8, JSON.stringify(counts));
  },
);
