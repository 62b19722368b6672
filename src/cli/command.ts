/**
 * What all commands of the `smf` program share.
 */
import { LoadError } from "../errors.ts";

/** Where a command writes its lines. */
export interface Output {
  /** What was asked for. */
  print(line: string): void;
  /** What went wrong. */
  complain(line: string): void;
}

/** How the program ends. */
export const ExitCode = { OK: 0, BAD_INPUT: 1, USAGE: 2 } as const;

/** One command. */
export interface Command {
  /** For the list of commands. */
  readonly summary: string;
  /** For `--help`. */
  readonly help: string;
  /** Answers the exit code. */
  run(args: readonly string[], output: Output): number;
}

/** Arguments that make no sense, or files that cannot be read or written. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Reads a file or fails as a usage error does. */
export function readFile(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: Cannot read: ${(error as Error).message}`);
  }
}

/**
 * Writes a file beside its place and moves it there, so that nobody ever sees
 * half of it and what is loaded from the old one stays whole.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    Deno.writeFileSync(temporary, bytes, { createNew: true });
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // It was never made.
    }
    throw new UsageError(`${path}: Cannot write: ${(error as Error).message}`);
  }
}

/** A load error as lines, each with its file first, and nothing said twice. */
export function describeError(error: LoadError, path: string): string[] {
  const all = error.cause instanceof AggregateError ? error.cause.errors as LoadError[] : [error];
  return all.map((one) => {
    const file = one.data.path ?? path;
    const text = one.message.replace(` (file '${file}')`, "").replace(`(file '${file}', `, "(");
    return `${file}: ${text}`;
  });
}

/** Runs `work`; a load error becomes lines and the exit code for bad inputs. */
export function reporting(path: string, output: Output, work: () => void): number {
  try {
    work();
    return ExitCode.OK;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    for (const line of describeError(error, path)) output.complain(line);
    return ExitCode.BAD_INPUT;
  }
}
