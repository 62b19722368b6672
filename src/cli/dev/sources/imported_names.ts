/**
 * Finds the names that a module has for `cc`: those that it imports, renamed or as members of a namespace, and those
 * that it exports again.
 */
import type { Token } from "../../../types/typescript/tokens.ts";
import { closing, split } from "./constants.ts";

/** The names for `cc` in one module, or among its exports. */
export interface ImportedNames {
  readonly cc: Set<string>;
  /** The names of namespaces, each with its members that are `cc`. */
  readonly namespaces: Map<string, ReadonlySet<string>>;
}

/** Tells which exports of a module are `cc`, by the specifier; undefined if none are. */
export type ExportsOf = (specifier: string) => ImportedNames | undefined;

/** The words as patterns: the text of a word in quotes would look like a statement to who reads this file by patterns. */
const IMPORT = /^import$/, EXPORT = /^export$/, FROM = /^from$/;

/** The exports of the module that has `cc`. */
export const BUILD_EXPORTS: ImportedNames = { cc: new Set(["cc"]), namespaces: new Map() };

/** The names that a module imports. */
export function importedNames(tokens: readonly Token[], exportsOf: ExportsOf): ImportedNames {
  const names = noNames();
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== "name" || !IMPORT.test(text)) return;
    if (tokens[at + 1]?.text === "(") {
      // `const { cc } = await import("…")`, `const build = await import("…")`
      const found = tokens[at + 2]?.kind === "string" ? exportsOf(tokens[at + 2].text) : undefined;
      if (found === undefined || tokens[at - 1]?.text !== "await" || tokens[at - 2]?.text !== "=") return;
      if (tokens[at - 3].text === "}") addBindings(names, found, bracesBefore(tokens, at - 3), ":");
      else if (tokens[at - 3].kind === "name") names.namespaces.set(tokens[at - 3].text, found.cc);
      return;
    }
    const from = fromBehind(tokens, at);
    const found = from === undefined ? undefined : exportsOf(tokens[from].text);
    if (found === undefined) return;
    const clause = tokens.slice(at + 1, from! - 1);
    const star = clause.findIndex(({ text }) => text === "*");
    if (star >= 0) names.namespaces.set(clause.at(-1)!.text, found.cc);
    const open = clause.findIndex(({ text }) => text === "{");
    if (open >= 0) addBindings(names, found, clause.slice(open + 1, closing(clause, open)), "as");
  });
  return names;
}

/** The names that a module exports again: those of another module, or those that it imports. */
export function exportedNames(tokens: readonly Token[], exportsOf: ExportsOf): ImportedNames {
  const imported = importedNames(tokens, exportsOf);
  const names = noNames();
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== "name" || !EXPORT.test(text) || tokens[at - 1]?.text === ".") return;
    const next = tokens[at + 1]?.text;
    if (next === "{") {
      const end = closing(tokens, at + 1);
      const isOther = FROM.test(tokens[end + 1]?.text) && tokens[end + 2]?.kind === "string";
      const found = isOther ? exportsOf(tokens[end + 2].text) : imported;
      if (found !== undefined) addBindings(names, found, tokens.slice(at + 2, end), "as");
    } else if (next === "*") {
      const from = fromBehind(tokens, at);
      const found = from === undefined ? undefined : exportsOf(tokens[from].text);
      if (found === undefined) return;
      if (tokens[at + 2].text === "as") names.namespaces.set(tokens[at + 3].text, found.cc);
      else {
        found.cc.forEach((name) => names.cc.add(name));
        found.namespaces.forEach((members, name) => names.namespaces.set(name, members));
      }
    }
  });
  return names;
}

function noNames(): ImportedNames {
  return { cc: new Set(), namespaces: new Map() };
}

/** The place of the specifier behind the `from` of a statement that begins at `at`; undefined if it has none. */
function fromBehind(tokens: readonly Token[], at: number): number | undefined {
  const next = tokens.findIndex(({ kind }, next) => next > at && kind === "string");
  return next > 0 && FROM.test(tokens[next - 1].text) ? next : undefined;
}

/** The tokens between braces that end at `end`. */
function bracesBefore(tokens: readonly Token[], end: number): readonly Token[] {
  let start = end;
  while (start > 0 && tokens[start].text !== "{") start--;
  return tokens.slice(start + 1, end);
}

/** Adds those names in braces that are `cc` where they come from, as they are named here. */
function addBindings(
  names: ImportedNames,
  from: ImportedNames,
  tokens: readonly Token[],
  renames: "as" | ":",
): void {
  for (const [name, word, local] of split(tokens, ",")) {
    if (name === undefined) continue;
    const here = word?.text === renames ? local.text : name.text;
    if (from.cc.has(name.text)) names.cc.add(here);
    const members = from.namespaces.get(name.text);
    if (members !== undefined) names.namespaces.set(here, members);
  }
}
