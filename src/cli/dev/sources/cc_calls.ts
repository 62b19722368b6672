/**
 * Finds the calls of `cc` in a module of a program.
 */
import { DECIDING_OPTIONS, type DecidingOptions, type SourceText } from "../../../build/request.ts";
import type { Sources } from "../../../build/build.ts";
import { closing, COMPUTED, Constants, split } from "./constants.ts";
import { type ExportsOf, type ImportedNames, importedNames } from "./imported_names.ts";
import type { Token } from "../../../types/typescript/tokens.ts";

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
 * @param tokens Those of its text.
 * @param exportsOf Tells which of a module's exports are `cc`, by the specifier.
 */
export function findCcCalls(url: string, tokens: readonly Token[], exportsOf: ExportsOf): CcCalls {
  const names = importedNames(tokens, exportsOf);
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

/** The place behind a name of `cc`; undefined if there is none at a place. */
function behindName(
  tokens: readonly Token[],
  at: number,
  { cc, namespaces }: ImportedNames,
): number | undefined {
  const { kind, text } = tokens[at];
  if (kind !== "name" || [".", "?.", "function"].includes(tokens[at - 1]?.text)) return undefined;
  if (cc.has(text)) return at + 1;
  const isMember = tokens[at + 1]?.text === "." && namespaces.get(text)?.has(tokens[at + 2]?.text) === true;
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
