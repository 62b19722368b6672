/**
 * Version scripts and dynamic lists, read as lists of exports (GNU ld, "VERSION Command"):
 *
 * ```text
 * LIB_1.0 { global: api_*; init; local: *; } OLDER;
 * { foo; bar*; };
 * ```
 */
import { LoadError } from "../../errors/load_error.ts";

/** Comments, punctuation, quoted names, and words. */
const TOKEN = /\s+|\/\*[\s\S]*?\*\/|#[^\n]*|[{};]|"[^"]*"|[^\s{};"]+/gy;

/** The names and globs of a script. Names of versions are left out: modules have none. */
export interface VersionScript {
  readonly global: readonly string[];
  readonly local: readonly string[];
}

/** Reads a version script or a dynamic list. */
export function readVersionScript(path: string, text: string): VersionScript {
  const broken = (problem: string, offset: number): LoadError =>
    new LoadError("InvalidFormat", `Cannot read version script: ${problem}`, {
      path,
      offset,
      hint: "write it as GNU ld takes it: { global: NAME; ... local: *; };",
    });
  const global: string[] = [];
  const local: string[] = [];
  let depth = 0;
  let isGlobal = true;
  let isMangled = true;
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at;
    const [found] = TOKEN.exec(text) ?? [];
    if (found === undefined) throw broken("a quoted name has no end", at);
    if (/^(?:\s|\/\*|#)/.test(found) && (!found.startsWith("/*") || found.endsWith("*/"))) {
      at += found.length;
      continue;
    }
    if (found === "{") {
      if (++depth > 2) throw broken("braces are nested too deeply", at);
      if (depth === 1) isGlobal = true;
    } else if (found === "}") {
      if (depth === 0) throw broken("a brace has no counterpart", at);
      if (--depth === 1) isMangled = true;
    } else if (depth > 0 && found === "extern") {
      isMangled = false;
    } else if (found === "global:" || found === "local:") {
      isGlobal = found === "global:";
    } else if (depth > 0 && found !== ";" && found !== ":") {
      if (found === "global" || found === "local") isGlobal = found === "global";
      else if (/^"(?:C|C\+\+|Java)"$/.test(found) && depth === 1) isMangled = found === '"C"';
      else if (isMangled) (isGlobal ? global : local).push(found.replace(/^"(.*)"$/, "$1"));
      else if (isGlobal) throw broken(`names of C++ have to be given mangled, not as '${found}'`, at);
    }
    at += found.length;
  }
  if (depth > 0) throw broken("a brace is not closed", text.length);
  return { global, local };
}
