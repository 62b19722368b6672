/**
 * `deno task validations`: mutation testing of the validations in the format, the
 * image, the relocations, the linker and the types. Switches off one validation at a time in
 * a copy of the package, and checks that a test fails without it.
 *
 * ```text
 * --only PATH     only files whose path contains this
 * --state FILE    the file with the results; default .fuzz/validations.json
 * --fresh         ignore the results of earlier runs
 * --list          list the validations and try none
 * ```
 *
 * A validation whose absence an earlier run noticed is not tried again while its
 * file stays the same. The exit status is 1 if the absence of any validation goes
 * unnoticed.
 */
import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { TextLineStream } from "../fuzz/lines.ts";
import { switchable, type Validation } from "./mutants.ts";
import type { Line, Work } from "./runner.ts";
import { hexBytes } from "../support/digits.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** The sources to mutate, and the tests that run on them, the most likely to fail first. */
const MUTATED: readonly { readonly sources: readonly string[]; readonly tests: readonly string[] }[] = [
  { sources: ["src/smf"], tests: ["tests/smf", "tests/bad_inputs_test.ts", "tests/fixtures_test.ts"] },
  {
    sources: [
      "src/image/plan.ts",
      "src/image/relocation",
    ],
    tests: [
      "tests/image/plan_test.ts",
      "tests/image/arrange_test.ts",
      "tests/image/relocation/scan_test.ts",
      "tests/image/relocation/thread_locals_test.ts",
      "tests/image/relocation/relocate_test.ts",
      "tests/image/relocation/relocate_aarch64_test.ts",
      "tests/bad_inputs_test.ts",
    ],
  },
  { sources: ["src/link"], tests: ["tests/link"] },
  { sources: ["src/types"], tests: ["tests/types"] },
];

/** Tests that compile or link a lot do not run: they are slow, and notice more than the others only by accident. */
const SLOW = /\/(real_\w+|\w+_modules|compiler)_test|\/link\/oracle_test/;

/** The files that the copy needs to run tests. */
const COPIED = [
  "deno.json",
  "deno.lock",
  "mod.ts",
  "src",
  "tests",
  "fixtures",
  "examples",
  ".ci",
  "README.md",
];

/** The time that a runner may be silent: far longer than all of its tests take. */
const SILENCE_MS = 600_000;

function filesBelow(root: string, path: string): string[] {
  if (Deno.statSync(join(root, path)).isFile) return [path];
  return [...Deno.readDirSync(join(root, path))].flatMap(({ name }) => filesBelow(root, `${path}/${name}`))
    .filter((file) => file.endsWith(".ts")).sort();
}

const exists = (path: string): boolean => {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
};

function copyInto(target: string, source: string): void {
  if (Deno.statSync(source).isFile) return Deno.copyFileSync(source, target);
  Deno.mkdirSync(target, { recursive: true });
  for (const { name } of Deno.readDirSync(source)) copyInto(join(target, name), join(source, name));
}

/** Runs a runner to its end; a runner that hangs or crashes has noticed the mutant that it was trying. */
async function run(copy: string, work: Work, receive: (line: Line) => void): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", "tests/validations/runner.ts", JSON.stringify(work)],
    cwd: copy,
    env: { SMF_STRESS: "0.01" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let trying: number | undefined;
  const killRunner = (): void => child.kill("SIGKILL");
  let watchdog = setTimeout(killRunner, SILENCE_MS);
  for await (
    const text of child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
  ) {
    // Other lines are output of the tests.
    if (!text.startsWith('{"is":')) continue;
    clearTimeout(watchdog);
    const line: Line = JSON.parse(text);
    if (line.is !== "ready") trying = line.is === "trying" ? line.number : undefined;
    receive(line);
    watchdog = setTimeout(killRunner, SILENCE_MS);
  }
  clearTimeout(watchdog);
  await child.status;
  if (trying !== undefined) receive({ is: "noticed", number: trying, by: "the end of the process" });
}

/** For each validation, the test that noticed its absence, or {@linkcode SURVIVED}. */
type Results = Record<string, string>;
const SURVIVED = "none";

interface Known extends Validation {
  readonly path: string;
  /** Identifies the validation as long as its file stays the same. */
  readonly key: string;
}

const show = ({ path, line, what }: Known): string => `${path}:${line}: ${what.slice(0, 100)}`;

async function main(args: string[]): Promise<number> {
  const options = parseArgs(args, { string: ["only", "state"], boolean: ["fresh", "list"] });
  const state = options.state ?? join(ROOT, ".fuzz", "validations.json");
  Deno.mkdirSync(dirname(state), { recursive: true });
  const results: Results = !options.fresh && exists(state) ? JSON.parse(Deno.readTextFileSync(state)) : {};
  const copy = Deno.makeTempDirSync({ prefix: "validations-" });
  const all: Known[] = [];
  try {
    // Changes to the package during the run do not affect the copy.
    for (const name of COPIED) if (exists(join(ROOT, name))) copyInto(join(copy, name), join(ROOT, name));
    for (const { sources, tests } of MUTATED) {
      const own: Known[] = [];
      for (const path of sources.flatMap((source) => filesBelow(copy, source))) {
        const text = Deno.readTextFileSync(join(copy, path));
        const switches = switchable(text, all.length + own.length + 1);
        Deno.writeTextFileSync(join(copy, path), switches.text);
        const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
        const hash = hexBytes(new Uint8Array(digest)).slice(0, 16);
        switches.validations.forEach((validation, index) =>
          own.push({ ...validation, path, key: `${path} ${hash} ${index}` })
        );
      }
      all.push(...own);
      const selected = tests.flatMap((test) => filesBelow(copy, test))
        .filter((test) => test.endsWith("_test.ts") && !SLOW.test(test));
      const rest = new Map(
        own.filter(({ path, key }) =>
          path.includes(options.only ?? "") && (results[key] ?? SURVIVED) === SURVIVED
        ).map((one) => [one.number, one]),
      );
      const spoilt = new Set<number>();
      while (rest.size > 0 && !options.list) {
        const before = rest.size + spoilt.size;
        const validations = [...rest.values()].map(({ number, path }) =>
          [number, path.replace(/^src/, "tests").replace(/\.ts$/, "_test.ts")] as const
        );
        await run(copy, { tests: selected, validations }, (line) => {
          if (line.is === "ready") {
            console.log(
              `${sources.join(" ")}: ${line.tests} tests; left out: ${line.left.join(", ") || "none"}`,
            );
          } else if (line.is === "spoilt" && !spoilt.has(line.number)) {
            spoilt.add(line.number);
          } else if (line.is !== "trying") {
            const one = rest.get(line.number)!;
            results[one.key] = line.is === "survived" ? SURVIVED : line.by;
            rest.delete(line.number);
            Deno.writeTextFileSync(state, JSON.stringify(results, null, 1));
            console.log(`${line.is === "survived" ? "SURVIVED" : "noticed "} ${show(one)}`);
          }
        });
        if (rest.size + spoilt.size === before) throw new Error("Cannot go on: a runner made no progress");
      }
    }
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
  if (options.list) { for (const one of all) console.log(show(one)); }
  const wanted = all.filter(({ path }) => path.includes(options.only ?? ""));
  const survivors = wanted.filter(({ key }) => results[key] === SURVIVED);
  console.log(`${wanted.length} validations, ${survivors.length} of which can be removed unnoticed`);
  for (const survivor of survivors) console.log(`  ${show(survivor)}`);
  return survivors.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
