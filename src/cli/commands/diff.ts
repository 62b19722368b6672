/**
 * `smf diff`: judges a reload from one file to another.
 */
import { parseSmf } from "../../smf/file.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { type Change, compare, type Comparison, type Verdict } from "../analysis/compare.ts";
import { readInput } from "../terminal/files.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { printable, table } from "../terminal/table.ts";

const HELP = `smf diff <old.smf> <new.smf> [options]

Lists the differences between two versions of a module and judges a reload, by the
rules that registry.reload applies:

  safe      no export is missing, and the variables that both versions have keep
            their values
  migrate   a variable changed its size, type or version: with state: "carry" it
            is initialized anew unless migrate() moves its value
  refused   an export was removed or changed its kind, or the file is for another
            system: strict compatibility refuses if that export is in use

Exit code 0: the same, or safe; 3: migrate; 1: refused, or a file is bad. Problems
that only a running program has, such as addresses in variables, are not found.

  --quiet         print nothing; the exit code is the result
  --json          print one JSON document
  --color WHEN    auto (default), always or never

Examples:
  smf diff plugin.smf build/plugin.smf
  smf diff --quiet old.smf new.smf && cp new.smf plugin.smf
  git show HEAD:plugin.smf | smf diff - plugin.smf --json`;

/** The exit code for a reload that does not keep a variable's value; only this command has it. */
const NEEDS_MIGRATION = 3;

export const diff: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["quiet", "json"] }, output);
    const { writer, rest } = options;
    if (rest.length !== 2) throw new UsageError("expected two files: the old one and the new one");
    const [before, after] = rest;
    if (before === "-" && after === "-") throw new UsageError("only one of the files can be standard input");
    const json = options.has("json");
    return reportingErrors({ command: "diff", file: after, writer, json }, () => {
      const [old, now] = [before, after].map((path) => ({ path, file: parseSmf(readInput(path), { path }) }));
      const comparison = compare(old, now);
      if (json) printJson(writer, "diff", { old: before, new: after, ...comparison });
      else if (!options.has("quiet")) printComparison(comparison, writer);
      return exitCodeOf(comparison.verdict);
    });
  },
};

function exitCodeOf(verdict: Verdict): number {
  if (verdict === "refused") return ExitCode.BAD_INPUT;
  return verdict === "migrate" ? NEEDS_MIGRATION : ExitCode.OK;
}

const SIGNS: Readonly<Record<Change["change"], string>> = { added: "+", removed: "-", changed: "~" };
const EFFECTS: Readonly<Record<Verdict, string>> = {
  same: "",
  safe: "",
  migrate: "migrate",
  refused: "refused",
};
const SUMMARIES: Readonly<Record<Verdict, string>> = {
  same: "the same: nothing that affects a reload changed",
  safe: "safe: a reload keeps all exports and values",
  migrate: "migrate: changed variables are initialized anew unless migrate() moves their values",
  refused: "refused: strict compatibility refuses the reload if a removed or changed export is in use",
};

function printComparison({ verdict, changes, carried }: Comparison, writer: Writer): void {
  const { style } = writer;
  const looks = { same: style.good, safe: style.good, migrate: style.warning, refused: style.bad };
  const lines = table(changes.map(({ what, name, change, detail, effect }) => [
    SIGNS[change],
    what,
    printable(name),
    printable(detail),
    EFFECTS[effect],
  ]));
  lines.forEach((line, index) => {
    const { effect } = changes[index];
    writer.print(effect === "safe" ? line : looks[effect](line));
  });
  if (carried.length > 0) {
    writer.print(style.faint(`carried: ${carried.map((name) => printable(name)).join(", ")}`));
  }
  writer.print(looks[verdict](SUMMARIES[verdict]));
}
