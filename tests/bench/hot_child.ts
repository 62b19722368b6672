// Reloads a hot module in this process, and prints the milliseconds of CPU time that loads and reloads took, as
// `HotTimes`. Arguments: the number of rounds, and the paths of the first version without entries and of all versions.
import { ModuleRegistry } from "../../mod.ts";
import { time } from "./measure.ts";

/** Reloads in each round, and in the long one at the end. */
const RELOADS = 12, LONG = 200;

/** What the process prints, as JSON. */
export interface HotTimes {
  /** Of each round the first load of the version without entries, and of the same with entries. */
  readonly plain: number[];
  readonly hot: number[];
  /** Each of a round's reloads of one registry. */
  readonly rounds: Pair[][];
  /** Those of the long round. */
  readonly long: Pair[];
}

/** A reload, and the load of the same file before it. */
export interface Pair {
  readonly load: number;
  readonly reload: number;
}

const [rounds, ...paths] = Deno.args;
const [plain, ...versions] = paths.map((path) => Deno.readFileSync(path));
const times: HotTimes = { plain: [], hot: [], rounds: [], long: [] };

/** Reloads a module of a new registry; a load of the same file in another registry precedes each reload. */
function run(reloads: number): Pair[] {
  using registry = new ModuleRegistry();
  using loads = new ModuleRegistry();
  let hot = registry.loadBytes("hot", versions[0]);
  // The first load of a registry opens libraries, which is not part of the cost of a load.
  loads.loadBytes("first", versions[0]).close();
  let other = loads.loadBytes("plain", plain);
  other.close();
  times.plain.push(time(() => void (other = loads.loadBytes("plain", plain))));
  const pairs: Pair[] = [];
  for (let count = 1; count <= reloads; count++) {
    const bytes = versions[count % versions.length], loaded = other, previous = hot;
    // Both sides find one module that is still loaded, and the memory of one that was closed just before.
    const load = time(() => void (other = loads.loadBytes(`other ${count}`, bytes)));
    loaded.close();
    const reload = time(() => void (hot = registry.reload("hot", { bytes })));
    previous.close();
    pairs.push({ load, reload });
  }
  times.hot.push(pairs[0].load);
  return pairs;
}

// V8 compiles in the first rounds what the others use.
for (let round = 0; round < 3; round++) run(RELOADS);
for (const list of [times.plain, times.hot]) list.length = 0;
for (let round = 0; round < Number(rounds); round++) times.rounds.push(run(RELOADS));
times.long.push(...run(LONG));
console.log(JSON.stringify(times));
