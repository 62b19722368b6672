/**
 * What is wrong with a file, as lines for people: where, why, and what to do next.
 */
import { LoadError, type LoadErrorKind } from "../../errors.ts";
import { ExitCode, type Output, printJson } from "./command.ts";
import type { Writer } from "./style.ts";
import { fileName } from "./files.ts";
import { nextStep } from "./next_steps.ts";
import { printable } from "./table.ts";

/** A load error as lines, each with its file first, and nothing said twice. */
export function describeError(error: LoadError, path: string): string[] {
  const all = error.cause instanceof AggregateError ? error.cause.errors as LoadError[] : [error];
  return all.map((one) => {
    const file = one.data.path ?? path;
    const text = one.message.replace(` (file '${file}')`, "").replace(`(file '${file}', `, "(");
    return `${fileName(file)}: ${printable(text)}`;
  });
}

/** The facts of a load error, for JSON. */
export function errorData({ kind, message, data }: LoadError): Readonly<Record<string, unknown>> {
  return { kind, message, ...data, nextStep: nextStep({ kind, message }) };
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

/** Kinds of errors for which the file cannot help it. */
const NOT_THE_FILE: ReadonlySet<LoadErrorKind> = new Set(["Io", "PermissionDenied", "InvalidIntegrity"]);

/** Where {@linkcode examining} tells what went wrong. */
export interface Examination {
  /** The command's name. */
  readonly command: string;
  readonly file: string;
  readonly writer: Writer;
  /** Whether the result is JSON. */
  readonly json: boolean;
}

/**
 * Runs work on one module file. A load error is told with the next step, or
 * as JSON, and becomes the exit code for bad inputs.
 */
export async function examining(
  { command, file, writer, json }: Examination,
  work: () => number | void | Promise<number | void>,
): Promise<number> {
  try {
    return await work() ?? ExitCode.OK;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    if (json) printJson(writer, command, { file, error: errorData(error) });
    complainOf(error, file, writer);
    return NOT_THE_FILE.has(error.kind) ? ExitCode.USAGE : ExitCode.BAD_INPUT;
  }
}

/** A load error and what to do about it. */
export function complainOf(error: LoadError, file: string, writer: Writer): void {
  for (const line of describeError(error, file)) writer.complain(line);
  const more = error.kind === "InvalidFormat" ? "; smf verify FILE lists all that is wrong" : "";
  writer.complain(writer.complaintStyle.faint(`next: ${nextStep(error)}${more}`));
}
