/**
 * `smf verify`: checks a module and lists every problem.
 */
import { LoadError } from "../../errors/load_error.ts";
import { type Host, HOST_ARCH, HOST_PLATFORM } from "../../load/runtime/host.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { parseSmf } from "../../smf/file.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName, Progress, readInput } from "../terminal/files.ts";
import { type Finding, type Findings, type Level, verifyModule } from "../analysis/verify.ts";
import { readOptions, singleFile } from "../terminal/options.ts";
import { errorJson, nextStepLine, reportModuleError } from "../terminal/problems.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf verify <file | -> [options]

Lists every problem of a module with its offset in the file, the reason and the next
step. Checks the header, sections, symbols, relocations, compressed contents and
hash; then, as a loader does, places the symbols and the entry point in an image and
applies the relocations. Warnings and notes are about things that are allowed but
probably unintended. No code of the module runs. Exit code 1 if there is an error.

  --for SYSTEM        check for loading on this system: host, or one like
                      linux-x86_64, linux-aarch64, windows-x86_64, macos-aarch64
  --integrity TEXT    require this integrity string (see smf hash)
  --with FILE         a module whose exports satisfy imports; repeatable
  --no-undefined      report an import that is not satisfied as an error, not a note
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Examples:
  smf verify plugin.smf
  smf verify plugin.smf --for host --with base.smf --no-undefined
  smf verify plugin.smf --integrity "$(cat plugin.smf.sha256)"
  curl -s https://example.org/plugin.smf | smf verify - --json`;

export const verify: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): number {
    const options = readOptions(args, {
      values: ["for", "integrity"],
      lists: ["with"],
      switches: ["no-undefined", "json"],
    }, output);
    const { writer } = options;
    const file = singleFile(options);
    const host = hostOf(options.value("for"));
    const bytes = readInput(file);
    const provided = new Set<string>();
    for (const path of options.list("with")) {
      const names = exportsOf(path, writer);
      if (names === undefined) return ExitCode.BAD_INPUT;
      for (const name of names) provided.add(name);
    }
    const progress = new Progress(writer);
    const findings = verifyModule(bytes, {
      host,
      integrity: options.value("integrity"),
      provided,
      noUndefined: options.has("no-undefined"),
    }, (name) => progress.step(name));
    const count = (level: Level): number => findings.list.filter((finding) => finding.level === level).length;
    const counts = { error: count("error"), warning: count("warning"), note: count("note") };
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
  },
};

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
    writer.print(`${looks[level](level)}: ${printable(message)}`);
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
