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
import type { Writer } from "../terminal/style.ts";
import { type FoundInputs, START_LIB } from "./link_inputs.ts";

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
    if (reason === "unreachable") writer.print(`removing unused section '${section}' in file '${object}'`);
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
    if (definedBy !== undefined) writer.print(`${definedBy}: definition of ${name}`);
    for (const object of neededBy) writer.print(`${object}: reference to ${name}`);
  }
}

/** Says why sections are in the module or not; names that nothing has are said, too. */
export function printLive(names: readonly string[], map: LinkMap, writer: Writer): void {
  for (const line of liveReasons(map)) writer.print(line);
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
  const file = given.values.get("Map")?.at(-1);
  const shown = given.switches.has("cref") ? map : { ...map, references: [] };
  if (file !== undefined) replaceFile(file, new TextEncoder().encode(formatMap(shown)));
  const lines = given.switches.has("map")
    ? formatMap(shown).trimEnd().split("\n")
    : given.switches.has("cref") && file === undefined
    ? crossReferences(map)
    : [];
  for (const line of lines) writer.print(line);
}

/** Says of which objects the module has no types or no debug information, though they have some. */
export function sayUnreadable(command: string, { types, debug }: LinkMap, output: Output): void {
  for (const { object, reason } of types.unreadable) {
    output.complain(`smf ${command}: no types of ${object}: ${reason}`);
  }
  for (const { object, reason } of debug.unreadable) {
    output.complain(`smf ${command}: no debug information of ${object}: ${reason}`);
  }
}

/** Says which sections of a reloadable module hold several variables, and which flags give each a section of its own. */
export function saySharedHomes(command: string, map: LinkMap, output: Output): void {
  sayHomes(`smf ${command}: variables that a reload keeps only together`, map.sharedHomes, output);
  sayHomes(
    `smf ${command}: tables of C++ classes that each version has anew, since other constants are with them`,
    map.mixedTables,
    output,
  );
}

function sayHomes(problem: string, homes: readonly MapHome[], output: Output): void {
  const byFlags = new Map<string, string[]>();
  for (const { flags, section, object } of homes) {
    const key = flags.join(" ");
    const known = byFlags.get(key);
    if (known === undefined) byFlags.set(key, [`${object}(${section})`]);
    else known.push(`${object}(${section})`);
  }
  for (const [flags, sections] of byFlags) {
    const step = flags === "" ? "the source puts them there" : `compile with ${flags}`;
    output.complain(`${problem}: ${listNames(sections)}: ${step}`);
  }
}

/** Says which functions of a hot module have calls that stay within their version, and what would change it. */
export function sayUnswitched(command: string, { unswitched }: LinkMap, output: Output): void {
  const byRemedy = new Map<string, string[]>();
  for (const one of unswitched) {
    const remedy = remedyOf(one);
    const known = byRemedy.get(remedy);
    if (known === undefined) byRemedy.set(remedy, [one.name]);
    else known.push(one.name);
  }
  for (const [remedy, names] of byRemedy) {
    output.complain(`smf ${command}: calls that stay within their version: ${listNames(names)}: ${remedy}`);
  }
}
