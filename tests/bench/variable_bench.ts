/**
 * Benchmarks variables: a static of `bind` and of `open`, before and after a reload, and a field of an accessor, against an
 * element of a typed array in JavaScript's own memory.
 *
 * Run it alone with `deno run -A tests/bench/variable_bench.ts`
 */
import { ModuleRegistry } from "../../mod.ts";
import { build } from "../support/modules.ts";
import { paired, time } from "./measure.ts";
import { type Report, type Series, table } from "./report.ts";

const READS = 1_000_000;
/** The goal: a read costs at most so many times as much as that of an element. */
const GOAL = 10;

/** Measures reads of variables. */
export function variableBench(rounds = 21): Report {
  using registry = new ModuleRegistry();
  const data = { n: new Uint8Array(8), points: new Uint8Array(16 * 1024) };
  const bytes = build({ routines: { nothing: { hex: "c3" } }, data });
  const module = registry.loadBytes("variables", bytes);
  const definitions = { n: { type: "f64" } } as const;
  const { symbols } = module.bind(definitions);
  using live = registry.open("variables", definitions);
  const followed = live.symbols;
  const points = module.view("points", {
    type: { struct: { x: "f64", y: "f32", z: "f32" } },
    count: 1024,
  });
  const plain = new Float64Array(1024);
  // Each loop has a function of its own: V8 keeps an access fast where it has seen one kind of object.
  const subjects: Readonly<Record<string, () => number>> = {
    "static of bind": () => {
      let sum = 0;
      for (let index = 0; index < READS; index++) sum += symbols.n;
      return sum;
    },
    "static of open": () => {
      let sum = 0;
      for (let index = 0; index < READS; index++) sum += followed.n;
      return sum;
    },
    "field of an accessor": () => {
      let sum = 0;
      for (let index = 0; index < READS; index++) sum += points[index & 1023].x;
      return sum;
    },
  };
  const element = (): number => {
    let sum = 0;
    for (let index = 0; index < READS; index++) sum += plain[index & 1023];
    return sum;
  };
  const followedLater = (): number => {
    let sum = 0;
    for (let index = 0; index < READS; index++) sum += followed.n;
    return sum;
  };
  const measured = ([name, read]: readonly [string, () => number]): Series => {
    const { ours, peer, ratio } = paired({ ours: () => time(read), peer: () => time(element) }, rounds, 3);
    const scale = 1e6 / READS;
    const point = { size: READS, ours: ours * scale, peer: peer * scale, ratio, goal: GOAL };
    return { name, per: "reads", unit: "ns", peer: "element of a typed array", points: [point] };
  };
  const series = Object.entries(subjects).map(measured);
  registry.reload("variables", { bytes });
  series.push(measured(["static of open, after a reload", followedLater]));
  return { title: "variables", series, skipped: [] };
}

if (import.meta.main) console.log(table(variableBench()));
