/**
 * The arguments of a command: options that it has, and the rest.
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Output, UsageError } from "./command.ts";
import { styleFor, type Writer } from "./style.ts";

/** What a command understands; `--color` and `--help` are everybody's. */
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

/** What was given. */
export interface Options {
  /** The arguments that are no options, in order. */
  readonly rest: readonly string[];
  /** Whether a switch is there. */
  has(name: string): boolean;
  /** The value of an option. */
  value(name: string): string | undefined;
  /** The values of an option that may be repeated. */
  list(name: string): readonly string[];
  /** Where to write, in the colours that were asked for. */
  readonly writer: Writer;
}

/** A negative number is an argument; this keeps it from being read as an option. */
const SHIELD = "\0";

/**
 * Reads a command's arguments. What follows `--` is no option.
 *
 * @throws {UsageError} for options that the command does not have and values that are missing.
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
      if (key !== undefined) throw new UsageError(`there is no option '${argument}'`);
    },
  });
  const unshielded = (text: string): string => text.startsWith(SHIELD) ? text.slice(1) : text;
  const needed = (name: string, value: unknown): string => {
    if (value === "") throw new UsageError(`--${name} needs a value`);
    return unshielded(value as string);
  };
  const value = (name: string): string | undefined =>
    options[name] === undefined ? undefined : needed(name, options[name]);
  for (const name of values) value(name);
  for (const name of lists) (options[name] as unknown[]).forEach((one) => needed(name, one));
  const color = value("color");
  return {
    rest: options._.map((argument) => unshielded(String(argument))),
    has: (name) => options[name] === true,
    value,
    list: (name) => (options[name] as string[]).map(unshielded),
    writer: {
      ...output,
      style: styleFor(color, output.terminals?.print ?? false),
      complaintStyle: styleFor(color, output.terminals?.complain ?? false),
    },
  };
}

/** The one file that most commands take. */
export function oneFile(options: Options): string {
  const [file, ...more] = options.rest;
  if (file === undefined) throw new UsageError("say which file, or - for standard input");
  if (more.length > 0) throw new UsageError(`it takes one file, and '${more[0]}' is one too many`);
  return file;
}
