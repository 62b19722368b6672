/**
 * Links every static archive of well-known Debian packages whole, loads each in a process of its own, and
 * compares its size with that of the stripped shared library.
 *
 *     deno task archives [--share N] [--seed N] [PACKAGE...]
 *
 * `--share N` takes N of the small packages, chosen by the seed. Exits with status 75 if the packages cannot be
 * fetched, for the reason in the last line, and with 1 if an archive that `packages.ts` does not list as refused fails, or one
 * module is too large. Then runs the programs of `programs.ts` whose packages were fetched.
 */
import { parseArgs } from "@std/cli/parse-args";
import { chosen } from "./choice.ts";
import { basename, join } from "@std/path";
import { fetchArchives, type Fetched } from "./fetch.ts";
import { LARGE, NEEDS, SMALL, TOOLS } from "./packages.ts";
import { PROGRAMS, runProgram } from "./programs.ts";
import { judge, lineOf, ratioOf, type Row } from "./table.ts";
import { tryArchive } from "./trial.ts";

/** Time limit for one archive, in milliseconds. */
const TIMEOUT = 120_000;

/** Archives of large packages, which no share has. */
const BIG = /^lib(rocksdb|fftw3|tcmalloc|profiler|glog|readline|form|menu|panel|ncurses|tic)/;

const options = parseArgs(Deno.args, { string: ["share", "seed"] });
const seed = Number(options.seed ?? 16);
const packages = options._.length > 0
  ? options._.map(String)
  : options.share === undefined
  ? [...SMALL, ...LARGE]
  : chosen(SMALL, Number(options.share), seed);

const folder = Deno.makeTempDirSync({ prefix: "archives-" });
try {
  Deno.exitCode = await main();
} finally {
  Deno.removeSync(folder, { recursive: true });
}

async function main(): Promise<number> {
  const needed = Object.entries(NEEDS)
    .filter(([archive]) => options.share === undefined || !BIG.test(archive))
    .flatMap(([, needs]) => needs.map(([name]) => name));
  // Programs that are small enough for every run.
  if (options._.length === 0) needed.push("libluajit-5.1-dev", "libre2-dev");
  if (options._.length === 0 && options.share === undefined) needed.push(...TOOLS);
  let fetched: Fetched[];
  try {
    fetched = await fetchArchives([...new Set([...packages, ...needed])], folder);
  } catch (error) {
    console.log(`the packages cannot be fetched: ${(error as Error).message}`);
    return 75;
  }
  const needsOf = (archive: string) =>
    (NEEDS[basename(archive)] ?? []).map(([name, file]) => {
      const { archives, shared } = fetched.find((other) => other.package === name)!;
      const path = [...archives, ...shared].find((path) => basename(path).startsWith(file));
      if (path === undefined) throw new Error(`${name} has no ${file}`);
      return path;
    });
  const rows: Row[] = [];
  for (const { package: name, archives } of fetched.slice(0, packages.length)) {
    if (TOOLS.includes(name)) continue;
    for (const archive of archives) {
      const needs = needsOf(archive);
      let outcome = await tryArchive(archive, needs, folder, TIMEOUT);
      // It may need variables of the others in its package.
      const others = archives.filter((other) => other !== archive);
      if (!outcome.loaded && outcome.linked !== undefined && needs.length === 0 && others.length > 0) {
        outcome = await tryArchive(archive, others, folder, TIMEOUT);
      }
      rows.push({ package: name, archive, outcome });
      console.log(lineOf(rows.at(-1)!));
    }
  }
  const count = (holds: (row: Row) => boolean) => rows.filter(holds).length;
  const ratios = rows.map(({ outcome }) => ratioOf(outcome)).filter((ratio) => ratio !== undefined);
  const problems = judge(rows);
  const programs = PROGRAMS.filter((program) =>
    program.packages.every((name) => fetched.some((other) => other.package === name))
  );
  for (const program of programs) {
    const failure = await runProgram(program, folder, (name) => join(folder, name));
    console.log(`${program.source}: ${failure ?? "ok"}`);
    if (failure !== undefined) problems.push(`${program.source} fails`);
  }
  for (const problem of problems) console.log(`error: ${problem}`);
  console.log(
    `archives: ${rows.length} of ${packages.length} packages${options.share ? `, seed ${seed}` : ""}: ` +
      `${count(({ outcome }) => outcome.linked !== undefined)} linked, ` +
      `${count(({ outcome }) => outcome.loaded)} loaded; ld refuses ${rows.length - ratios.length}; ` +
      `largest ratio ${Math.max(0, ...ratios).toFixed(3)}; ${programs.length} programs`,
  );
  return problems.length === 0 ? 0 : 1;
}
