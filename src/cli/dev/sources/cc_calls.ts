/**
 * Finds the calls of `cc` in a module of a program.
 */
import { DECIDING_OPTIONS, type DecidingOptions, type SourceText } from "../../../build/request.ts";
import type { Sources } from "../../../build/build.ts";
import { closing, COMPUTED, Constants, split } from "./constants.ts";
import { type Token, tokensOf } from "../../../types/typescript/tokens.ts";

/** A call of `cc` whose arguments the text decides. */
export interface CcCall {
  /** The line that it begins in, from 1 on. */
  readonly line: number;
  readonly source: Sources | SourceText;
  readonly options: DecidingOptions;
  /** The line that the text begins in, if its lines are those of the file. */
  readonly textLine?: number;
}

/** The calls of one module. */
export interface CcCalls {
  readonly calls: readonly CcCall[];
  /** The lines of the calls that have arguments which only the running program knows. */
  readonly computed: readonly number[];
}

/**
 * Finds the calls in a module's text.
 *
 * @param url The module's address.
 * @param isBuild Whether a specifier leads to the module that has `cc`.
 */
export function findCcCalls(url: string, text: string, isBuild: (specifier: string) => boolean): CcCalls {
  const tokens = tokensOf(text, { jsx: /x$/.test(new URL(url).pathname) });
  const names = importedNames(tokens, isBuild);
  const constants = new Constants(url, tokens);
  const calls: CcCall[] = [], computed: number[] = [];
  const search = (tokens: readonly Token[]): void =>
    tokens.forEach((token, at) => {
      for (const expression of token.expressions ?? []) search(expression);
      const next = behindName(tokens, at, names);
      if (next === undefined) return;
      const call = readCall(tokens, next, constants);
      if (call === COMPUTED) computed.push(token.line);
      else if (call !== undefined) calls.push({ line: token.line, ...call });
    });
  search(tokens);
  return { calls, computed };
}

const IMPORT = /^import$/, FROM = /^from$/;

/** The names that a module has for `cc`, and for all that the module exports which has it. */
interface ImportedNames {
  readonly cc: Set<string>;
  readonly namespaces: Set<string>;
}

function importedNames(tokens: readonly Token[], isBuild: (specifier: string) => boolean): ImportedNames {
  const names: ImportedNames = { cc: new Set(), namespaces: new Set() };
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== "name" || !IMPORT.test(text)) return;
    if (tokens[at + 1]?.text === "(") {
      // `const { cc } = await import("…")`, `const build = await import("…")`
      if (tokens[at + 2]?.kind !== "string" || !isBuild(tokens[at + 2].text)) return;
      if (tokens[at - 1]?.text !== "await" || tokens[at - 2]?.text !== "=") return;
      if (tokens[at - 3].text === "}") addBindings(names, bracesBefore(tokens, at - 3), ":");
      else if (tokens[at - 3].kind === "name") names.namespaces.add(tokens[at - 3].text);
      return;
    }
    const from = tokens.findIndex(({ kind }, next) => next > at && kind === "string");
    if (from < 0 || !FROM.test(tokens[from - 1].text) || !isBuild(tokens[from].text)) return;
    const clause = tokens.slice(at + 1, from - 1);
    const star = clause.findIndex(({ text }) => text === "*");
    if (star >= 0) names.namespaces.add(clause.at(-1)!.text);
    const open = clause.findIndex(({ text }) => text === "{");
    if (open >= 0) addBindings(names, clause.slice(open + 1, closing(clause, open)), "as");
  });
  return names;
}

/** The tokens between braces that end at `end`. */
function bracesBefore(tokens: readonly Token[], end: number): readonly Token[] {
  let start = end;
  while (start > 0 && tokens[start].text !== "{") start--;
  return tokens.slice(start + 1, end);
}

function addBindings({ cc }: ImportedNames, tokens: readonly Token[], renames: "as" | ":"): void {
  for (const [name, word, local] of split(tokens, ",")) {
    if (name?.text === "cc") cc.add(word?.text === renames ? local.text : "cc");
  }
}

/** The place behind a name of `cc`; undefined if there is none at a place. */
function behindName(
  tokens: readonly Token[],
  at: number,
  { cc, namespaces }: ImportedNames,
): number | undefined {
  const { kind, text } = tokens[at];
  if (kind !== "name" || [".", "?.", "function"].includes(tokens[at - 1]?.text)) return undefined;
  if (cc.has(text)) return at + 1;
  const isMember = namespaces.has(text) && tokens[at + 1]?.text === "." && tokens[at + 2]?.text === "cc";
  return isMember ? at + 3 : undefined;
}

/** Reads a call from behind its name; undefined if nothing is called there. */
function readCall(
  tokens: readonly Token[],
  at: number,
  constants: Constants,
): Omit<CcCall, "line"> | typeof COMPUTED | undefined {
  const first = tokens[at];
  if (first?.kind === "template") {
    const values = first.expressions!.map((each) => constants.valueOf(each));
    const areKnown = values.every((value) => typeof value === "string" || typeof value === "number");
    if (!areKnown) return COMPUTED;
    return {
      source: { text: String.raw({ raw: first.raw! }, ...values) },
      options: {},
      textLine: first.line,
    };
  }
  if (first?.text !== "(" || first.kind !== "mark") return undefined;
  const [sourceTokens = [], optionTokens] = split(tokens.slice(at + 1, closing(tokens, at)), ",");
  const source = sourceOf(constants.valueOf(sourceTokens));
  const options = optionsOf(optionTokens === undefined ? undefined : constants.valueOf(optionTokens));
  return source === undefined || options === undefined ? COMPUTED : { source, options };
}

/** The source of a call; undefined if its value is none, or is not known. */
function sourceOf(value: unknown): CcCall["source"] | undefined {
  const isPath = (value: unknown): boolean => typeof value === "string" || value instanceof URL;
  const isList = Array.isArray(value) && value.length > 0 && value.every(isPath);
  if (isPath(value) || isList) return value as Sources;
  if (!isRecord(value) || typeof value.text !== "string") return undefined;
  const { text, language = "c" } = value;
  return typeof language === "string" ? { text, language } as SourceText : undefined;
}

/** The options that decide on the module; undefined if one of them is not known. */
function optionsOf(value: unknown): DecidingOptions | undefined {
  if (value === undefined) return {};
  if (!isRecord(value)) return undefined;
  const entries = DECIDING_OPTIONS.map((name) => [name, value[name]]).filter(([, value]) =>
    value !== undefined
  );
  return entries.some(([, value]) => hasComputed(value)) ? undefined : Object.fromEntries(entries);
}

function hasComputed(value: unknown): boolean {
  return value === COMPUTED ||
    typeof value === "object" && value !== null && Object.values(value).some(hasComputed);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof URL);
}
