/**
 * `smf link`: links object files and static libraries into a module.
 */
import { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "../../link/linker.ts";
import { parseDefinition } from "../../link/defsym.ts";
import { exportsOfScript } from "../../link/elf/version_script.ts";
import { crossReferences, formatMap, type LinkMap } from "../../link/map.ts";
import { listNames } from "../../errors/names.ts";
import { C_LIBRARY } from "../../os/dynamic_linker.ts";
import { type Command, type Output, UsageError } from "../terminal/command.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { expandResponseFiles, type LdArguments, parseLdArguments } from "../terminal/ld_arguments.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { styleFor, type Writer } from "../terminal/style.ts";
import { findInputs, type FoundInputs } from "./link_inputs.ts";

const HELP = `smf link <file.o | file.a | -lNAME>... -o <file.smf> [options]

Links ELF objects and static libraries (x86-64, AArch64) into a module.

  -o, --output FILE   the module to write
  --export GLOB       export the symbols with these names; repeatable
                      default: all visible symbols of the objects named directly
  --entry NAME        the entry point; makes the module executable
  --keep GLOB         keep these symbols or sections even if unreferenced; repeatable
  -l NAME, -L FOLDER  link libNAME.so or libNAME.a, looked for in these folders first;
                      a shared library is recorded as with --needed
  --needed NAME       look for imports in this shared library of the system when the
                      module is loaded; repeatable; always in the C library
  -Bstatic, -Bdynamic look for libNAME.a alone from here on, or for both again
  --whole-archive     link all members of the archives from here on;
                      --no-whole-archive ends it
  -u, --undefined NAME    pull in and keep the definition of this symbol; repeatable
  --defsym NAME=VALUE     define a symbol as a number, as another symbol, or as a symbol
                      with a number added or subtracted (end=buffer+0x100); repeatable
  --wrap NAME         lead references to NAME to __wrap_NAME, and those to __real_NAME
                      to NAME; repeatable
  --version-script FILE, --dynamic-list FILE
                      export the names that the file lists, if an input defines them
  --exclude-libs LIST do not export names of these archives: libz.a,libm.a or ALL
  --no-undefined      refuse names that neither an input nor a host library defines
  --allow-undefined GLOB  let the module load without these names: a call of a missing
                      function ends the process and says which; repeatable
  --print-gc-sections list the sections that nothing reaches
  @FILE               take further arguments from the file
  --reloadable        mark the module as reloadable while it runs
  --unwind WHEN       keep the unwind tables, which exceptions, panics and backtraces
                      need: auto (default: if the code may throw or be unwound
                      through), always or never
  --cpu NAME          the processor that the code needs: x86-64-v2, -v3, -v4, or
                      armv8.1-a, armv8.2-a, armv8.3-a; loading on another is refused
                      default: what the objects say (gcc -mneeded)
  --types WHICH       keep the types of exports and writable variables, which the debug
                      information of the objects tells (-g): keep (default: as far as
                      there are any), require (an object without them is an error) or
                      off
  --strip             leave out the names of symbols that are not exported
  --map               print a link map: sections, symbols, members, discarded parts
  --cref              list where each name is defined and who refers to it, in the map
                      or by itself
  -Map FILE           write the map to a file
  --color WHEN        auto (default), always or never

Compile with -fPIC. Undefined symbols become imports of the module.

Examples:
  smf link counter.o -o counter.smf --reloadable
  smf link main.o libz.a -o unzip.smf --entry main
  smf link plugin.o --export 'plugin_*' --strip --map -o plugin.smf`;

export const link: Command = {
  help: HELP,
  run: (args, output) => runLink("link", args, output),
};

/**
 * Runs a link whose arguments are spelt as `ld` spells them.
 *
 * @param command Which command it is; `ld` ignores, aloud, what has no meaning for modules.
 */
export function runLink(command: "link" | "ld", args: readonly string[], output: Output): Promise<number> {
  const given = parseLdArguments(expandResponseFiles(args, readResponseFile), command === "ld");
  const target = lastOf(given, "output");
  if (given.inputs.length === 0) throw new UsageError("name the files to link");
  if (target === undefined) throw new UsageError("name the module to write: -o <file.smf>");
  const writer = writerOf(lastOf(given, "color"), output);
  const file = given.inputs.find(({ isLibrary }) => !isLibrary)?.name ?? target;
  return reportingErrors({ command, file, writer, json: false, isModule: false }, () => {
    const options = optionsOf(given);
    const found = findInputs(given.inputs, {
      folders: listOf(given, "library-path"),
      excluded: listOf(given, "exclude-libs").flatMap((list) => list.split(/[,:]/)),
      skipStartFiles: command === "ld",
    });
    if (command === "ld") sayIgnored(given, found, output);
    const { bytes, map } = linkFor(found.inputs, {
      ...options,
      needed: [...listOf(given, "needed"), ...found.hostLibraries.filter((name) => name !== C_LIBRARY)],
      provided: found.provided,
    });
    replaceFile(target, bytes);
    if (given.switches.has("print-gc-sections")) printDropped(map, writer);
    printMap(given, map, writer);
    if (options.exports === undefined) sayNotExported(command, map, output);
    sayUnreadable(command, map, output);
  });
}

/** Links; a processor that the objects' architecture does not have is wrong usage, not a bad file. */
function linkFor(inputs: readonly LinkInput[], options: LinkOptions): LinkedModule {
  try {
    return linkObjects(inputs, options);
  } catch (error) {
    if (options.cpu === undefined || !(error instanceof TypeError)) throw error;
    throw new UsageError(`--cpu: ${error.message}`);
  }
}

function listOf({ values }: LdArguments, option: string): readonly string[] {
  return values.get(option) ?? [];
}

function lastOf(given: LdArguments, option: string): string | undefined {
  return listOf(given, option).at(-1);
}

function optionsOf(given: LdArguments): LinkOptions {
  const exports = listOf(given, "export");
  const scripts = [...listOf(given, "version-script"), ...listOf(given, "dynamic-list")];
  const entry = lastOf(given, "entry");
  const unwind = unwindOf(lastOf(given, "unwind") ?? "auto");
  const cpu = lastOf(given, "cpu");
  const types = typesOf(lastOf(given, "types"));
  return {
    ...(exports.length > 0 && { exports }),
    ...(scripts.length > 0 && {
      exportList: scripts.flatMap((path) => exportsOfScript(path, new TextDecoder().decode(readInput(path)))),
    }),
    ...(entry !== undefined && { entry }),
    ...(unwind !== undefined && { unwind }),
    ...(cpu !== undefined && { cpu }),
    ...(types !== undefined && { types }),
    keep: listOf(given, "keep"),
    undefined: listOf(given, "undefined"),
    wrap: listOf(given, "wrap"),
    defsym: Object.fromEntries(listOf(given, "defsym").map(definitionOf)),
    noUndefined: given.switches.has("no-undefined"),
    allowUndefined: listOf(given, "allow-undefined"),
    reloadable: given.switches.has("reloadable"),
    cref: given.switches.has("cref"),
    strip: given.switches.has("strip"),
  };
}

/** Reads `NAME=VALUE`. */
function definitionOf(text: string): [name: string, value: string] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`--defsym takes NAME=VALUE, not '${text}'`);
  if (parseDefinition(value) === undefined) {
    throw new UsageError(
      `--defsym takes a number up to 2^53 - 1, a name, or a name with a number added or subtracted, not '${value}'`,
    );
  }
  return [name.trim(), value];
}

function readResponseFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`${path}: Cannot read the file: ${(error as Error).message}`);
  }
}

function writerOf(color: string | undefined, output: Output): Writer {
  return {
    ...output,
    style: styleFor(color, output.terminals?.print ?? false),
    complaintStyle: styleFor(color, output.terminals?.complain ?? false),
  };
}

/** Says on one line each what has no meaning for modules, and which libraries the module needs. */
function sayIgnored({ ignored }: LdArguments, { leftOut, hostLibraries }: FoundInputs, output: Output): void {
  if (ignored.length > 0) output.complain(`smf ld: ignored: ${ignored.join(" ")}`);
  if (leftOut.length > 0) output.complain(`smf ld: left out: ${leftOut.join(" ")}`);
  if (hostLibraries.length > 0) {
    output.complain(`smf ld: host libraries that the module needs: ${hostLibraries.join(" ")}`);
  }
}

/** Lists the sections that nothing reaches, as `ld` does. */
function printDropped({ dropped }: LinkMap, writer: Writer): void {
  for (const { section, object, reason } of dropped) {
    if (reason === "unreachable") writer.print(`removing unused section '${section}' in file '${object}'`);
  }
}

/** Prints the map, or writes it to the file that the option names. Cross references are part of both. */
function printMap(given: LdArguments, map: LinkMap, writer: Writer): void {
  const file = lastOf(given, "Map");
  if (file !== undefined) replaceFile(file, new TextEncoder().encode(formatMap(map)));
  const lines = given.switches.has("map")
    ? formatMap(map).trimEnd().split("\n")
    : given.switches.has("cref") && file === undefined
    ? crossReferences(map)
    : [];
  for (const line of lines) writer.print(line);
}

/** Says on one line which variables other modules will not find, unless a list of exports leaves them out. */
function sayNotExported(command: string, { threadLocals }: LinkMap, output: Output): void {
  if (threadLocals.length === 0) return;
  const noun = threadLocals.length === 1 ? "variable" : "variables";
  output.complain(
    `smf ${command}: not exported: ${threadLocals.length} thread-local ${noun}: ${listNames(threadLocals)}`,
  );
}

/** Says of which objects the module has no types, though they have debug information. */
function sayUnreadable(command: string, { types: { unreadable } }: LinkMap, output: Output): void {
  for (const { object, reason } of unreadable) {
    output.complain(`smf ${command}: no types of ${object}: ${reason}`);
  }
}

function typesOf(which: string | undefined): LinkOptions["types"] {
  switch (which) {
    case undefined:
    case "keep":
    case "require":
    case "off":
      return which;
    default:
      throw new UsageError(`--types takes keep, require or off, not '${which}'`);
  }
}

function unwindOf(when: string): boolean | undefined {
  switch (when) {
    case "auto":
      return undefined;
    case "always":
      return true;
    case "never":
      return false;
    default:
      throw new UsageError(`--unwind takes auto, always or never, not '${when}'`);
  }
}
