/**
 * Linker scripts that only name inputs, such as Debian's `libm.a` and `libc.so`:
 *
 * ```text
 * GROUP ( /lib/x86_64-linux-gnu/libc.so.6 libc_nonshared.a AS_NEEDED ( ld-linux-x86-64.so.2 ) )
 * ```
 */
import { decodeText } from "./bytes.ts";

/** A file that a script names, as it stands there: a path, a file name, or `-lNAME`. */
export interface ScriptInput {
  readonly name: string;
  /** Whether it is wanted only if it defines a needed name. */
  readonly asNeeded: boolean;
}

/** Scripts that name inputs are short; a longer file is something else. */
const MOST_BYTES = 65_536;

/** Comments, punctuation, quoted names, and words. */
const TOKEN = /\/\*[\s\S]*?\*\/|[(),;]|"[^"]*"|[^\s(),;"]+/gy;

/** Commands whose arguments do not matter here. */
const IGNORED: ReadonlySet<string> = new Set([
  "OUTPUT_FORMAT",
  "OUTPUT_ARCH",
  "TARGET",
  "SEARCH_DIR",
  "NOCROSSREFS",
]);

/** Splits a text into tokens without comments; undefined if it is not all tokens. */
function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  for (let at = 0; at < text.length;) {
    if (/\s/.test(text[at])) {
      at++;
      continue;
    }
    TOKEN.lastIndex = at;
    const [token] = TOKEN.exec(text) ?? [];
    if (token === undefined) return undefined;
    at += token.length;
    if (!token.startsWith("/*")) tokens.push(token);
    else if (!token.endsWith("*/")) return undefined;
  }
  return tokens;
}

/** Returns the inputs that a script names; undefined if the bytes are not a script that only names inputs. */
export function scriptInputs(bytes: Uint8Array): readonly ScriptInput[] | undefined {
  if (bytes.length === 0 || bytes.length > MOST_BYTES || bytes.includes(0)) return undefined;
  const tokens = tokensOf(decodeText(bytes, 0, bytes.length));
  if (tokens === undefined) return undefined;
  const inputs: ScriptInput[] = [];
  let at = 0;
  while (at < tokens.length) {
    const command = tokens[at++];
    if (command === ";") continue;
    const takesFiles = command === "GROUP" || command === "INPUT";
    if (!takesFiles && !IGNORED.has(command) || tokens[at++] !== "(") return undefined;
    let depth = 1;
    let neededDepth = 0;
    while (depth > 0) {
      const token = tokens[at++];
      if (token === undefined || token === ";") return undefined;
      if (token === "AS_NEEDED") {
        if (tokens[at++] !== "(" || neededDepth > 0) return undefined;
        neededDepth = ++depth;
      } else if (token === ")") {
        if (depth-- === neededDepth) neededDepth = 0;
      } else if (token === "(") {
        return undefined;
      } else if (takesFiles && token !== ",") {
        inputs.push({ name: token.replace(/^"(.*)"$/, "$1"), asNeeded: neededDepth > 0 });
      }
    }
  }
  return inputs.length === 0 ? undefined : inputs;
}
