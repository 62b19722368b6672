/**
 * Runs one batch of cases in a process of its own, so that a crash or a hang
 * ends only this process. session.ts starts it with the path of a
 * {@linkcode Batch} as JSON; it prints {@linkcode Line}s of JSON.
 */
import { descriptors } from "../support/testing.ts";
import { exhaustiveCases, RandomCases, type Target, tryMutant } from "./cases.ts";
import { readCorpus } from "./corpus.ts";
import { Harness } from "./harness.ts";
import { Finding } from "./outcome.ts";
import { toBase64 } from "../support/digits.ts";

/** The task of a child. */
export interface Batch {
  /** The seed of random mutants; `undefined` for exhaustive ones. */
  readonly seed?: number | undefined;
  /** The folder of the corpus, which the child only reads. */
  readonly corpus: string;
  /** The size of the corpus when the batch began. */
  readonly corpusSize: number;
  /** Features that are known: a mutant is kept only for others. */
  readonly known: readonly string[];
  readonly from: number;
  readonly to: number;
  /** Every `step`-th case is tried. */
  readonly step: number;
  /** The path to which each mutant is written before it is tried, so that a crash leaves it. */
  readonly trace?: string | undefined;
}

/** A line of a child's output: it is alive, has found a new feature or a fault, or is done. */
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
  /** The number of relocations that were computed a second time. */
  readonly judged: number;
  /** The number of bytes that were read, and the size of the files together. */
  readonly read: number;
  readonly size: number;
}

/** The largest mutant that is kept. */
const MAX_KEPT = 16_384;
/** The most bytes that the process may grow by; one image may take 1 GiB of address space, but not of memory. */
const MAX_GROWTH = 2 ** 29;

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
    using harness = new Harness();
    openBefore = descriptors();
    let memory = 0;
    for (let index = batch.from; index < last; index += batch.step) {
      const mutant = cases.make(index);
      if (batch.trace !== undefined) Deno.writeFileSync(batch.trace, mutant.bytes);
      count++;
      try {
        const outcome = tryMutant(mutant, harness);
        if (outcome.loaded) loaded++;
        judged += outcome.judged;
        const fresh = outcome.features.filter((feature) => !features.has(feature));
        for (const feature of outcome.features) features.set(feature, (features.get(feature) ?? 0) + 1);
        if (fresh.length > 0 && mutant.bytes.length <= MAX_KEPT && batch.seed !== undefined) {
          const bytes = toBase64(mutant.bytes);
          say({ is: "new", features: fresh, target: mutant.target, bytes });
        }
      } catch (error) {
        const what = error instanceof Finding ? error.message : (error as Error).stack ?? String(error);
        say({ is: "finding", what, target: mutant.target, bytes: toBase64(mutant.bytes) });
      }
      if (count % 256 !== 0) continue;
      say({ is: "alive", index });
      const { rss } = Deno.memoryUsage();
      // Growth counts from then on: the first cases warm up the engine.
      if (count === 1024) memory = rss;
      if (count > 1024 && rss - memory > MAX_GROWTH) {
        say({ is: "finding", what: `${rss - memory} bytes of growth`, target: mutant.target, bytes: "" });
        memory = rss;
      }
    }
    const openAfter = descriptors();
    if (openAfter.join() !== openBefore.join()) {
      const what = `open before: ${openBefore.join()}, after: ${openAfter.join()}`;
      say({ is: "finding", what, target: "module", bytes: "" });
    }
    work = harness.work;
  }
  const totals = { cases: count, loaded, judged, read: work.read, size: work.size };
  say({ is: "done", features: Object.fromEntries([...features].filter(([, times]) => times > 0)), totals });
}
