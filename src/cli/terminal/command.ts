/**
 * What all commands of the `smf` program share.
 */

/** Where a command writes its lines. */
export interface Output {
  /** What was asked for. */
  print(line: string): void;
  /** What went wrong, and what is under way. */
  complain(line: string): void;
  /** Sends on what was printed and is still held back. */
  flush?(): void;
  /** Which of the two a person is looking at. Default: neither. */
  readonly terminals?: { readonly print: boolean; readonly complain: boolean };
}

/** How the program ends. */
export const ExitCode = { OK: 0, BAD_INPUT: 1, USAGE: 2 } as const;

/** One command. */
export interface Command {
  /** For `--help`. */
  readonly help: string;
  /** Answers the exit code. */
  run(args: readonly string[], output: Output): number | Promise<number>;
}

/** Arguments that make no sense, or files that cannot be read or written. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The number of the JSON that commands print; it grows when something in it changes its meaning or goes. */
export const JSON_VERSION = 1;

/** One JSON document, on one line: addresses and hashes are hexadecimal strings. */
export function printJson(output: Output, command: string, data: Readonly<Record<string, unknown>>): void {
  const document = { version: JSON_VERSION, command, ...data };
  output.print(JSON.stringify(document, (_, value) => typeof value === "bigint" ? hexOf(value) : value));
}

function hexOf(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
