/**
 * Modules that {@link file://./build.ts} has made elsewhere, since compilers do not run where the tests do, or slowly.
 * The environment's SMF_FORMAT_MODULES names their folder.
 */
import { join } from "@std/path";
import type { Toolchain } from "./compilers.ts";
import type { Source } from "./sources.ts";

/** In the folder: what could not be made, and why, by the names of compilers and libraries. */
export const REASONS = "reasons.json";

const FOLDER = Deno.env.get("SMF_FORMAT_MODULES");

/** Whether there is such a folder. */
export const IS_BUILT: boolean = FOLDER !== undefined;

/** The file name of a cell's module. */
export function nameOf({ format, name }: Toolchain, source: Source): string {
  return `${format} of ${name}: ${source.name}`.replaceAll(/\W+/g, "_") + ".smf";
}

/** Why there is nothing of a compiler or library; undefined if there is. */
export function whyNotBuilt(maker: string): string | undefined {
  if (FOLDER === undefined) {
    return "needs SMF_FORMAT_MODULES, a folder that tests/formats/build.ts fills on Linux";
  }
  const reasons: Record<string, string> = JSON.parse(Deno.readTextFileSync(join(FOLDER, REASONS)));
  return reasons[maker];
}

/** The bytes of a file that was made. */
export function fromBuilt(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(join(FOLDER!, name));
}
