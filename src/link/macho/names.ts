/**
 * The names of symbols on macOS, where those of C have an underscore in front; the linker goes without it.
 */

const UNDERSCORE = 0x5f;

/** Returns the start of a name without the underscore in front. */
export function plainNameStart(bytes: Uint8Array, start: number, end: number): number {
  return end - start > 1 && bytes[start] === UNDERSCORE ? start + 1 : start;
}

/** Returns a name without the underscore in front. */
export function plainName(name: string): string {
  return name.length > 1 && name.startsWith("_") ? name.slice(1) : name;
}
