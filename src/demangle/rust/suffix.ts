/**
 * What LLVM puts behind a name of Rust: `.llvm.` and a hash, which says nothing, or what tells copies apart.
 */

/** The text to show behind a name; undefined if it is none that a compiler writes. */
export function suffixAt(name: string, at: number): string | undefined {
  const suffix = name.slice(at).replace(/^\.llvm\.[0-9A-F]+/, "");
  return /^(?:\.[\w.$]*)?$/.test(suffix) ? suffix : undefined;
}
