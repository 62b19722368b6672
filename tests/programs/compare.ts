// Runs programs natively and as modules, and compares what they write and how they end.
import { AT_ONCE, inParallel } from "../support/in_parallel.ts";
import { outputWithin, runChild } from "../support/modules.ts";
import { type Build, build, buildDriver, type Variant } from "./build.ts";
import type { Job } from "./programs_child.ts";

/** A program in one variant, and what came of it. */
export interface Outcome {
  readonly name: string;
  readonly kind: "same" | "different" | "refused" | "skipped";
  /** Why, or in what it differs. */
  readonly detail: string;
}

/** What a program wrote to standard output, and how its process ended. */
interface Ending {
  readonly output: string;
  readonly code: number;
  readonly signal: string | null;
}

const TIMEOUT = 20_000;

/** Builds all programs in one variant, runs them both ways, and compares. */
export async function comparePrograms(
  sources: readonly { name: string; path: string }[],
  variant: Variant,
): Promise<Outcome[]> {
  const folder = Deno.makeTempDirSync();
  try {
    await buildDriver(folder);
    const builds = await inParallel(sources, ({ path }, index) => build(folder, `p${index}`, path, variant));
    const natives = await inParallel(builds, (one, index) => runNative(folder, index, one));
    const jobs = builds.flatMap((one, index) =>
      one.kind === "built" && typeof natives[index] !== "string"
        ? [{ index, modules: one.modules, output: `${folder}/out${index}` }]
        : []
    );
    const share = Math.ceil(jobs.length / AT_ONCE);
    const shares = Array.from({ length: AT_ONCE }, (_, i) => jobs.slice(i * share, (i + 1) * share));
    const endings = new Map<number, Ending | string>();
    await inParallel(shares, async (some, index) => {
      const ends = await runModules(`${folder}/jobs${index}`, some);
      some.forEach((job, i) => endings.set(job.index, ends[i]));
    });
    return sources.map(({ name }, index) => ({
      name: `${name} (${variant.name})`,
      ...outcomeOf(builds[index], natives[index], endings.get(index)),
    }));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function outcomeOf(
  built: Build,
  native: Ending | string,
  module: Ending | string | undefined,
): Omit<Outcome, "name"> {
  if (built.kind !== "built") return { kind: built.kind, detail: built.reason };
  if (typeof native === "string") return { kind: "skipped", detail: native };
  if (typeof module !== "object") return { kind: "refused", detail: module ?? "it did not run" };
  const [wanted, got] = [native, module].map((ending) => JSON.stringify(ending));
  return wanted === got
    ? { kind: "same", detail: "" }
    : { kind: "different", detail: `native ${wanted}, module ${got}` };
}

/** Runs the native program; a text says why its answers cannot be compared. */
async function runNative(folder: string, index: number, built: Build): Promise<Ending | string> {
  if (built.kind !== "built") return "it was not built";
  const run = async (): Promise<Ending> => {
    // Output goes to a file on both sides, since the C library buffers a terminal and a pipe differently.
    const args = ["-c", 'exec "$0" > "$1"', built.executable, `${folder}/native${index}`];
    const { code, signal } = await outputWithin("sh", { args, stdin: "null" }, TIMEOUT);
    return { output: readOutput(`${folder}/native${index}`), code: signal === null ? code : 0, signal };
  };
  const first = await run();
  if (first.signal === "SIGKILL") return "it does not end by itself";
  const second = await run();
  return JSON.stringify(first) === JSON.stringify(second) ? first : "it answers differently each time";
}

function readOutput(path: string): string {
  try {
    return new TextDecoder("latin1").decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Runs modules in one process after the other: the next begins behind the program that ended the last one. */
async function runModules(path: string, jobs: readonly Job[]): Promise<(Ending | string)[]> {
  const ends: (Ending | string)[] = [];
  while (ends.length < jobs.length) {
    Deno.writeTextFileSync(path, JSON.stringify(jobs.slice(ends.length)));
    const child = await runChild(new URL("./programs_child.ts", import.meta.url), {
      args: [path],
      timeout: TIMEOUT + 2_000 * jobs.length,
    });
    const ended = child.stderr.split("\n").filter((line) => line.startsWith("ended "));
    for (const line of ended) {
      const { error } = JSON.parse(line.slice("ended ".length)) as { error?: string };
      const { output } = jobs[ends.length];
      ends.push(error ?? { output: readOutput(output), code: 0, signal: null });
    }
    if (ends.length === jobs.length) break;
    const { code, signal } = child;
    ends.push({ output: readOutput(jobs[ends.length].output), code: signal === null ? code : 0, signal });
  }
  return ends;
}
