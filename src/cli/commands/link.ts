/**
 * `smf link`: links object files and static libraries into a module.
 */
import { type LinkedFile, type LinkOptions, linkReporting, type ReadInput } from "../../link/linker.ts";
import { linkedPart, type LinkProgress } from "../../link/progress.ts";
import { C_LIBRARY } from "../../os/dynamic_linker.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { replaceFile } from "../terminal/files.ts";
import { expandResponseFiles, parseLdArguments } from "../terminal/ld_arguments.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { Progress } from "../terminal/progress.ts";
import { writerFor } from "../terminal/style.ts";
import { VERSION_LINE } from "../terminal/version.ts";
import { InputFiles } from "./input_files.ts";
import { findInputs, isStartFile } from "./link_inputs.ts";
import {
  mapJson,
  printDropped,
  printLive,
  printMap,
  printTrace,
  printTraced,
  sayIgnored,
  sayShortcomings,
  writeDependencies,
} from "./link_report.ts";
import { lastOf, listOf, optionsOf } from "./link_options.ts";

const HELP = `smf link <file.o | file.a | -lNAME>... -o <file.smf> [options]

Links objects and static libraries, ELF or Mach-O (x86-64, AArch64) or COFF (x86-64), into a module.

  -o, --output FILE   the module to write
  --export GLOB       export the symbols with these names; repeatable
                      default: all visible symbols of the objects named directly
  --entry NAME        the entry point; makes the module executable
  --keep GLOB         keep these symbols or sections even if unreferenced; repeatable
  -l NAME, -L FOLDER  link libNAME.so, libNAME.a, libNAME.dll.a or NAME.lib, looked for
                      in these folders first;
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
  --export-dynamic-symbol GLOB, --export-dynamic-symbol-list FILE
                      export these names besides, also those of archives
  --require-defined NAME  like -u, and refuse to link if no input defines the symbol
  --allow-multiple-definition, -z muldefs
                      take the first of several definitions
  --init NAME, --fini NAME    run these functions first when the module is loaded, and
                      last when it ends
  --no-undefined, --unresolved-symbols=report-all, --error-unresolved-symbols
                      refuse names that neither an input nor a host library defines
  --allow-undefined GLOB  let the module load without these names: a call of a missing
                      function ends the process and says which; repeatable
  --print-gc-sections list the sections that nothing reaches
  @FILE               take further arguments from the file
  --reloadable        make a module that can be reloaded while it runs: its variables
                      can stay where they are
  --hot               and whose running code takes up new code: calls inside the module
                      and pointers to functions lead through entries, and virtual tables
                      and types of C++ stay where they are; implies --reloadable
  --spare-virtuals N  with --hot: how many virtual functions later versions can append to
                      each class, from 0 to 4096; default: 16
  --unwind WHEN       keep the unwind tables, which exceptions, panics and backtraces
                      need: auto (default: if the code may throw or be unwound
                      through), always or never
  --platform NAME     the operating system: linux, windows, macos or freebsd; default:
                      that of the objects where their format tells it (COFF,
                      Mach-O), or linux
  --cpu NAME          the processor that the code needs: x86-64-v2, -v3, -v4, or
                      armv8.1-a, armv8.2-a, armv8.3-a; loading on another is refused
                      default: what the objects say (gcc -mneeded)
  --types WHICH       keep the types of exports and writable variables, which the debug
                      information of the objects tells (-g): keep (default: as far as
                      there are any), require (an object without them is an error) or
                      off
  --debug WHERE       debug information of the objects (-g): keep (default: in the
                      module, which loading never reads), off, or a file to write it
                      to, which debuggers look for beside the module
  --compress-debug-sections HOW   zstd compresses it, none does not (default)
  -s, --strip         leave out the names of symbols that are not exported, and debug
                      information unless --debug asks for it
  -S, --strip-debug   the same as --debug off
  --map               print a link map: sections, symbols, members, discarded parts
  -t, --trace         list the files and archive members that take part
  -y, --trace-symbol NAME   list who defines and who uses this name; repeatable
  --why-live NAME     say why a section is in the module, or not: the references from it
                      back to a root; a section's name, a symbol's or a glob; repeatable
  --dependency-file FILE    write a rule for make with all files that were read
  --sysroot FOLDER    the folder that stands for / where libraries are looked for
  --start-lib         objects from here to --end-lib count as members of an archive
  --cref              list where each name is defined and who refers to it, in the map
                      or by itself
  -Map FILE           write the map to a file
  -C, --demangle      show names of C++ and Rust as their sources write them, in reports and
                      errors
  --json              print one JSON document: exports, imports, members, sections, and
                      what else there is to say of the module; with --map, all of the map
  --color WHEN        auto (default), always or never

Compile with -fPIC. Undefined symbols become imports of the module.

Exit codes: 0 success, 1 objects that cannot be linked, 2 wrong usage or a file that
cannot be read or written.

Examples:
  smf link counter.o -o counter.smf --reloadable
  smf link main.o libz.a -o unzip.smf --entry main
  smf link plugin.o --export 'plugin_*' --strip --map -o plugin.smf`;

export const link: Command = {
  help: HELP,
  expandArguments: readResponseFiles,
  run: (args, output) => runLink("link", args, output),
};

/**
 * Runs a link whose arguments are spelt as `ld` spells them.
 *
 * @param command Which command it is; `ld` ignores, aloud, what has no meaning for modules.
 */
export function runLink(command: "link" | "ld", args: readonly string[], output: Output): Promise<number> {
  const given = parseLdArguments(args, command === "ld");
  if (given.switches.has("version") || given.inputs.length === 0 && given.switches.has("print-version")) {
    output.print(VERSION_LINE);
    return Promise.resolve(ExitCode.OK);
  }
  const target = lastOf(given, "output");
  if (given.inputs.length === 0) throw new UsageError("name the files to link");
  if (target === undefined) throw new UsageError("name the module to write: -o <file.smf>");
  const writer = writerFor(output, lastOf(given, "color"), given.switches.has("demangle"));
  const file = given.inputs.find(({ isLibrary, name }) => !isLibrary && !isStartFile(name))?.name ?? target;
  if (given.switches.has("print-version")) output.print(VERSION_LINE);
  const json = given.switches.has("json");
  return reportingErrors({ command, file, writer, json, isModule: false }, () => {
    const start = performance.now();
    using progress = new Progress(writer);
    using files = new InputFiles();
    const options = optionsOf(given);
    const traced = listOf(given, "trace-symbol"), whyLive = listOf(given, "why-live");
    // A program starts at main, as the start files that are left out would have it.
    const isProgram = command === "ld" && options.entry === undefined && !given.switches.has("shared");
    const found = findInputs(given.inputs, {
      folders: listOf(given, "library-path"),
      excluded: listOf(given, "exclude-libs").flatMap((list) => list.split(/[,:]/)),
      skipStartFiles: command === "ld",
      sysroot: lastOf(given, "sysroot")?.replace(/\/+$/, "") ?? "",
      files,
    }, (done) => progress.show("reading files", READING * done / given.inputs.length));
    if (command === "ld") sayIgnored(given, found, output);
    const { file: linked, map, debugFile } = linkFor(found.inputs, {
      ...options,
      ...(isProgram && { entry: "main", optionalEntry: true }),
      ...(traced.length > 0 && { cref: true }),
      ...(whyLive.length > 0 && { whyLive }),
      needed: [...listOf(given, "needed"), ...found.hostLibraries.filter((name) => name !== C_LIBRARY)],
      provided: found.provided,
    }, progress);
    progress.show("writing files", 1);
    // First the companion: a program that sees the new module finds it.
    if (debugFile !== undefined) replaceFile(lastOf(given, "debug")!, debugFile);
    replaceFile(target, linked);
    const dependencies = lastOf(given, "dependency-file");
    const read = [...found.files, ...SCRIPT_OPTIONS.flatMap((option) => listOf(given, option))];
    if (dependencies !== undefined) writeDependencies(dependencies, target, read);
    if (given.switches.has("trace")) printTrace(found, map, writer);
    printTraced(traced, map, writer);
    printLive(whyLive, map, writer);
    if (given.switches.has("print-gc-sections")) printDropped(map, writer);
    if (json) {
      const shown = mapJson(map, given.switches.has("map"));
      const milliseconds = performance.now() - start;
      printJson(writer, command, { output: target, size: linked.size, milliseconds, ...shown });
    } else printMap(given, map, writer);
    sayShortcomings(command, map, writer);
  });
}

/** The part of a link that reading its inputs typically is. */
const READING = 0.08;

/** The options that name files of export names. */
const SCRIPT_OPTIONS = ["version-script", "dynamic-list", "export-dynamic-symbol-list"];

/** Links; a processor that the objects' architecture does not have is wrong usage, not a bad file. */
function linkFor(inputs: readonly ReadInput[], options: LinkOptions, progress: Progress): LinkedFile {
  const hears: LinkProgress | undefined = progress.isShown
    ? (step, done, total) => progress.show(step, READING + (1 - READING) * linkedPart(step, done, total))
    : undefined;
  try {
    return linkReporting(inputs, options, hears);
  } catch (error) {
    if (options.cpu === undefined || !(error instanceof TypeError)) throw error;
    throw new UsageError(`--cpu: ${error.message}`);
  }
}

/**
 * The arguments with those that response files hold.
 *
 * @throws {UsageError} for a file that cannot be read, and files that name each other.
 */
export function readResponseFiles(args: readonly string[]): string[] {
  return expandResponseFiles(args, readResponseFile);
}

function readResponseFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`${path}: Cannot read the file: ${(error as Error).message}`);
  }
}
