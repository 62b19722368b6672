/**
 * Demangles names that Rust writes by default until 1.97: names of C++ with a hash as the last part, whose identifiers
 * escape what assemblers do not take.
 */
import { suffixAt } from "./suffix.ts";

const HASH = /^h[0-9a-f]{16}$/;

const ESCAPES: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** The largest code point. */
const LAST_CODE_POINT = 0x10ffff;

/**
 * Demangles a name of Rust's old kind.
 *
 * @param start Where the parts begin, behind `_ZN`.
 * @returns the path without its hash; undefined if the name is not of this kind.
 */
export function demangleRustLegacy(name: string, start: number): string | undefined {
  const parts: string[] = [];
  let at = start;
  while (name[at] !== "E") {
    const [digits] = /^\d{1,5}/.exec(name.slice(at, at + 5)) ?? [];
    if (digits === undefined) return undefined;
    at += digits.length;
    const end = at + Number(digits);
    if (end > name.length || end === at) return undefined;
    parts.push(name.slice(at, end));
    at = end;
  }
  const hash = parts.pop();
  if (hash === undefined || !HASH.test(hash) || parts.length === 0) return undefined;
  const suffix = suffixAt(name, at + 1);
  return suffix === undefined ? undefined : parts.map(unescaped).join("::") + suffix;
}

function unescaped(part: string): string {
  // An identifier cannot begin with $: the compiler puts _ in front.
  const text = part.startsWith("_$") ? part.slice(1) : part;
  return text
    .replace(/\.\./g, "::")
    .replace(/\$([A-Z]{1,2}|u[0-9a-f]{1,6})\$/g, (escape, code: string) => {
      if (Object.hasOwn(ESCAPES, code)) return ESCAPES[code];
      const point = code.startsWith("u") ? parseInt(code.slice(1), 16) : NaN;
      return point <= LAST_CODE_POINT ? String.fromCodePoint(point) : escape;
    });
}
