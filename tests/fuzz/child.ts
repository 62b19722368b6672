/**
 * Runs one batch of cases in a process of its own, so that a crash or a hang
 * ends nothing but that. Started by session.ts with a {@linkcode Batch} as its
 * argument's contents; answers with lines of JSON.
 */
import { descriptors } from "../support/testing.ts";
import { exhaustiveCases, RandomCases, type Target, tryMutant } from "./cases.ts";
import { readCorpus } from "./corpus.ts";
import { Bench, Finding } from "./trial.ts";

/** What a child is told. */
export interface Batch {
  /** Of the random mutants; `undefined` for the exhaustive ones. */
  readonly seed?: number | undefined;
  /** The folder of mutants that were kept; read only. */
  readonly corpus: string;
  /** How many of them there were when the batch began. */
  readonly corpusSize: number;
  /** Features that are known; nothing is kept for them. */
  readonly known: readonly string[];
  readonly from: number;
  readonly to: number;
  /** Every `step`-th case is tried. */
  readonly step: number;
  /** Where to write each mutant before it is tried, to have it after a crash. */
  readonly trace?: string | undefined;
}

/** What a child says: that it is alive, that something is new or wrong, that it is done. */
export type Line =
  | { readonly is: "alive"; readonly index: number }
  | {
    readonly is: "new";
    readonly features: readonly string[];
    readonly target: Target;
    readonly bytes: string;
  }
  | { readonly is: "finding"; readonly what: string; readonly target: Target; readonly bytes: string }
  | { readonly is: "done"; readonly features: Record<string, number>; readonly totals: Totals };

/** Counts of one batch. */
export interface Totals {
  readonly cases: number;
  readonly loaded: number;
  /** Relocations that were computed a second time. */
  readonly judged: number;
  /** Bytes that were read, of files with so many. */
  readonly read: number;
  readonly size: number;
}

/** Larger mutants are not kept. */
const LARGEST = 16_384;
/** What the process may grow by, in bytes; a single image may take 1 GiB of address space, but not of memory. */
const MOST_GROWTH = 2 ** 29;

if (import.meta.main) run(JSON.parse(Deno.readTextFileSync(Deno.args[0])));

function run(batch: Batch): void {
  const say = (line: Line) => console.log(JSON.stringify(line));
  const cases = batch.seed === undefined
    ? exhaustiveCases()
    : new RandomCases(batch.seed, readCorpus(batch.corpus, batch.corpusSize));
  const features = new Map<string, number>(batch.known.map((feature) => [feature, 0]));
  let count = 0, loaded = 0, judged = 0, work = { read: 0, size: 0 };
  const last = Math.min(batch.to, cases.count);
  say({ is: "alive", index: batch.from });
  let openBefore: readonly string[] = [];
  {
    using bench = new Bench();
    openBefore = descriptors();
    let memory = 0;
    for (let index = batch.from; index < last; index += batch.step) {
      const mutant = cases.make(index);
      if (batch.trace !== undefined) Deno.writeFileSync(batch.trace, mutant.bytes);
      count++;
      try {
        const outcome = tryMutant(mutant, bench);
        if (outcome.loaded) loaded++;
        judged += outcome.judged;
        const fresh = outcome.features.filter((feature) => !features.has(feature));
        for (const feature of outcome.features) features.set(feature, (features.get(feature) ?? 0) + 1);
        if (fresh.length > 0 && mutant.bytes.length <= LARGEST && batch.seed !== undefined) {
          const bytes = mutant.bytes.toBase64();
          say({ is: "new", features: fresh, target: mutant.target, bytes });
        }
      } catch (error) {
        const what = error instanceof Finding ? error.message : (error as Error).stack ?? String(error);
        say({ is: "finding", what, target: mutant.target, bytes: mutant.bytes.toBase64() });
      }
      if (count % 256 !== 0) continue;
      say({ is: "alive", index });
      const { rss } = Deno.memoryUsage();
      // The first cases bring the engine to its size.
      if (count === 1024) memory = rss;
      if (count > 1024 && rss - memory > MOST_GROWTH) {
        say({ is: "finding", what: `${rss - memory} bytes of growth`, target: mutant.target, bytes: "" });
        memory = rss;
      }
    }
    const openAfter = descriptors();
    if (openAfter.join() !== openBefore.join()) {
      const what = `open before: ${openBefore.join()}, after: ${openAfter.join()}`;
      say({ is: "finding", what, target: "module", bytes: "" });
    }
    work = bench.work;
  }
  const totals = { cases: count, loaded, judged, read: work.read, size: work.size };
  say({ is: "done", features: Object.fromEntries([...features].filter(([, times]) => times > 0)), totals });
}
