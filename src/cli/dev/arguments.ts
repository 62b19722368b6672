/**
 * The arguments of `smf dev`: its own options, those of `deno run`, the program, and the program's arguments.
 */
import { type ReloadTime, reloadTime } from "../terminal/at.ts";
import { UsageError } from "../terminal/command.ts";
import { type State, stateNamed } from "../terminal/state.ts";

/** The arguments of `smf dev` up to the program, whose own may be anything. */
export function beforeProgram(given: readonly string[]): readonly string[] {
  const valued = ["--state", "--at", "--timeout", "--compiler", "--project", "--color", "--format"];
  let end = 0;
  while (end < given.length && given[end].startsWith("-")) end += valued.includes(given[end]) ? 2 : 1;
  return given.slice(0, end);
}

/** The parsed arguments. */
export interface DevArguments {
  readonly state: State;
  readonly when: ReloadTime;
  readonly verbose: boolean;
  /** When to use colours, as `--color` says. */
  readonly color: string | undefined;
  /** The C compiler; undefined: that of the configuration, or the first that is found. */
  readonly compiler: string | undefined;
  /** The configuration; undefined: the nearest one above the program. */
  readonly project: string | undefined;
  /** The options of `deno run`. */
  readonly flags: readonly string[];
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * Parses the arguments. Options before the program that are not those of `smf dev` are Deno's; values stand behind `=`.
 *
 * @throws {UsageError} if they are wrong.
 */
export function parseDevArguments(given: readonly string[]): DevArguments {
  const flags: string[] = [];
  let verbose = false, project: string | undefined, color: string | undefined;
  let stateName: string | undefined,
    compiler: string | undefined,
    at: string | undefined,
    timeout: string | undefined;
  let next = 0;
  for (; next < given.length && given[next].startsWith("-"); next++) {
    const [, name, value] = /^([^=]*)(?:=(.*))?$/s.exec(given[next])!;
    const valueOf = (): string => {
      const text = value ?? given[++next];
      if (text === undefined || text === "") throw new UsageError(`${name} needs a value`);
      return text;
    };
    if (name === "--state") stateName = valueOf();
    else if (name === "--compiler") compiler = valueOf();
    else if (name === "--at") at = valueOf();
    else if (name === "--timeout") timeout = valueOf();
    else if (name === "--project") project = valueOf();
    else if (name === "--color") color = valueOf();
    else if (name === "--verbose") verbose = true;
    else flags.push(given[next]);
  }
  const state = stateNamed(stateName), when = reloadTime(at, timeout);
  const [program, ...args] = given.slice(next);
  if (program === undefined) throw new UsageError("name the program to start");
  return { state, when, verbose, color, compiler, project, flags, program, args };
}

/**
 * The permissions to add to those of the user, so that the program can load modules and look at their files.
 *
 * A list for reading would narrow the permission to read everything, and Deno refuses either beside `--allow-all`.
 */
export function neededPermissions(flags: readonly string[], readable: readonly string[]): string[] {
  const has = (...names: string[]): boolean => flags.some((flag) => names.includes(flag));
  const begins = (...names: string[]): boolean =>
    flags.some((flag) => names.includes(flag.replace(/=.*/s, "")));
  if (has("-A", "--allow-all") || begins("-P", "--permission-set")) return [];
  return [
    ...(begins("--allow-ffi") ? [] : ["--allow-ffi"]),
    ...(has("-R", "--allow-read") ? [] : [`--allow-read=${readable.join(",")}`]),
  ];
}
