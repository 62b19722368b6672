/**
 * Globs over symbol names: `*` any characters, `?` one, everything else itself.
 */

/** Whether a pattern is more than an exact name. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*") || pattern.includes("?");
}

/** Whether `text` matches `pattern`; in time at most the product of their lengths. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (pattern[p] === "?" || (p < pattern.length && pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** A set of exact names and globs, as `exports` and `keep` give them. */
export class NameMatcher {
  readonly exact: ReadonlySet<string>;
  readonly globs: readonly string[];

  constructor(patterns: readonly string[]) {
    this.exact = new Set(patterns.filter((pattern) => !isGlob(pattern)));
    this.globs = patterns.filter(isGlob);
  }

  matches(name: string): boolean {
    return this.exact.has(name) || this.globs.some((glob) => matchesGlob(glob, name));
  }
}
