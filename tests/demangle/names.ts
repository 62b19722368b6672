// Names of gcc, clang and rustc with what they stand for: one a line, with a tab between.
const NAMES = Deno.readTextFileSync(new URL("names.txt", import.meta.url));

/** The lines of names.txt. */
export function textLines(): readonly string[] {
  return NAMES.trimEnd().split(/\r?\n/);
}
