/**
 * `smf diff`: judges a reload from one file to another.
 */
import { parseSmf } from "../../smf/file.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { type Change, compare, type Comparison, type Effect, type Verdict } from "../analysis/compare.ts";
import { readInput } from "../terminal/files.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { table } from "../terminal/table.ts";

const HELP = `smf diff <old.smf> <new.smf> [options]

Lists the differences between two versions of a module and judges a reload, by the
rules that registry.reload applies:

  identical   the files have the same bytes
  compatible  every export is there, of the same kind and signature, and every variable
              that both versions have keeps its value, converted where its type changed
  migrate     a variable, or a field of it, cannot keep its value, or its name does not
              tell which one it was: with state: "carry" it is initialized anew
              unless migrate() moves its value
  refused     an export was removed or changed its kind or signature, or the file is for
              another system: strict compatibility refuses if that export is in use

Types and signatures are those of the debug information that the modules were linked
with; without it variables are compared by size. Heap objects, and what only a running
program has, such as addresses in variables and registered destructors, are not looked
at.

  --quiet         print nothing; the exit code is the result
  -C, --demangle  show names of C++ and Rust as their sources write them
  --json          print one JSON document
  --color WHEN    auto (default), always or never

Exit codes: 0 identical or compatible, 1 refused or a bad file, 2 wrong usage or a file
that cannot be read, 3 migrate.

Examples:
  smf diff plugin.smf build/plugin.smf
  smf diff --quiet old.smf new.smf && cp new.smf plugin.smf
  git show HEAD:plugin.smf | smf diff - plugin.smf --json`;

/** The exit code for a reload that does not keep a variable's value; only this command has it. */
const NEEDS_MIGRATION = 3;

export const diff: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(
      args,
      { switches: ["quiet", "demangle", "json"], alias: { C: "demangle" } },
      output,
    );
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
const EFFECTS: Readonly<Record<Effect, string>> = {
  none: "",
  migrate: "migrate",
  refused: "refused",
};
const SUMMARIES: Readonly<Record<Verdict, string>> = {
  identical: "identical: the files have the same bytes",
  compatible: "compatible by names, kinds and sizes: a reload goes ahead; " +
    "types, signatures and heap objects were not compared",
  migrate: "migrate: changed variables are initialized anew unless migrate() moves their values",
  refused: "refused: strict compatibility refuses the reload if a removed or changed export is in use",
};

const COMPATIBLE_BY_TYPE =
  "compatible by names, kinds and types: a reload goes ahead; heap objects were not compared";

function printComparison(comparison: Comparison, writer: Writer): void {
  const { verdict, changes } = comparison;
  const { style, named } = writer;
  const plain = (text: string): string => text;
  const looks = {
    none: plain,
    identical: style.good,
    compatible: style.good,
    migrate: style.warning,
    refused: style.bad,
  };
  const lines = table(changes.map(({ what, name, change, detail, effect }) => [
    SIGNS[change],
    what,
    named(name),
    named(detail),
    EFFECTS[effect],
  ]));
  lines.forEach((line, index) => writer.print(looks[changes[index].effect](line)));
  const list = (title: string, names: readonly string[], look: (text: string) => string): void => {
    if (names.length > 0) writer.print(look(`${title}: ${names.map((name) => named(name)).join(", ")}`));
  };
  for (const line of comparison.structs) writer.print(named(line));
  list("carried", comparison.carried, style.faint);
  list("converted", comparison.converted.map(({ name }) => name), style.faint);
  list("matched by size alone, their types are not known", comparison.matchedBySize, style.faint);
  list("initial value changed, the old value is kept", comparison.initialValueChanged, style.warning);
  for (const { name, change } of comparison.changedPointees) {
    writer.print(
      style.warning(named(`objects outside variables keep the old layout: ${name}: ${change}`)),
    );
  }
  if (comparison.registersDestructors) {
    writer.print(
      style.faint("variables with registered destructors are initialized anew: a reload finds them"),
    );
  }
  const isTyped = verdict === "compatible" && comparison.hasTypes;
  writer.print(looks[verdict](isTyped ? COMPATIBLE_BY_TYPE : SUMMARIES[verdict]));
}
