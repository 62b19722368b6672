/** Finds the test scripts of mold: in a folder that is named, or in the source package of Debian. */
import { join } from "@std/path";
import { downloadSources, run } from "../support/debian_sources.ts";

/** Debian's releases that are asked, in this order. */
const SUITES = ["trixie", "bookworm"];

/**
 * Returns the folder of the scripts, below `folder` if they are fetched.
 *
 * @param given A folder of mold's sources, or of the scripts themselves.
 */
export async function findScripts(folder: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return scriptsIn(given);
  await fetchSources(folder);
  return scriptsIn(join(folder, "mold"));
}

/** The folder with `common.inc`, here or in one of the places where mold's sources had it. */
function scriptsIn(folder: string): string {
  for (const place of [".", "test", "test/elf"]) {
    try {
      if (Deno.statSync(join(folder, place, "common.inc")).isFile) return join(folder, place);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`${folder} has no test scripts of mold`);
}

/** Downloads and unpacks the sources. */
async function fetchSources(folder: string): Promise<void> {
  let problem: unknown;
  try {
    // Debian's own changes are not needed, so the archive of the sources is enough if only they are missing.
    await downloadSources(folder, SUITES, ["mold"]);
  } catch (error) {
    problem = error;
  }
  const archive = [...Deno.readDirSync(folder)].find(({ name }) => /^mold_.*\.orig\.tar\./.test(name));
  if (archive === undefined) throw problem ?? new Error("apt-get: no sources of mold");
  Deno.mkdirSync(join(folder, "mold"));
  await run("tar", ["-xf", archive.name, "-C", "mold", "--strip-components=1"], folder);
}
