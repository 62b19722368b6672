/**
 * The `smf` program.
 *
 * ```sh
 * deno run --allow-read --allow-write jsr:@simple/loader/cli link a.o libz.a -o a.smf
 * ```
 *
 * @module
 */
import { type Command, ExitCode, type Output, UsageError } from "./command.ts";
import { link } from "./link.ts";

/** By name, in the order in which help shows them. */
const COMMANDS: Readonly<Record<string, Command>> = { link };

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
  return ["smf <command> [arguments]", "", ...rows, "", "smf <command> --help tells more"].join("\n");
}

/**
 * Runs the program.
 *
 * @param args The arguments, without the program's name.
 * @param output Where lines go. Default: standard output and standard error.
 * @returns the exit code: 0 done, 1 an input is bad, 2 wrong usage or files that cannot be read or written.
 *
 * @example Help
 * ```ts
 * import { runProgram } from "@simple/loader/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const code = runProgram(["--help"], { print: (line) => lines.push(line), complain: () => {} });
 * assertEquals(code, 0);
 * assertEquals(lines[0], "smf <command> [arguments]");
 * ```
 */
export function runProgram(args: readonly string[], output: Output = STANDARD): number {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    for (const line of help().split("\n")) name === undefined ? output.complain(line) : output.print(line);
    return name === undefined ? ExitCode.USAGE : ExitCode.OK;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    output.complain(`smf: there is no command '${name}'; smf --help lists them`);
    return ExitCode.USAGE;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    for (const line of command.help.split("\n")) output.print(line);
    return ExitCode.OK;
  }
  try {
    return command.run(rest, output);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.complain(`smf ${name}: ${error.message}`);
    return ExitCode.USAGE;
  }
}

const STANDARD: Output = {
  print: (line) => console.log(line),
  complain: (line) => console.error(line),
};

export type { Output };

if (import.meta.main) Deno.exit(runProgram(Deno.args));
