/**
 * Builds the word counter and both versions of its rule.
 *
 *     deno run --allow-read --allow-write --allow-run=rustc examples/rust/build.ts
 */

import { linkObjects } from "@simple/loader";
import { fromFileUrl } from "@std/path";

/** A module: its source, its own compiler flags, and its exports. */
interface Recipe {
  readonly source: string;
  readonly flags: readonly string[];
  readonly exports: readonly string[];
}

/** The modules, by name. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  words: { source: "words.rs", flags: [], exports: ["count_words", "most_frequent"] },
  rule_v1: { source: "rule.rs", flags: ["-C", "panic=abort"], exports: ["normalize"] },
  rule_v2: { source: "rule.rs", flags: ["-C", "panic=abort", "--cfg", "version_2"], exports: ["normalize"] },
};

/** Flags for small code, with only the used parts of the standard library. */
const FLAGS = [
  "--edition",
  "2021",
  "-C",
  "opt-level=s",
  "-C",
  "lto",
  "-C",
  "codegen-units=1",
  "--crate-type",
  "staticlib",
];

const folder = new URL(".", import.meta.url);

/** The URL of a committed module. */
export function moduleOf(name: string): URL {
  return new URL(`${name}.smf`, folder);
}

/** Compiles and links a module; returns undefined if there is no compiler. */
export function build(name: string): Uint8Array | undefined {
  const { source, flags, exports } = RECIPES[name];
  const directory = Deno.makeTempDirSync();
  const archive = `${directory}/${name}.a`;
  try {
    const args = [...FLAGS, ...flags, "-o", archive, source];
    const { success, stderr } = new Deno.Command("rustc", { args, cwd: fromFileUrl(folder) }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const inputs = [{ name: `${name}.a`, bytes: Deno.readFileSync(archive) }];
    return linkObjects(inputs, { exports, reloadable: true, strip: true }).bytes;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

if (import.meta.main) {
  for (const name of Object.keys(RECIPES)) {
    const bytes = build(name);
    if (bytes === undefined) throw new Error("rustc is not installed");
    Deno.writeFileSync(moduleOf(name), bytes);
    console.log(`${name}.smf: ${bytes.length} bytes`);
  }
}
