/**
 * `smf verify`: all that is wrong with a module, not only what is met first.
 */
import { LoadError } from "../../errors.ts";
import { type Host, HOST_ARCH, HOST_PLATFORM } from "../../load/runtime/host.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { parseSmf } from "../../smf/file.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName, Progress, readInput } from "../terminal/files.ts";
import { type Finding, type Findings, findingsOf, type Level } from "../analysis/verify.ts";
import { nextStep } from "../terminal/next_steps.ts";
import { oneFile, readOptions } from "../terminal/options.ts";
import { complainOf, errorData } from "../terminal/problems.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf verify <file | -> [options]

Says everything that is wrong with a module, each with its place in the file, the
reason and what to do next: header, sections, symbols, relocations, compressed
contents and hash; then, as a loader would, the places of symbols and entry point
in memory and the relocations. Warnings and notes are what is allowed but
seldom meant. Nothing of the module is run. Exit code 1 if there is an error.

  --for SYSTEM        what a loader there would say: host, or one like
                      linux-x86_64, linux-aarch64, windows-x86_64, macos-aarch64
  --integrity TEXT    what the file must be, as smf hash prints it
  --with FILE         a module whose exports answer imports; repeatable
  --no-undefined      an import that nobody answers is an error, not a note
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Examples:
  smf verify plugin.smf
  smf verify plugin.smf --for host --with base.smf --no-undefined
  smf verify plugin.smf --integrity "$(cat plugin.smf.sha256)"
  curl -s https://example.org/plugin.smf | smf verify - --json`;

/** The command. */
export const verify: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): number {
    const options = readOptions(args, {
      values: ["for", "integrity"],
      lists: ["with"],
      switches: ["no-undefined", "json"],
    }, output);
    const { writer } = options;
    const file = oneFile(options);
    const host = hostOf(options.value("for"));
    const bytes = readInput(file);
    const provided = new Set<string>();
    for (const path of options.list("with")) {
      const names = exportsOf(path, writer);
      if (names === undefined) return ExitCode.BAD_INPUT;
      for (const name of names) provided.add(name);
    }
    const progress = new Progress(writer);
    const findings = findingsOf(bytes, {
      host,
      integrity: options.value("integrity"),
      provided,
      mustBeDefined: options.has("no-undefined"),
    }, (what) => progress.step(what));
    const count = (level: Level): number => findings.list.filter((finding) => finding.level === level).length;
    const counts = { error: count("error"), warning: count("warning"), note: count("note") };
    if (options.has("json")) {
      printJson(writer, "verify", {
        file,
        sound: counts.error === 0,
        counts,
        findings: findings.list.map(({ level, problem }) => ({ level, ...problemData(problem) })),
        notExamined: findings.skipped,
      });
    } else {
      printFindings(fileName(file), findings, counts, writer);
    }
    return counts.error === 0 ? ExitCode.OK : ExitCode.BAD_INPUT;
  },
};

function problemData(problem: Finding["problem"]): Readonly<Record<string, unknown>> {
  return typeof problem === "string" ? { message: problem } : errorData(problem);
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
    writer.print(`${looks[level](level)}: ${printable(message)}`);
    if (typeof problem !== "string" && level !== "note") {
      writer.print(style.faint(`  next: ${nextStep(problem)}`));
    }
  }
  for (const what of skipped) writer.print(`${style.warning("not examined")}: ${what}`);
  const plural = (level: Level): string => `${counts[level]} ${level}${counts[level] === 1 ? "" : "s"}`;
  const told = (["error", "warning", "note"] as const).filter((level) => counts[level] > 0).map(plural);
  const verdict = counts.error > 0 ? style.bad("bad") : style.good("sound");
  writer.print(`${file}: ${verdict}${told.length === 0 ? "" : `, ${told.join(", ")}`}`);
}

/** What a module exports; undefined, and told, if it is none. */
function exportsOf(path: string, writer: Writer): string[] | undefined {
  try {
    const { symbols } = parseSmf(readInput(path), { path });
    return [...symbols].filter(({ index }) => symbols.isExport(index)).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    complainOf(error, path, writer);
    return undefined;
  }
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  linux: Platform.Linux,
  windows: Platform.Windows,
  macos: Platform.MacOS,
  freebsd: Platform.FreeBSD,
};
const ARCHES: Readonly<Record<string, Arch>> = { x86_64: Arch.X86_64, aarch64: Arch.Aarch64 };

function hostOf(name: string | undefined): Host | undefined {
  if (name === undefined) return undefined;
  if (name === "host") return { platform: HOST_PLATFORM, arch: HOST_ARCH };
  const [, system = "", processor = ""] = /^(\w+)-(\w+)$/.exec(name) ?? [];
  if (!Object.hasOwn(PLATFORMS, system) || !Object.hasOwn(ARCHES, processor)) {
    const systems = Object.keys(PLATFORMS).join(", ");
    const processors = Object.keys(ARCHES).join(" or ");
    throw new UsageError(
      `--for takes host, or one of ${systems} with -${processors.replace(" or ", " or -")}, not '${name}'`,
    );
  }
  return { platform: PLATFORMS[system], arch: ARCHES[processor] };
}
