/**
 * Parsing of arguments in the spelling of `ld`: one dash or two before long names, values joined or
 * apart, and options that count for the inputs behind them.
 */
import { UsageError } from "./command.ts";

/** A file, or a library to look for, and the options that count for it. */
export interface LdInput {
  /** The path, or the name behind `-l`. */
  readonly name: string;
  readonly isLibrary: boolean;
  readonly whole: boolean;
  /** Whether only static libraries count. */
  readonly isStatic: boolean;
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

/** Options with a value, by every spelling. */
const VALUES: Readonly<Record<string, string>> = {
  ...names(
    "output entry export keep unwind cpu types needed color wrap defsym version-script dynamic-list exclude-libs",
  ),
  ...names("allow-undefined undefined library library-path Map"),
  ...{ o: "output", e: "entry", u: "undefined", l: "library", L: "library-path" },
};

/** Options without a value. */
const SWITCHES: Readonly<Record<string, string>> = {
  ...names("reloadable strip map cref no-undefined print-gc-sections"),
  ...{ s: "strip", "strip-all": "strip", M: "map", "print-map": "map" },
};

/** Options of `ld` that do not matter for modules: with a value apart, and without. */
const IGNORED_VALUES: ReadonlySet<string> = new Set(
  ("m z h soname rpath rpath-link dynamic-linker I plugin plugin-opt hash-style sysroot f auxiliary filter " +
    "sort-section build-id").split(" "),
);
const IGNORED =
  /^(?:shared|Bshareable|pie|no-pie|nostdlib|g|x|X|S|d|E|n|eh-frame-hdr|no-eh-frame-hdr|(?:no-)?as-needed|(?:no-)?gc-sections|start-group|end-group|\(|\)|push-state|pop-state|Bsymbolic.*|(?:no-)?add-needed|export-dynamic|(?:no-)?warn-.*|(?:no-)?fatal-warnings|(?:no-)?relax|sort-.*|(?:no-)?allow-shlib-undefined|(?:enable|disable)-new-dtags|build-id|hash-style=.*|O\d?|icf=.*|discard-.*|strip-debug|(?:no-)?demangle|(?:no-)?undefined-version|trace|t|v|V|verbose|fix-cortex.*|no-map-whole-files|no-keep-memory|threads.*|color-diagnostics.*|copy-dt-needed-entries|no-copy-dt-needed-entries|no-print-gc-sections|unresolved-symbols=.*)$/;

function names(list: string): Record<string, string> {
  return Object.fromEntries(list.split(" ").map((name) => [name, name]));
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
  let [whole, isStatic] = [false, false];
  const put = (option: string, value: string): void => {
    if (value === "") throw new UsageError(`--${option} needs a value`);
    if (option === "library") inputs.push({ name: value, isLibrary: true, whole, isStatic });
    else values.set(option, [...values.get(option) ?? [], value]);
  };
  for (let at = 0; at < args.length; at++) {
    const argument = args[at];
    if (!argument.startsWith("-") || argument === "-") {
      inputs.push({ name: argument, isLibrary: false, whole, isStatic });
      continue;
    }
    if (argument === "--") {
      for (const name of args.slice(at + 1)) inputs.push({ name, isLibrary: false, whole, isStatic });
      break;
    }
    const text = argument.replace(/^--?/, "");
    const [, name, value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(text)!;
    const next = (): string => {
      if (++at >= args.length) throw new UsageError(`${argument} needs a value`);
      return args[at];
    };
    if (name === "whole-archive") whole = true;
    else if (name === "no-whole-archive") whole = false;
    else if (/^(?:Bstatic|static|dn|non_shared)$/.test(name)) isStatic = true;
    else if (/^(?:Bdynamic|dy|call_shared)$/.test(name)) isStatic = false;
    else if (Object.hasOwn(SWITCHES, name) && value === undefined) switches.add(SWITCHES[name]);
    else if (Object.hasOwn(VALUES, name)) put(VALUES[name], value ?? next());
    else if (!argument.startsWith("--") && /^[oeulL]./.test(text)) put(VALUES[text[0]], text.slice(1));
    else if (argument === "-z" && (args[at + 1] === "defs")) {
      switches.add("no-undefined");
      at++;
    } else if (!lenient) throw new UsageError(`there is no option '${argument}'`);
    else if (name === "push-state") saved.push([whole, isStatic]);
    else if (name === "pop-state") [whole, isStatic] = saved.pop() ?? [whole, isStatic];
    else if (
      IGNORED.test(text) || IGNORED_VALUES.has(name) && value !== undefined || /^[mzhfOI]./.test(text)
    ) {
      ignored.push(argument);
    } else if (IGNORED_VALUES.has(name)) ignored.push(`${argument} ${next()}`);
    else throw new UsageError(`there is no option '${argument}'; what it asks for cannot be ignored`);
  }
  return { inputs, values, switches, ignored };
}

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
