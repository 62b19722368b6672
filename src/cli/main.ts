/**
 * The `smf` command: shows, checks, links, converts and runs module files.
 *
 * ```sh
 * deno run --allow-read --allow-write jsr:@simple/loader/cli link a.o libz.a -o a.smf
 * deno run --allow-read jsr:@simple/loader/cli inspect a.smf
 * ```
 *
 * @module
 */
import "../os/runtime_version.ts";
import { didYouMean, nearestWord } from "../errors/names.ts";
import { type Command, ExitCode, type Output, UsageError } from "./terminal/command.ts";
import type { CompletedCommand } from "./commands/completions.ts";
import { takeFormat, withFormatHelp, writeProblem } from "./terminal/problem_format.ts";
import { VERSION } from "./terminal/version.ts";
import { ClosedOutput, StandardOutput } from "./terminal/standard_output.ts";

/** A command, whose module is imported only when it runs. */
interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
}

/** The commands by name, in the order of the help text. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  inspect: {
    summary: "show the contents of a module",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  nm: { summary: "list symbols", load: async () => (await import("./commands/nm.ts")).nm },
  symbolize: {
    summary: "say which function and line of the source is at an offset",
    load: async () => (await import("./commands/symbolize.ts")).symbolize,
  },
  types: {
    summary: "write TypeScript definitions, or check whether a file of them is current",
    load: async () => (await import("./commands/types.ts")).types,
  },
  verify: {
    summary: "check a module and list every problem",
    load: async () => (await import("./commands/verify.ts")).verify,
  },
  diff: {
    summary: "compare two versions: is a reload compatible, a migration, or refused",
    load: async () => (await import("./commands/diff.ts")).diff,
  },
  run: {
    summary: "start a program or call a function",
    load: async () => (await import("./commands/run.ts")).run,
  },
  init: {
    summary: "make a project with a native module",
    load: async () => (await import("./commands/init.ts")).init,
  },
  build: {
    summary: "compile and link the native modules of a project",
    load: async () => (await import("./commands/build.ts")).build,
  },
  embed: {
    summary: "write modules as TypeScript that programs import without a flag",
    load: async () => (await import("./commands/embed.ts")).embed,
  },
  dev: {
    summary: "run a program, and rebuild and reload its native modules as they change",
    load: async () => (await import("./commands/dev.ts")).dev,
  },
  watch: {
    summary: "reload a module whenever its file changes",
    load: async () => (await import("./commands/watch.ts")).watch,
  },
  link: {
    summary: "link object files and static libraries into a module",
    load: async () => (await import("./commands/link.ts")).link,
  },
  ld: {
    summary: "link with the command line that a compiler driver gives ld",
    load: async () => (await import("./commands/ld.ts")).ld,
  },
  convert: {
    summary: "rewrite a module in another layout, compressed or not",
    load: async () => (await import("./commands/convert.ts")).convert,
  },
  sign: {
    summary: "sign modules, for registries that load those of trusted keys only",
    load: async () => (await import("./commands/sign.ts")).sign,
  },
  keygen: {
    summary: "make a pair of keys for signatures",
    load: async () => (await import("./commands/keygen.ts")).keygen,
  },
  hash: {
    summary: "print the integrity string and hashes of a module",
    load: async () => (await import("./commands/hash.ts")).hash,
  },
  doctor: {
    summary: "say what this machine can do, and what to install for the rest",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  completions: {
    summary: "print a script that completes commands and options in a shell",
    load: async () => (await import("./commands/completions.ts")).completionsOf(completedCommands),
  },
};

async function completedCommands(): Promise<CompletedCommand[]> {
  return await Promise.all(
    Object.entries(COMMANDS).map(async ([name, { summary, load }]) => {
      const { help } = await load();
      return { name, summary, help: withFormatHelp(help) };
    }),
  );
}

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  return [
    "smf <command> [arguments]",
    "",
    ...rows,
    "",
    "smf help <command> explains a command; smf --version tells the version.",
    "Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read or written.",
    "The file name - means standard input.",
  ].join("\n");
}

/**
 * Runs the program.
 *
 * Safety: the commands `run` and `watch` execute the code of the module, which can do whatever this process can.
 *
 * @param args The arguments, without the program's name.
 * @param output Receives the lines. Default: standard output and standard error.
 * @returns the exit code: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read or written;
 * `diff` and `run` have codes of their own.
 *
 * @example Help
 * ```ts
 * import { runProgram } from "@simple/loader/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const code = await runProgram(["--help"], { print: (line) => lines.push(line), complain: () => {} });
 * assertEquals(code, 0);
 * assertEquals(lines[0], "smf <command> [arguments]");
 * ```
 */
export async function runProgram(
  args: readonly string[],
  output: Output = new StandardOutput(),
): Promise<number> {
  try {
    const code = await run(args, output);
    output.flush?.();
    return code;
  } catch (error) {
    // The reader needs no more, as after `| head`.
    if (error instanceof ClosedOutput) return ExitCode.OK;
    if (!(error instanceof UsageError)) throw error;
    output.complain(`smf: ${error.message}`);
    return ExitCode.USAGE;
  }
}

async function run(args: readonly string[], output: Output): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    output.print(`smf ${VERSION}`);
    return ExitCode.OK;
  }
  if (name === "help" && rest.length > 0) return await run([rest[0], "--help"], output);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    for (const line of help().split("\n")) name === undefined ? output.complain(line) : output.print(line);
    return name === undefined ? ExitCode.USAGE : ExitCode.OK;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const suggestion = didYouMean(nearestWord(name, Object.keys(COMMANDS)));
    output.complain(`smf: there is no command '${name}'${suggestion}; smf --help lists them`);
    return ExitCode.USAGE;
  }
  const command = await entry.load();
  let reporting = output;
  const report = (format: Output["format"]): void => {
    if (format !== undefined) reporting = { ...output, format };
  };
  try {
    const isLd = name === "ld";
    // A response file that cannot be read is a problem in the form that is asked for beside it.
    if (command.expandArguments !== undefined) report(takeFormat(rest, rest.length, isLd).format);
    const given = command.expandArguments?.(rest) ?? rest;
    const options = command.ownArguments?.(given) ??
      (given.includes("--") ? given.slice(0, given.indexOf("--")) : given);
    // To ld, -h NAME names a shared library.
    const asksForHelp = isLd ? options.at(-1) === "-h" : options.includes("-h");
    if (options.includes("--help") || asksForHelp) {
      for (const line of withFormatHelp(command.help).split("\n")) output.print(line);
      for (const line of command.helpOn?.(options) ?? []) output.print(line);
      return ExitCode.OK;
    }
    const { args, format } = takeFormat(given, options.length, isLd);
    report(format);
    return await command.run(args, reporting);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = `smf ${name}: ${error.message}`;
    writeProblem({ level: "error", message }, reporting, [message]);
    return ExitCode.USAGE;
  }
}

export type { Output };

if (import.meta.main) Deno.exit(await runProgram(Deno.args));
