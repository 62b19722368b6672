/**
 * The form in which problems are written: as lines for people, or as workflow commands of GitHub Actions, which shows
 * them beside the lines of the files (GitHub's documentation, "Workflow commands for GitHub Actions").
 */
import { type Output, UsageError } from "./command.ts";

/** The forms, as `--format` takes them. */
const FORMATS = ["text", "github"] as const;

/** A form of problems. */
export type ProblemFormat = (typeof FORMATS)[number];

/** A problem, as GitHub names its parts. */
export interface Problem {
  readonly level: "error" | "warning" | "notice";
  /** The file, from the current folder or absolute; undefined if the problem is not that of a file. */
  readonly file?: string | undefined;
  /** The line and column, from 1 on. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** The text, which may have several lines. */
  readonly message: string;
}

/**
 * Takes `--format` out of a command's arguments.
 *
 * @param own How many of the arguments, from the first, are those of the command.
 * @param isLd Whether other values are left to the command, to which they are formats of objects.
 * @throws {UsageError} for a form that there is not.
 */
export function takeFormat(
  args: readonly string[],
  own: number,
  isLd = false,
): { readonly args: readonly string[]; readonly format: ProblemFormat | undefined } {
  let format: ProblemFormat | undefined;
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const match = /^--format(?:=(.*))?$/s.exec(args[at]);
    const value = match?.[1] ?? args[at + 1];
    const isOther = isLd && value !== undefined && !FORMATS.some((each) => each === value);
    if (match === null || at >= own || isOther) {
      rest.push(args[at]);
      continue;
    }
    format = formatNamed(value);
    if (match[1] === undefined) at++;
  }
  return { args: rest, format };
}

/**
 * The form of a name.
 *
 * @throws {UsageError} if there is none.
 */
export function formatNamed(name: string | undefined): ProblemFormat {
  const format = FORMATS.find((each) => each === name);
  if (format !== undefined) return format;
  throw new UsageError(`--format takes ${FORMATS.join(" or ")}, not '${name ?? ""}'`);
}

/** Adds the option to the help of a command, behind `--color`, which all of them have. */
export function withFormatHelp(help: string): string {
  return help.replace(/^( {2}--color WHEN +)(.*(?:\n {5,}\S.*)*)/m, (whole, option: string) => {
    const name = "  --format HOW".padEnd(option.length);
    return `${whole}\n${name}text (default), or github: problems as workflow commands`;
  });
}

/**
 * Writes a problem.
 *
 * @param lines What people read, in the form `text`.
 */
export function writeProblem(problem: Problem, output: Output, lines: readonly string[]): void {
  if (output.format === "github") output.complain(workflowCommand(problem));
  else for (const line of lines) output.complain(line);
}

/** The workflow command for a problem, on one line. */
export function workflowCommand({ level, file, line, column, message }: Problem): string {
  const properties = Object.entries({ file, line, col: column })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${escapedProperty(`${value}`)}`);
  return `::${level}${properties.length === 0 ? "" : ` ${properties.join(",")}`}::${escapedData(message)}`;
}

/** Escapes what would end the command. */
function escapedData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** Escapes what would end a property, too. */
function escapedProperty(text: string): string {
  return escapedData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
