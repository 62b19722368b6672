/**
 * A fuzzing session: runs batches, each in a child process under a watchdog, and
 * keeps its findings and its state in a folder, so that it can be resumed.
 */
import { fromFileUrl, join } from "@std/path";
import { TextLineStream } from "./lines.ts";
import type { Target } from "./cases.ts";
import type { Batch, Line, Totals } from "./child.ts";
import { corpusSize, keep } from "./corpus.ts";
import { fromBase64 } from "../support/digits.ts";

const CHILD = fromFileUrl(new URL("child.ts", import.meta.url));

/** The longest time that a child may print nothing: cases take less than a millisecond. */
const PATIENCE_MS = 120_000;

/** The state of a session. */
export interface State {
  readonly seed: number;
  /** The number of the next random case. */
  next: number;
  /** The number of the next exhaustive case. */
  nextExhaustive: number;
  totals: Totals;
  /** The number of times that each feature of an outcome occurred. */
  features: Record<string, number>;
  findings: string[];
}

const NOTHING: Totals = { cases: 0, loaded: 0, judged: 0, read: 0, size: 0 };

/** A fuzzing session in a folder. */
export class Session {
  readonly state: State;
  readonly #folder: string;
  readonly #corpus: string;
  readonly #log: (line: string) => void;
  readonly #child: string;
  readonly #patience: number;

  /**
   * Starts a session, or resumes the one in the folder.
   *
   * @param seed The seed of a new session; `undefined` to resume.
   * @param options Another child, and the milliseconds that it may print nothing, for tests.
   */
  constructor(
    folder: string,
    seed: number | undefined,
    log: (line: string) => void,
    { child = CHILD, patience = PATIENCE_MS } = {},
  ) {
    this.#child = child;
    this.#patience = patience;
    this.#folder = folder;
    this.#corpus = join(folder, "corpus");
    this.#log = log;
    Deno.mkdirSync(folder, { recursive: true });
    if (seed === undefined) {
      this.state = JSON.parse(Deno.readTextFileSync(join(folder, "state.json")));
      return;
    }
    if (corpusSize(this.#corpus) > 0) Deno.removeSync(this.#corpus, { recursive: true });
    this.state = { seed, next: 0, nextExhaustive: 0, totals: NOTHING, features: {}, findings: [] };
  }

  /** Tries `count` random mutants. */
  async random(count: number): Promise<void> {
    const { seed, next } = this.state;
    await this.#batch({ ...this.#fresh(), seed, from: next, to: next + count });
    this.state.next = next + count;
    this.#save();
  }

  /** Tries `count` exhaustive cases, every `step`-th of `total`; answers whether there are more. */
  async exhaustive(count: number, step: number, total: number): Promise<boolean> {
    const { nextExhaustive: from } = this.state;
    const to = Math.min(total, from + count * step);
    await this.#batch({ ...this.#fresh(), from, to, step });
    this.state.nextExhaustive = to;
    this.#save();
    return to < total;
  }

  #fresh(): Omit<Batch, "from" | "to"> {
    const known = Object.keys(this.state.features);
    return { corpus: this.#corpus, corpusSize: corpusSize(this.#corpus), known, step: 1 };
  }

  /** Runs a batch. If its child ends early, runs it again with a trace, to find the case. */
  async #batch(batch: Batch): Promise<void> {
    const first = await this.#run(batch);
    if (first.ended === undefined) return;
    this.#log(`a child ${first.ended} in cases ${batch.from} to ${batch.to}: looking for the case`);
    const trace = join(this.#folder, "current.bin");
    const second = await this.#run({ ...batch, trace });
    const culprit = second.ended === undefined ? undefined : Deno.readFileSync(trace);
    // Objects and archives are known by their magic, which most mutants keep.
    const target: Target = culprit?.[0] === 0x7f || culprit?.[0] === 0x21 ? "object" : "module";
    this.#finding(
      `a child ${first.ended}, the second time it ${second.ended ?? "did not"}`,
      target,
      culprit,
    );
  }

  async #run(batch: Batch): Promise<{ ended?: string }> {
    const path = join(this.#folder, "batch.json");
    Deno.writeTextFileSync(path, JSON.stringify(batch));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-all", this.#child, path],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let hung = false, done = false;
    const kill = (): void => {
      hung = true;
      child.kill("SIGKILL");
    };
    let watchdog = setTimeout(kill, this.#patience);
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    ) {
      clearTimeout(watchdog);
      const line: Line = JSON.parse(text);
      done ||= line.is === "done";
      this.#handle(line);
      watchdog = setTimeout(kill, this.#patience);
    }
    const { code, signal } = await child.status;
    clearTimeout(watchdog);
    if (hung) return { ended: `was silent for ${this.#patience / 1000} s` };
    return done && code === 0 ? {} : { ended: `ended with ${signal ?? `exit status ${code}`}` };
  }

  #handle(line: Line): void {
    switch (line.is) {
      case "new":
        for (const feature of line.features) this.state.features[feature] ??= 0;
        keep(this.#corpus, { target: line.target, bytes: fromBase64(line.bytes) });
        return;
      case "finding":
        this.#finding(line.what, line.target, fromBase64(line.bytes));
        return;
      case "done": {
        const { state } = this;
        for (const [feature, times] of Object.entries(line.features)) {
          state.features[feature] = (state.features[feature] ?? 0) + times;
        }
        const sum = (name: keyof Totals) => state.totals[name] + line.totals[name];
        state.totals = {
          cases: sum("cases"),
          loaded: sum("loaded"),
          judged: sum("judged"),
          read: sum("read"),
          size: sum("size"),
        };
      }
    }
  }

  #finding(what: string, target: Target, bytes = new Uint8Array(0)): void {
    const folder = join(this.#folder, "findings");
    Deno.mkdirSync(folder, { recursive: true });
    const path = join(folder, `${String(this.state.findings.length).padStart(4, "0")}.${target}.bin`);
    Deno.writeFileSync(path, bytes);
    this.state.findings.push(what);
    this.#log(`FOUND ${path}: ${what}`);
  }

  #save(): void {
    const path = join(this.#folder, "state.json");
    Deno.writeTextFileSync(`${path}.new`, JSON.stringify(this.state, null, 1));
    Deno.renameSync(`${path}.new`, path);
  }

  /** The work done so far, in one line. */
  summary(): string {
    const { totals, features, findings, seed } = this.state;
    return `seed ${seed}: ${totals.cases} mutants, ${totals.loaded} loaded, ${totals.judged} relocations ` +
      `computed twice, ${Object.keys(features).length} features, ${corpusSize(this.#corpus)} kept, ` +
      `${findings.length} findings`;
  }
}
