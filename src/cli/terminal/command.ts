/**
 * The interface of all commands of the `smf` program: output, exit codes, usage errors, JSON.
 */
import { hex } from "../../errors/load_error.ts";

/** Receives the lines that a command writes. */
export interface Output {
  /** Writes a line of the result. */
  print(line: string): void;
  /** Writes a line about a problem, or about progress. */
  complain(line: string): void;
  /** Writes buffered lines out. */
  flush?(): void;
  /** Shows a text on the last line of the terminal, until a line is written there; an empty one removes it. */
  draw?(text: string): void;
  /** Whether each of the two goes to a terminal. Default: neither does. */
  readonly terminals?: { readonly print: boolean; readonly complain: boolean };
  /** The form of problems. Default: `text`. */
  readonly format?: "text" | "github";
}

/** The exit codes that all commands share. */
export const ExitCode = { OK: 0, BAD_INPUT: 1, USAGE: 2 } as const;

/** A command of the program. */
export interface Command {
  /** The text that `--help` prints. */
  readonly help: string;
  /** Replaces arguments that stand for others, before anything is read from them. */
  expandArguments?(args: readonly string[]): readonly string[];
  /** Returns what `--help` prints behind that text about the other arguments. */
  helpOn?(args: readonly string[]): readonly string[];
  /** Returns the arguments among which `--help` asks for help. Default: those before `--`. */
  ownArguments?(args: readonly string[]): readonly string[];
  /** Runs the command and returns the exit code. */
  run(args: readonly string[], output: Output): number | Promise<number>;
}

/** Wrong arguments, or a file that cannot be read or written: ends the program with {@linkcode ExitCode.USAGE}. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The version of the JSON documents; it increases when a field changes its meaning or is removed. */
export const JSON_VERSION = 1;

/** Prints a JSON document on one line; a bigint (an address, a hash) becomes a hexadecimal string. */
export function printJson(output: Output, command: string, data: Readonly<Record<string, unknown>>): void {
  const document = { version: JSON_VERSION, command, ...data };
  output.print(JSON.stringify(document, (_, value) => typeof value === "bigint" ? hex(value) : value));
}
