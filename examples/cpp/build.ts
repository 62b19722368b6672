/**
 * Builds the calculator.
 *
 *     deno run --allow-read --allow-write --allow-run=g++ examples/cpp/build.ts
 */

import { linkObjects } from "@simple/loader";
import { fromFileUrl } from "@std/path";

/** The versions of the calculator. */
export const VERSIONS: readonly number[] = [1, 2];

/** The URL of a version's committed module. */
export function moduleOf(version: number): URL {
  return new URL(`calculator_v${version}.smf`, import.meta.url);
}

/** Compiles and links a version; returns undefined if there is no compiler. */
export function build(version: number): Uint8Array | undefined {
  const source = fromFileUrl(new URL("calculator.cpp", import.meta.url));
  const object = Deno.makeTempFileSync({ suffix: ".o" });
  try {
    const args = ["-Os", "-fPIC", `-DVERSION=${version}`, "-c", source, "-o", object];
    const { success, stderr } = new Deno.Command("g++", { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const inputs = [{ name: "calculator.o", bytes: Deno.readFileSync(object) }];
    return linkObjects(inputs, { exports: ["calculate", "calculated"], reloadable: true, strip: true }).bytes;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    Deno.removeSync(object);
  }
}

if (import.meta.main) {
  for (const version of VERSIONS) {
    const bytes = build(version);
    if (bytes === undefined) throw new Error("g++ is not installed");
    Deno.writeFileSync(moduleOf(version), bytes);
    console.log(`calculator_v${version}.smf: ${bytes.length} bytes`);
  }
}
