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
  hash: {
    summary: "print the integrity string and hashes of a module",
    load: async () => (await import("./commands/hash.ts")).hash,
  },
};

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
  return [
    "smf <command> [arguments]",
    "",
    ...rows,
    "",
    "smf <command> --help explains a command.",
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
  const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  // To ld, -h NAME names a shared library.
  const asksForHelp = name === "ld" ? options.at(-1) === "-h" : options.includes("-h");
  if (options.includes("--help") || asksForHelp) {
    for (const line of command.help.split("\n")) output.print(line);
    for (const line of command.helpOn?.(options) ?? []) output.print(line);
    return ExitCode.OK;
  }
  try {
    return await command.run(rest, output);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.complain(`smf ${name}: ${error.message}`);
    return ExitCode.USAGE;
  }
}

export type { Output };

if (import.meta.main) Deno.exit(await runProgram(Deno.args));
