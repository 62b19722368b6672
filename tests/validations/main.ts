/**
 * `deno task validations`: takes the validations out of a copy of the package,
 * one at a time, and shows that a test fails without each.
 *
 * ```text
 * --only PATH     only files whose path contains this
 * --state FILE    where the results are; default .fuzz/validations.json
 * --fresh         forgets what earlier runs found
 * --list          shows the validations and tries none
 * ```
 *
 * What an earlier run saw killed is not tried again while its file stays the
 * same. The exit status is 1 if any validation can go unnoticed.
 */
import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { type Mutant, mutantsOf } from "./mutants.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** What is looked at. */
const WATCHED = [
  "src/smf",
  "src/image.ts",
  "src/relocate.ts",
  "src/relocation",
  "src/scan.ts",
  "src/thread_locals.ts",
  "src/link",
];

/** What the copy needs to run tests. */
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

/** Tests that may notice, beside the file's own and its folder's: pattern of the source, then the tests in order. */
const ALSO: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^src\/(smf|image|relocat|scan|thread_locals)/, [
    "tests/bad_inputs_test.ts",
    "tests/relocate_test.ts",
    "tests/relocate_aarch64_test.ts",
    "tests/fixtures_test.ts",
    "tests/fuzz",
  ]],
  [/^src\/link/, ["tests/fuzz"]],
];

/** Longer than any of these tests takes. */
const LIMIT_MS = 600_000;

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
const inPackage = (path: string): boolean => exists(join(ROOT, path));

/** Tests that compile or link much are not asked: they notice late, and only by accident what others do not. */
const SLOW = /\/(real_\w+|\w+_modules|compiler)_test|\/link\/oracle_test/;

/** The tests in a folder, or the one that this is. */
function testsIn(path: string): string[] {
  if (Deno.statSync(join(ROOT, path)).isFile) return [path];
  return [...Deno.readDirSync(join(ROOT, path))].map(({ name }) => `${path}/${name}`)
    .filter((test) => test.endsWith("_test.ts")).sort();
}

/** Groups of tests, the most likely to notice first. */
function testsFor(source: string): string[][] {
  const own = source.replace(/^src/, "tests").replace(/\.ts$/, "_test.ts");
  const folder = dirname(own);
  const beside = folder === "tests" || !inPackage(folder)
    ? []
    : testsIn(folder).filter((test) => test !== own);
  const also = ALSO.filter(([pattern]) => pattern.test(source)).flatMap(([, tests]) => tests).flatMap(
    testsIn,
  );
  return [[own].filter(inPackage), beside, also]
    .map((group) => group.filter((test) => !SLOW.test(test))).filter((group) => group.length > 0);
}

function copyInto(target: string, source: string): void {
  if (Deno.statSync(source).isFile) return Deno.copyFileSync(source, target);
  Deno.mkdirSync(target, { recursive: true });
  for (const { name } of Deno.readDirSync(source)) copyInto(join(target, name), join(source, name));
}

/** What tests do in the copy. What hangs was noticed, too, unless the machine is too busy: that is said apart. */
async function run(copy: string, tests: readonly string[]): Promise<"pass" | "fail" | "hang"> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), LIMIT_MS);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--allow-all", "--fail-fast", "--quiet", ...tests],
    cwd: copy,
    env: { SMF_STRESS: "0.02" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: controller.signal,
  }).output();
  clearTimeout(timer);
  return success ? "pass" : controller.signal.aborted ? "hang" : "fail";
}

/** By file and text of the mutant: which tests failed or hung, or that none did. */
type Results = Record<string, string>;
const SURVIVED = "survived";

async function keyOf(path: string, mutant: Mutant): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(path + mutant.text));
  return new Uint8Array(digest).toHex();
}

async function main(args: string[]): Promise<number> {
  const options = parseArgs(args, { string: ["only", "state"], boolean: ["fresh", "list"] });
  const state = options.state ?? join(ROOT, ".fuzz", "validations.json");
  Deno.mkdirSync(dirname(state), { recursive: true });
  const results: Results = !options.fresh && exists(state) ? JSON.parse(Deno.readTextFileSync(state)) : {};
  const copy = Deno.makeTempDirSync({ prefix: "validations-" });
  const survivors: string[] = [];
  const sound = new Set<string>();
  let count = 0;
  try {
    // Nobody who works on the package meanwhile changes what is tried.
    for (const name of COPIED.filter(inPackage)) copyInto(join(copy, name), join(ROOT, name));
    const sources = WATCHED.flatMap((path) => filesBelow(copy, path));
    for (const path of sources.filter((path) => path.includes(options.only ?? ""))) {
      const text = Deno.readTextFileSync(join(copy, path));
      const groups = testsFor(path);
      for (const mutant of mutantsOf(text)) {
        count++;
        const where = `${path}:${mutant.line}: ${mutant.what.slice(0, 100)}`;
        if (options.list) {
          console.log(where);
          continue;
        }
        const key = await keyOf(path, mutant);
        if ((results[key] ?? SURVIVED) !== SURVIVED) continue;
        Deno.writeTextFileSync(join(copy, path), mutant.text);
        results[key] = SURVIVED;
        for (const tests of groups) {
          const end = await run(copy, tests);
          if (end === "pass") continue;
          if (!sound.has(tests.join())) {
            // Tests that fail anyway would notice everything.
            Deno.writeTextFileSync(join(copy, path), text);
            if (await run(copy, tests) !== "pass") {
              throw new Error(`as it is, this fails: ${tests.join(" ")}`);
            }
            sound.add(tests.join());
          }
          results[key] = `${end} in ${tests.join(" ")}`;
          break;
        }
        Deno.writeTextFileSync(state, JSON.stringify(results, null, 1));
        if (results[key] === SURVIVED) survivors.push(where);
        console.log(`${results[key] === SURVIVED ? "SURVIVED" : results[key].slice(0, 4)} ${where}`);
      }
      Deno.writeTextFileSync(join(copy, path), text);
    }
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
  console.log(`${count} validations, ${survivors.length} of which can go unnoticed`);
  for (const survivor of survivors) console.log(`  ${survivor}`);
  return survivors.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
