/**
 * Benchmarks linking whole static libraries against `ld -shared`.
 *
 * Run it alone with `deno run -A tests/bench/link_bench.ts`
 */
import { linkObjects } from "../../src/link/linker.ts";
import { staticLibrary } from "../support/real_archives.ts";
import { paired, wallTime } from "./measure.ts";
import { type Point, type Report, table } from "./report.ts";

/** Static libraries from small to large, with their Debian packages. */
const LIBRARIES: readonly (readonly [file: string, debian: string])[] = [
  ["libz.a", "zlib1g-dev"],
  ["libzstd.a", "libzstd-dev"],
  ["libsqlite3.a", "libsqlite3-dev"],
  ["libcrypto.a", "libssl-dev"],
];

function hasLinker(): boolean {
  try {
    return new Deno.Command("ld", { args: ["--version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs the benchmark: both linkers read the archive from a file and write the result to one. */
export function linkBench(rounds = 9): Report {
  const title = "link";
  if (!hasLinker()) return { title, series: [], skipped: ["there is no linker (ld)"] };
  const points: Point[] = [], skipped: string[] = [];
  const folder = Deno.makeTempDirSync({ prefix: "smf_link_bench_" });
  try {
    for (const [file, debian] of LIBRARIES) {
      const archive = staticLibrary(file);
      if (archive === undefined) {
        skipped.push(`${file}: Debian's ${debian} is not installed`);
        continue;
      }
      const path = `${folder}/${file}`;
      Deno.writeFileSync(path, archive);
      const args = ["-shared", "-Bsymbolic", "--whole-archive", path, "-o", `${folder}/out.so`];
      const linkOurs = () => {
        const { bytes } = linkObjects([{ name: file, bytes: Deno.readFileSync(path) }], { exports: ["*"] });
        Deno.writeFileSync(`${folder}/out.smf`, bytes);
      };
      const linkTheirs = () => new Deno.Command("ld", { args }).outputSync().success;
      if (!linkTheirs()) {
        skipped.push(`${file}: ld refuses it, its code is not position-independent`);
        continue;
      }
      const found = paired({ ours: () => wallTime(linkOurs), peer: () => wallTime(linkTheirs) }, rounds, 2);
      points.push({ size: archive.length, ours: found.ours, peer: found.peer, ratio: found.ratio, goal: 3 });
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  const series = [{ name: "link all", per: "bytes", unit: "ms", peer: "ld -shared", points }] as const;
  return { title, series, skipped };
}

if (import.meta.main) console.log(table(linkBench()));
