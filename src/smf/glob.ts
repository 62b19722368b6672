/**
 * Globs over symbol names: `*` matches any characters, `?` exactly one, every other character itself.
 */

/** Whether a pattern has a wildcard, so that it is more than an exact name. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*") || pattern.includes("?");
}

/**
 * Whether `text` matches `pattern`. Takes time at most in proportion to the product of their
 * lengths, since only the last `*` is ever tried again: a regular expression may take exponential time.
 */
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

/** A set of names, given as exact names and globs: the linker's `exports` and `keep`, the loader's `allowImports`. */
export class NameMatcher {
  readonly exact: ReadonlySet<string>;
  readonly globs: readonly string[];

  constructor(patterns: readonly string[]) {
    this.exact = new Set(patterns.filter((pattern) => !isGlob(pattern)));
    this.globs = patterns.filter(isGlob);
  }

  /** Whether `name` is one of the exact names or matches a glob. */
  matches(name: string): boolean {
    return this.exact.has(name) || this.globs.some((glob) => matchesGlob(glob, name));
  }
}
