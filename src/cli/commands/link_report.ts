/**
 * Prints and writes the reports of a link: the map, traces, the file of dependencies, and the lines that say which
 * arguments and files `smf ld` left out.
 */
import { listNames } from "../../errors/names.ts";
import { crossReferences, formatMap, type LinkMap, liveReasons, type MapHome } from "../../link/map.ts";
import { remedyOf } from "../../link/unswitched.ts";
import type { Output } from "../terminal/command.ts";
import { replaceFile } from "../terminal/files.ts";
import type { LdArguments } from "../terminal/ld_arguments.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import type { Writer } from "../terminal/style.ts";
import { type FoundInputs, START_LIB } from "./link_inputs.ts";
import { lastOf } from "./link_options.ts";

/** Says on one line each what has no meaning for modules, and which libraries the module needs. */
export function sayIgnored({ ignored }: LdArguments, found: FoundInputs, output: Output): void {
  const say = (what: string, names: readonly string[]): void => {
    if (names.length > 0) output.complain(`smf ld: ${what}: ${names.join(" ")}`);
  };
  say("ignored", ignored);
  say("left out", found.leftOut);
  say("host libraries that the module needs", found.hostLibraries);
  say("modules to load first", found.modules);
}

/** Lists the sections that nothing reaches, as `ld` does. */
export function printDropped({ dropped }: LinkMap, writer: Writer): void {
  for (const { section, object, reason } of dropped) {
    if (reason === "unreachable") {
      writer.print(writer.named(`removing unused section '${section}' in file '${object}'`));
    }
  }
}

/** Lists the files and archive members that took part, in link order. */
export function printTrace({ inputs, hostFiles }: FoundInputs, { members }: LinkMap, writer: Writer): void {
  for (const { name } of inputs) if (name !== START_LIB) writer.print(name);
  for (const { member } of members) writer.print(member);
  for (const file of hostFiles) writer.print(file);
}

/** Lists where each of the names is defined and used. */
export function printTraced(names: readonly string[], { references }: LinkMap, writer: Writer): void {
  for (const { name, definedBy, neededBy } of references) {
    if (!names.includes(name)) continue;
    if (definedBy !== undefined) writer.print(writer.named(`${definedBy}: definition of ${name}`));
    for (const object of neededBy) writer.print(writer.named(`${object}: reference to ${name}`));
  }
}

/** Says why sections are in the module or not; names that nothing has are said, too. */
export function printLive(names: readonly string[], map: LinkMap, writer: Writer): void {
  for (const line of liveReasons(map)) writer.print(writer.named(line));
  if (names.length > 0 && map.live.length === 0) {
    writer.print(`no section or symbol of the objects is named ${listNames(names)}`);
  }
}

/** Writes a rule of make: the module depends on every file that was read, each of which may be gone. */
export function writeDependencies(path: string, target: string, files: readonly string[]): void {
  const escaped = [...new Set(files)].map(escapedForMake);
  const rule = [`${escapedForMake(target)}:`, ...escaped].join(" ");
  const text = [rule, ...escaped.map((file) => `${file}:`)].join("\n\n") + "\n";
  replaceFile(path, new TextEncoder().encode(text));
}

function escapedForMake(path: string): string {
  return path.replace(/[ #\\]/g, "\\$&").replaceAll("$", "$$$$");
}

/** Prints the map, or writes it to the file that the option names. Cross references are part of both. */
export function printMap(given: LdArguments, map: LinkMap, writer: Writer): void {
  const file = lastOf(given, "Map");
  const text = (): string => formatMap(given.switches.has("cref") ? map : { ...map, references: [] });
  if (file !== undefined) replaceFile(file, new TextEncoder().encode(text()));
  const lines = given.switches.has("map")
    ? text().trimEnd().split("\n")
    : given.switches.has("cref") && file === undefined
    ? crossReferences(map)
    : [];
  for (const line of lines) writer.print(writer.named(line));
}

/** A link as JSON: the parts of the map that are of interest without the objects, or all of it. */
export function mapJson(map: LinkMap, isWhole: boolean): Readonly<Record<string, unknown>> {
  if (isWhole) return { ...map };
  const { exports, imports, members, dropped, relocations, types, debug, sharedHomes, unswitched } = map;
  return {
    sections: map.sections.map(({ name, kind, address, size }) => ({ name, kind, address, size })),
    exports,
    imports,
    members,
    dropped: dropped.length,
    relocations,
    types,
    debug,
    sharedHomes,
    unswitched,
  };
}

/** Reports the shortcomings of a link, each with a way out. */
export function sayShortcomings(command: string, map: LinkMap, output: Writer): void {
  sayUnreadable(command, map, output);
  sayLibraries(command, map, output);
  saySharedHomes(command, map, output);
  sayUnswitched(command, map, output);
}

function warn(message: string, output: Output, file?: string): void {
  writeProblem({ level: "warning", file, message }, output, [message]);
}

/** Says of which objects the module has no types or no debug information, though they have some. */
function sayUnreadable(command: string, { types, debug }: LinkMap, output: Output): void {
  for (const { object, reason } of types.unreadable) {
    warn(`smf ${command}: no types of ${object}: ${reason}`, output, object);
  }
  for (const { object, reason } of debug.unreadable) {
    warn(`smf ${command}: no debug information of ${object}: ${reason}`, output, object);
  }
}

/** Says which libraries objects ask for in vain: those of Microsoft's compiler, by names without a place. */
function sayLibraries(command: string, { defaultLibraries, imports }: LinkMap, output: Output): void {
  if (defaultLibraries.length === 0 || imports.length === 0) return;
  const names = listNames([...defaultLibraries]);
  warn(
    `smf ${command}: libraries that objects ask for are not linked: ${names}: ` +
      "name the DLLs that have the functions (--needed ucrtbase.dll), or give import libraries",
    output,
  );
}

/** Reports the sections of a reloadable module that hold several variables, and the flags that give each its own. */
function saySharedHomes(command: string, map: LinkMap, output: Writer): void {
  sayHomes(`smf ${command}: variables that a reload keeps only together`, map.sharedHomes, output);
  sayHomes(
    `smf ${command}: tables of C++ classes that each version has anew, since other constants are with them`,
    map.mixedTables,
    output,
  );
}

function sayHomes(problem: string, homes: readonly MapHome[], output: Writer): void {
  for (const [flags, those] of Map.groupBy(homes, ({ flags }) => flags.join(" "))) {
    const sections = those.map(({ object, section }) => `${object}(${section})`);
    const step = flags === "" ? "the source puts them there" : `compile with ${flags}`;
    warn(output.named(`${problem}: ${listNames(sections)}: ${step}`), output);
  }
}

/** Says which functions of a hot module have calls that stay within their version, and what would change it. */
function sayUnswitched(command: string, { unswitched }: LinkMap, output: Writer): void {
  for (const [remedy, functions] of Map.groupBy(unswitched, remedyOf)) {
    const names = listNames(functions.map(({ name }) => name));
    warn(output.named(`smf ${command}: calls that stay within their version: ${names}: ${remedy}`), output);
  }
}
