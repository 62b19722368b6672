/** Runs this Deno for the build. */
import { fromFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/**
 * Runs this Deno in the repository.
 *
 * @returns the bytes that it prints.
 * @throws {Error} If it fails, with what it prints to standard error.
 */
export function deno(...args: string[]): Uint8Array {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" })
    .outputSync();
  if (!success) throw new Error(`deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}
