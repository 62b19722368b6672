/** What the versions of Deno that the tests run on have, and what they lack. */

/** Whether a version of Deno is older than 2.`minor`. */
export function olderThan(minor: number, version: string = Deno.version.deno): boolean {
  const [major, itsMinor] = version.split(".").map(Number);
  return major < 2 || major === 2 && itsMinor < minor;
}

/** The options that have `deno test` check for leaks. Deno before 2.8 has no such options and always checks. */
export const LEAK_CHECKS: readonly string[] = olderThan(8) ? [] : ["--sanitize-resources", "--sanitize-ops"];

/** Whether this version has zstd. It is not tried out, so that a failure of the package does not hide itself. */
export const HAS_ZSTD: boolean = !olderThan(7);

/** Registers a test of something that Deno has since 2.`minor`. Older versions skip it. */
export function testSince(minor: number, name: string, fn: () => void | Promise<void>): void {
  const ignore = olderThan(minor);
  Deno.test({ name: ignore ? `${name} (SKIPPED: needs Deno 2.${minor})` : name, ignore, fn });
}

/** Registers a test that compresses or decompresses, for which Deno needs zstd. */
export function zstdTest(name: string, fn: () => void | Promise<void>): void {
  testSince(7, name, fn);
}
