/** Compares versions of Deno. */

/**
 * Whether a version is before another one, of which it compares as many parts as are given. A version in another
 * form is not a release, and newer than all.
 */
export function isBefore(version: string, ...other: readonly number[]): boolean {
  const parts = version.split(".").map((part) => parseInt(part));
  const differing = other.findIndex((part, index) => parts[index] !== part);
  return differing !== -1 && parts[differing] < other[differing];
}
