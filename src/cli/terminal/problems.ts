/**
 * Reports load errors: the file, the reason and the next step, as lines or as JSON.
 */
import { LoadError, type LoadErrorKind } from "../../errors/load_error.ts";
import { ExitCode, printJson } from "./command.ts";
import type { Writer } from "./style.ts";
import { fileName } from "./files.ts";
import { type Problem, writeProblem } from "./problem_format.ts";
import { printable } from "./table.ts";

/** The problems that an error stands for: those of its `AggregateError`, or itself alone. */
function problemsOf(error: LoadError): readonly LoadError[] {
  return error.cause instanceof AggregateError ? error.cause.errors as LoadError[] : [error];
}

/** One line about a problem, beginning with the file, which the message then does not repeat. */
function problemLine(problem: LoadError, file: string, { named }: Writer): string {
  const text = problem.message.replace(` (file '${file}')`, "").replace(`(file '${file}', `, "(");
  return `${fileName(file)}: ${named(text)}`;
}

/** The facts of a load error, for JSON. */
export function errorJson({ kind, message, data, hint }: LoadError): Readonly<Record<string, unknown>> {
  const { hint: _, ...facts } = data;
  return { kind, message, ...facts, nextStep: hint };
}

/** Kinds of errors that are not a defect of the file: they end the command as wrong usage does. */
const NOT_THE_FILE: ReadonlySet<LoadErrorKind> = new Set([
  "Io",
  "PermissionDenied",
  "InvalidIntegrity",
  "InvalidKey",
]);

/** The command that runs, and its output. */
export interface Invocation {
  /** The command's name. */
  readonly command: string;
  /** The file that problems are reported for. */
  readonly file: string;
  readonly writer: Writer;
  /** Whether the result is JSON. */
  readonly json: boolean;
  /** Whether the file is a module, which `smf verify` can check. Default: true. */
  readonly isModule?: boolean;
}

/**
 * Runs a command's work on a file. Reports a {@linkcode LoadError} with its
 * next step, also as JSON if the result is JSON.
 *
 * @returns the exit code: that of `work`, by default 0, or one for bad files.
 */
export async function reportingErrors(
  { command, file, writer, json, isModule = true }: Invocation,
  work: () => number | void | Promise<number | void>,
): Promise<number> {
  try {
    return await work() ?? ExitCode.OK;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    if (json) printJson(writer, command, { file, error: errorJson(error) });
    if (isModule) reportModuleError(error, file, writer);
    else complain(error, file, writer);
    return NOT_THE_FILE.has(error.kind) ? ExitCode.USAGE : ExitCode.BAD_INPUT;
  }
}

/** Writes a module's problem and its next step; a malformed module can also be verified. */
export function reportModuleError(error: LoadError, file: string, writer: Writer): void {
  complain(
    error,
    file,
    writer,
    error.kind === "InvalidFormat" ? "; smf verify FILE lists every problem" : "",
  );
}

/** Writes the problems, then each different next step once. */
function complain(error: LoadError, path: string, writer: Writer, more = ""): void {
  const problems = problemsOf(error).map((problem) => ({ problem, file: problem.data.path ?? path }));
  for (const { problem, file } of problems) {
    const line = problemLine(problem, file, writer);
    writeProblem(
      {
        level: "error",
        ...placeOf(problem, file),
        message: `${line}\nnext: ${printable(problem.hint + more)}`,
      },
      writer,
      [line],
    );
  }
  // Those of the other form have it in them.
  if (writer.format === "github") return;
  const hints = new Set(problems.map(({ problem }) => problem.hint));
  for (const hint of hints) writer.complain(nextStepLine(hint + more, writer.complaintStyle));
}

/** Where a problem is: in the source that a crash is in, or in a file; of a member of an archive, in the archive. */
function placeOf({ data: { frames = [] } }: LoadError, file: string): Pick<Problem, "file" | "line"> {
  const source = frames.find(({ file, line }) => file !== undefined && line !== undefined);
  if (source !== undefined) return { file: source.file, line: source.line };
  return { file: file === "-" ? undefined : file.replace(/(?<=\.a)\(.*\)$/, "") };
}

/** The line that names the next step. */
export function nextStepLine(hint: string, style: Writer["style"]): string {
  return style.faint(`next: ${printable(hint)}`);
}
