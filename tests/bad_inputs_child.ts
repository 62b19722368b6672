/**
 * Loads every bad input repeatedly with this machine's allocator, and prints how
 * many mappings and descriptors were added since the first round.
 */
import { ModuleLoader } from "../mod.ts";
import { BAD_INPUTS, GOOD } from "./support/bad_inputs.ts";
import { descriptors, mappings } from "./support/testing.ts";

const ROUNDS = 20;
const loader = new ModuleLoader();
using _good = loader.loadBytes(GOOD);

function round(): void {
  for (const { bytes, resolver, what } of BAD_INPUTS) {
    let loaded = false;
    try {
      loader.loadBytes(bytes, resolver);
      loaded = true;
    } catch {
      // Expected; other tests check the error.
    }
    if (loaded) throw new Error(`loaded: ${what}`);
  }
}

round();
const before = [mappings().length, descriptors().length];
for (let index = 0; index < ROUNDS; index++) round();
console.log(JSON.stringify({
  rounds: ROUNDS,
  mappings: mappings().length - before[0],
  descriptors: descriptors().length - before[1],
}));
