/**
 * Parsing of arguments in the spelling of `ld`: one dash or two before long names, values joined or
 * apart, and options that count for the inputs behind them.
 */
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { UsageError } from "./command.ts";
import { IGNORED, IGNORED_JOINED, IGNORED_VALUES, JOINED, SWITCHES, SYNONYMS, VALUES } from "./ld_options.ts";

/** A file, or a library to look for, and the options that count for it. */
export interface LdInput {
  /** The path, or the name behind `-l`. */
  readonly name: string;
  readonly isLibrary: boolean;
  readonly whole: boolean;
  /** Whether only static libraries count. */
  readonly isStatic: boolean;
  /** The number of the `--start-lib` that it stands behind: it counts as a member of that archive; 0 for none. */
  readonly lib: number;
}

/** Parsed arguments. */
export interface LdArguments {
  readonly inputs: readonly LdInput[];
  /** The values of each option, in order. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
  /** Arguments that have no meaning for modules. */
  readonly ignored: readonly string[];
}

/**
 * Parses arguments.
 *
 * @param lenient Whether options of `ld` that do not matter for modules are collected, instead of refused.
 * @throws {UsageError} for an unknown option or a missing value.
 */
export function parseLdArguments(args: readonly string[], lenient: boolean): LdArguments {
  const inputs: LdInput[] = [];
  const values = new Map<string, string[]>();
  const switches = new Set<string>();
  const ignored: string[] = [];
  const saved: [boolean, boolean][] = [];
  let [whole, isStatic, lib, libs] = [false, false, 0, 0];
  const add = (name: string, isLibrary: boolean): void => {
    inputs.push({ name, isLibrary, whole, isStatic, lib });
  };
  const put = (option: string, value: string): void => {
    if (value === "" && option !== "sysroot") throw new UsageError(`--${option} needs a value`);
    if (option === "library") add(value, true);
    else values.set(option, [...values.get(option) ?? [], value]);
  };
  for (let at = 0; at < args.length; at++) {
    const argument = args[at];
    if (!argument.startsWith("-") || argument === "-") {
      add(argument, false);
      continue;
    }
    if (argument === "--") {
      for (const name of args.slice(at + 1)) add(name, false);
      break;
    }
    const text = argument.replace(/^--?/, "");
    const [, name, value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(text)!;
    const next = (): string => {
      if (++at >= args.length) throw new UsageError(`${argument} needs a value`);
      return args[at];
    };
    // -z and its keyword, joined or not, by one spelling.
    const isKeyword = /^-z/.test(argument) && (argument !== "-z" || at + 1 < args.length);
    const method = name === "unresolved-symbols" && value === undefined ? next() : undefined;
    const synonym = method !== undefined
      ? `${name}=${method}`
      : isKeyword
      ? `-z ${text.slice(1) || args[at + 1]}`
      : text;
    if (name === "whole-archive") whole = true;
    else if (name === "no-whole-archive") whole = false;
    else if (/^(?:Bstatic|static|dn|non_shared)$/.test(name)) isStatic = true;
    else if (/^(?:Bdynamic|dy|call_shared)$/.test(name)) isStatic = false;
    else if (name === "start-lib") lib = ++libs;
    else if (name === "end-lib") lib = 0;
    else if (Object.hasOwn(SWITCHES, name) && value === undefined) switches.add(SWITCHES[name]);
    // -L=FOLDER: the sign belongs to the value of an option of one letter.
    else if (Object.hasOwn(VALUES, name) && (value === undefined || name.length > 1)) {
      put(VALUES[name], value ?? next());
    } else if (Object.hasOwn(SYNONYMS, synonym)) {
      if (argument === "-z") at++;
      const meaning = SYNONYMS[synonym];
      if (meaning === null) switches.delete("no-undefined");
      else if (meaning[1] !== undefined) put(meaning[0], meaning[1]);
      else switches.add(meaning[0]);
    } else if (lenient && name === "push-state") saved.push([whole, isStatic]);
    else if (lenient && name === "pop-state") [whole, isStatic] = saved.pop() ?? [whole, isStatic];
    // Long names first: -export-dynamic is not -e xport-dynamic.
    else if (lenient && (IGNORED.test(text) || IGNORED_VALUES.has(name) && value !== undefined)) {
      ignored.push(argument);
      if (/^(?:shared|Bshareable)$/.test(name)) switches.add("shared");
    } else if (lenient && IGNORED_VALUES.has(name)) ignored.push(`${argument} ${next()}`);
    else if (!argument.startsWith("--") && JOINED.test(text)) put(VALUES[text[0]], text.slice(1));
    else if (lenient && !argument.startsWith("--") && IGNORED_JOINED.test(text)) ignored.push(argument);
    else if (!lenient) throw new UsageError(`there is no option '${argument}'${nearestOption(name)}`);
    else throw new UsageError(`there is no option '${argument}'; what it asks for cannot be ignored`);
  }
  return { inputs, values, switches, ignored };
}

/** The option that was meant, as a message ends with it. */
function nearestOption(name: string): string {
  const known = [...Object.keys(SWITCHES), ...Object.keys(VALUES), ...OTHERS].filter(({ length }) =>
    length > 1
  );
  const near = name.length > 1 ? nearestWord(name, known) : undefined;
  return `${didYouMean(near && `--${near}`)}; smf link --help lists the options`;
}

/** Options that count for the inputs behind them. */
const OTHERS = ["whole-archive", "no-whole-archive", "start-lib", "end-lib"];

/** How deep response files may name each other. */
const MOST_NESTED = 8;

/**
 * Replaces each `@FILE` by the arguments in the file: separated by white space, in quotes if they
 * contain some, with `\` before a character that stands for itself.
 *
 * @param read Returns the text of a file; undefined if there is none, so that the argument stays as it is.
 */
export function expandResponseFiles(
  args: readonly string[],
  read: (path: string) => string | undefined,
  depth = 0,
): string[] {
  return args.flatMap((argument) => {
    if (!argument.startsWith("@") || argument.length === 1) return [argument];
    const text = read(argument.slice(1));
    if (text === undefined) return [argument];
    if (depth === MOST_NESTED) {
      throw new UsageError(`${argument}: response files name each other without end`);
    }
    const words = text.match(/(?:"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\\[\s\S]|[^\s"'\\])+/g) ?? [];
    return expandResponseFiles(words.map(unquoted), read, depth + 1);
  });
}

function unquoted(word: string): string {
  return word.replace(
    /"((?:\\[\s\S]|[^"\\])*)"|'((?:\\[\s\S]|[^'\\])*)'|\\([\s\S])/g,
    (_, double?: string, single?: string, one?: string) =>
      one ?? (double ?? single ?? "").replace(/\\([\s\S])/g, "$1"),
  );
}
