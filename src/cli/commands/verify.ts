/**
 * `smf verify`: checks a module and lists every problem.
 */
import { LoadError } from "../../errors/load_error.ts";
import { parseSmf } from "../../smf/file.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName, readInput } from "../terminal/files.ts";
import {
  type Finding,
  type Findings,
  type Level,
  type Requirements,
  verifyModule,
} from "../analysis/verify.ts";
import { readPublicKeys } from "../terminal/keys.ts";
import { forEachFile, type Options, readOptions } from "../terminal/options.ts";
import { Progress } from "../terminal/progress.ts";
import { errorJson, nextStepLine, reportModuleError } from "../terminal/problems.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import { systemOf } from "../terminal/system.ts";
import { printable } from "../terminal/table.ts";
import { systemLibraryNames } from "./link_inputs.ts";

const HELP = `smf verify <file | ->... [options]

Lists every problem of each module with its offset in the file, the reason and the next
step. Checks the header, sections, symbols, relocations, compressed contents and
hash; then, as a loader does, places the symbols and the entry point in an image and
applies the relocations. Warnings and notes are about things that are allowed but
probably unintended. No code of the module runs.

  --for SYSTEM        check for loading on this system: host, or one like linux-x64,
                      linux-arm64, windows-x86_64, aarch64-apple-darwin
  --integrity TEXT    require this integrity string (see smf hash)
  --key KEY           require a valid signature by this public key, as ed25519-... or
                      the path of its file; repeatable, one of them is enough
  --with FILE         a module whose exports satisfy imports; repeatable
  --library NAME      a shared library of the system whose names satisfy imports, by name
                      or path; repeatable
  --no-undefined      report an import that is not satisfied as an error, not a note
  -C, --demangle      show names of C++ and Rust as their sources write them
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 sound, 1 an error in a file, 2 wrong usage or a file that cannot be read.

Examples:
  smf verify plugin.smf
  smf verify native/*.smf
  smf verify plugin.smf --for host --with base.smf --no-undefined
  smf verify plugin.smf --library libc.so.6 --library libm.so.6 --no-undefined
  smf verify plugin.smf --integrity "$(cat plugin.smf.sha256)"
  smf verify plugin.smf --key release.pub
  curl -s https://example.org/plugin.smf | smf verify - --json`;

export const verify: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["for", "integrity"],
      lists: ["with", "library", "key"],
      switches: ["no-undefined", "demangle", "json"],
      alias: { C: "demangle" },
    }, output);
    const { writer } = options;
    const host = systemOf(options.value("for"));
    const keys = readPublicKeys(options.list("key"));
    const provided = new Set<string>();
    for (const path of options.list("with")) {
      const names = exportsOf(path, writer);
      if (names === undefined) return ExitCode.BAD_INPUT;
      for (const name of names) provided.add(name);
    }
    for (const library of options.list("library")) {
      for (const name of libraryNames(library)) provided.add(name);
    }
    using progress = new Progress(writer);
    return await forEachFile(
      options,
      (file) => verifyFile(file, options, { host, keys, provided }, progress),
    );
  },
};

/** Verifies one file; the exit code. */
function verifyFile(
  file: string,
  options: Options,
  requirements: Pick<Requirements, "host" | "keys" | "provided">,
  progress: Progress,
): number {
  const { writer } = options;
  const bytes = readInput(file);
  const findings = verifyModule(bytes, {
    ...requirements,
    integrity: options.value("integrity"),
    noUndefined: options.has("no-undefined"),
  }, (name) => progress.show(name));
  const count = (level: Level): number => findings.list.filter((finding) => finding.level === level).length;
  const counts = { error: count("error"), warning: count("warning"), note: count("note") };
  reportFindings(file, findings, writer);
  if (options.has("json")) {
    printJson(writer, "verify", {
      file,
      sound: counts.error === 0,
      counts,
      findings: findings.list.map(({ level, problem }) => ({ level, ...problemJson(problem) })),
      notExamined: findings.skipped,
    });
  } else {
    printFindings(fileName(file), findings, counts, writer);
  }
  return counts.error === 0 ? ExitCode.OK : ExitCode.BAD_INPUT;
}

/** Writes the findings as problems, in forms other than plain text, whose lines are the result. */
function reportFindings(file: string, { list }: Findings, writer: Writer): void {
  for (const { level, problem } of list) {
    const message = typeof problem === "string" ? problem : problem.message;
    const hint = typeof problem === "string" || level === "note" ? "" : `\nnext: ${printable(problem.hint)}`;
    const text = `${fileName(file)}: ${writer.named(message)}${hint}`;
    const name = file === "-" ? undefined : file;
    writeProblem({ level: level === "note" ? "notice" : level, file: name, message: text }, writer, []);
  }
}

function problemJson(problem: Finding["problem"]): Readonly<Record<string, unknown>> {
  return typeof problem === "string" ? { message: problem } : errorJson(problem);
}

function printFindings(
  file: string,
  { list, skipped }: Findings,
  counts: Readonly<Record<Level, number>>,
  writer: Writer,
): void {
  const { style } = writer;
  const looks = { error: style.bad, warning: style.warning, note: style.faint };
  for (const { level, problem } of list) {
    const message = typeof problem === "string" ? problem : problem.message;
    writer.print(`${looks[level](level)}: ${writer.named(message)}`);
    if (typeof problem !== "string" && level !== "note") {
      writer.print(`  ${nextStepLine(problem.hint, style)}`);
    }
  }
  for (const part of skipped) writer.print(`${style.warning("not examined")}: ${part}`);
  const plural = (level: Level): string => `${counts[level]} ${level}${counts[level] === 1 ? "" : "s"}`;
  const totals = (["error", "warning", "note"] as const).filter((level) => counts[level] > 0).map(plural);
  const verdict = counts.error > 0 ? style.bad("bad") : style.good("sound");
  writer.print(`${file}: ${verdict}${totals.length === 0 ? "" : `, ${totals.join(", ")}`}`);
}

/** The names that a shared library of the system defines. */
function libraryNames(library: string): ReadonlySet<string> {
  const names = systemLibraryNames(library);
  if (names === undefined) {
    throw new UsageError(`there is no library '${library}' on this system; name its path`);
  }
  if (names.size === 0) {
    throw new UsageError(`${library}: it defines no names, or is not a shared library of Linux (ELF)`);
  }
  return names;
}

/** The names that a module exports; reports a bad module and returns undefined. */
function exportsOf(path: string, writer: Writer): string[] | undefined {
  try {
    const { symbols } = parseSmf(readInput(path), { path });
    return [...symbols].filter(({ index }) => symbols.isExport(index)).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    reportModuleError(error, path, writer);
    return undefined;
  }
}
