/**
 * Results of trying a file: outcomes with their features, and findings.
 */
import type { LoadError } from "../../src/errors/load_error.ts";
import type { Module } from "./format.ts";

/** A fault of the loader or linker that the fuzzer has found. */
export class Finding extends Error {}

/** The result of trying a file. */
export interface Outcome {
  readonly loaded: boolean;
  /** Features of the file's way through the loader: the sentence of its error, or the kinds of its contents. */
  readonly features: readonly string[];
  /** The number of relocations that were computed a second time. */
  readonly judged: number;
}

/**
 * Refusals that the second reader knows nothing of: of unwind tables and of arrays of functions, whose
 * contents are no part of the format, and of files that fit two layouts.
 */
export const NOT_JUDGED = /more than one fits|Cannot use unwind tables|Cannot start module/;

/** The features of a loaded module: the kinds of its sections, symbols and relocations. */
export function featuresOf(
  layout: string,
  { arch, flags, sections, symbols, relocations }: Module,
): string[] {
  const kind = ({ type, binding, defined }: Module["symbols"][number]) =>
    `${defined ? "defined" : "imported"} ${type}, binding ${binding}`;
  return [
    ...new Set([
      `layout ${layout}, arch ${arch}`,
      `flags ${flags}`,
      ...sections.map(({ type, flags }) =>
        `layout ${layout}, section ${Math.min(type, 17)}, flags ${flags % 16}`
      ),
      ...symbols.map((symbol) => `layout ${layout}, symbol ${kind(symbol)}`),
      ...relocations.map(({ type, symbol }) =>
        `arch ${arch}, relocation ${type} of ${kind(symbols[symbol])}`
      ),
    ]),
  ];
}

/** An error's kind and message without names and numbers, which differ from file to file. */
export function sentenceOf(error: LoadError): string {
  return `${error.kind}: ${
    error.message.replace(/ \((file|section|symbol|offset|value|allowed|size) .*$/s, "")
  }`
    .replace(/'[^']*'(, '[^']*')*/g, "'…'").replace(/\d+/g, "#").slice(0, 160);
}
