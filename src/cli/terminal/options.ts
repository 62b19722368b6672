/**
 * Parsing a command's arguments into options and positional arguments.
 */
import { parseArgs } from "@std/cli/parse-args";
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { ExitCode, type Output, UsageError } from "./command.ts";
import { writeProblem } from "./problem_format.ts";
import { type Writer, writerFor } from "./style.ts";

/** The options that a command has, beside `--color` and `--help`, which all of them have. */
export interface OptionNames {
  /** Options with a value. */
  readonly values?: readonly string[];
  /** Options with a value that may be given more than once. */
  readonly lists?: readonly string[];
  /** Options without a value. */
  readonly switches?: readonly string[];
  /** Short names. */
  readonly alias?: Readonly<Record<string, string>>;
}

/** Parsed arguments. */
export interface Options {
  /** The positional arguments, in order. */
  readonly rest: readonly string[];
  /** Whether a switch is given. */
  has(name: string): boolean;
  /** The value of an option; undefined if it is not given. */
  value(name: string): string | undefined;
  /** The values of a repeatable option. */
  list(name: string): readonly string[];
  /** The output, in the colours that `--color` selects. */
  readonly writer: Writer;
}

/** Put in front of negative numbers while parsing, so that they are not taken for options. */
const SHIELD = "\0";

/**
 * Parses a command's arguments. Everything after `--` is positional.
 *
 * @throws {UsageError} for an unknown option or a missing value.
 */
export function readOptions(args: readonly string[], names: OptionNames, output: Output): Options {
  const { values = [], lists = [], switches = [], alias = {} } = names;
  const shielded = args.map((argument) => /^-\.?\d/.test(argument) ? SHIELD + argument : argument);
  const options = parseArgs(shielded, {
    string: [...values, ...lists, "color", "_"],
    boolean: switches,
    collect: lists,
    alias,
    unknown(argument: string, key?: string): void {
      if (key === undefined) return;
      const known = [...values, ...lists, ...switches, "color", "format", "help"];
      const given = argument.replace(/=.*/s, "");
      const near = given.startsWith("--") ? nearestWord(given.slice(2), known) : undefined;
      const suggestion = didYouMean(near && `--${near}`);
      const names = known.map((name) => `--${name}`).join(", ");
      throw new UsageError(`there is no option '${given}'${suggestion}; the options are ${names}`);
    },
  });
  const unshielded = (text: string): string => text.startsWith(SHIELD) ? text.slice(1) : text;
  const required = (name: string, value: unknown): string => {
    if (value === "") throw new UsageError(`--${name} needs a value`);
    return unshielded(value as string);
  };
  const value = (name: string): string | undefined =>
    options[name] === undefined ? undefined : required(name, options[name]);
  for (const name of values) value(name);
  for (const name of lists) (options[name] as unknown[]).forEach((item) => required(name, item));
  return {
    rest: options._.map((argument) => unshielded(String(argument))),
    has: (name) => options[name] === true,
    value,
    list: (name) => (options[name] as string[]).map(unshielded),
    writer: writerFor(output, value("color"), options.demangle === true),
  };
}

/**
 * The file that a command with a single positional argument is given.
 *
 * @throws {UsageError} if there is none, or more than one.
 */
export function singleFile(options: Options): string {
  const [file, ...more] = options.rest;
  if (file === undefined) throw new UsageError("name a file, or - for standard input");
  if (more.length > 0) throw new UsageError(`expected one file; '${more[0]}' is one too many`);
  return file;
}

/**
 * Does a command's work on each of the files that it is given, one after the other. Between several an empty line is
 * printed, unless the result is JSON, which has a line for each.
 *
 * @param work Is told whether there are several, and returns the exit code.
 * @returns the highest exit code.
 * @throws {UsageError} if there is no file, or standard input is one of several.
 */
export async function forEachFile(
  options: Options,
  work: (file: string, isOneOfMany: boolean) => number | Promise<number>,
): Promise<number> {
  const { rest: files, writer } = options;
  if (files.length === 0) throw new UsageError("name a file, or - for standard input");
  const isMany = files.length > 1;
  if (isMany && files.includes("-")) throw new UsageError("standard input cannot be one of several files");
  let code = 0;
  for (const [index, file] of files.entries()) {
    if (index > 0 && !options.has("json")) writer.print("");
    try {
      code = Math.max(code, await work(file, isMany));
    } catch (error) {
      // The other files are still of use if one cannot be read.
      if (!isMany || !(error instanceof UsageError)) throw error;
      writeProblem({ level: "error", message: error.message }, writer, [error.message]);
      code = ExitCode.USAGE;
    }
  }
  return code;
}
