/** The table that the run over Debian's archives prints, and its judgement. */
import { basename } from "@std/path";
import { REFUSED } from "./packages.ts";
import type { Outcome } from "./trial.ts";

/** No module may be larger than this many times the stripped shared library. */
export const LARGEST_RATIO = 1.05;
/** A row of the table. */
export interface Row {
  readonly package: string;
  readonly archive: string;
  readonly outcome: Outcome;
}

/** The size of the module by that of the stripped shared library, if there are both. */
export function ratioOf({ linked, shared }: Outcome): number | undefined {
  return linked === undefined || shared === undefined ? undefined : linked / shared;
}

/** A row as a line of text. */
export function lineOf({ archive, outcome }: Row): string {
  const ratio = ratioOf(outcome);
  return [
    basename(archive).padEnd(44),
    (outcome.linked === undefined ? "no" : "linked").padEnd(7),
    (outcome.loaded ? "loaded" : "no").padEnd(7),
    (ratio === undefined ? "no .so" : ratio.toFixed(3)).padEnd(7),
    outcome.reason ??
      (outcome.open === 0
        ? ""
        : `names that other packages define: ${outcome.open} (${outcome.names.join(", ")} …)`),
  ].join(" ").trimEnd();
}

/**
 * What is wrong with the rows as a whole; empty if nothing is.
 *
 * @param refused The archives that need not load, with the reason of each.
 */
export function judge(rows: readonly Row[], refused: Readonly<Record<string, RegExp>> = REFUSED): string[] {
  const problems: string[] = [];
  if (rows.length === 0) problems.push("the packages have no archives");
  for (const { archive, outcome } of rows) {
    const ratio = ratioOf(outcome) ?? 0;
    if (ratio > LARGEST_RATIO) {
      problems.push(`${basename(archive)}: the module is ${ratio.toFixed(3)} times the shared library`);
    }
    const known = refused[basename(archive)];
    if (!outcome.loaded && known?.test(outcome.reason ?? "") !== true) {
      problems.push(`${basename(archive)}: ${outcome.reason}`);
    } else if (outcome.loaded && known !== undefined) {
      problems.push(`${basename(archive)} loads, though packages.ts lists it as refused`);
    }
  }
  return problems;
}
