/**
 * `smf link`: links object files and static libraries into a module.
 */
import { linkObjects } from "../../link/linker.ts";
import { formatMap } from "../../link/map.ts";
import { type Command, type Output, UsageError } from "../terminal/command.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";

const HELP = `smf link <file.o | file.a>... -o <file.smf> [options]

Links ELF objects and static libraries (x86-64, AArch64) into a module.

  -o, --output FILE   the module to write
  --export GLOB       export the symbols with these names; repeatable
                      default: all visible symbols of the objects named directly
  --entry NAME        the entry point; makes the module executable
  --keep GLOB         keep these symbols or sections even if unreferenced; repeatable
  --needed NAME       look for imports in this shared library of the system when the
                      module is loaded; repeatable; always in the C library
  -l NAME             the same for a library that compilers know as -lNAME: m is
                      libm.so.6, stdc++ is libstdc++.so.6
  --reloadable        mark the module as reloadable while it runs
  --unwind WHEN       keep the unwind tables, which exceptions, panics and backtraces
                      need: auto (default: if the code may throw or be unwound
                      through), always or never
  --strip             leave out the names of symbols that are not exported
  --map               print a link map: sections, symbols, members, discarded parts
  --color WHEN        auto (default), always or never

Compile with -fPIC. Undefined symbols become imports of the module.

Examples:
  smf link counter.o -o counter.smf --reloadable
  smf link main.o libz.a -o unzip.smf --entry main
  smf link plugin.o --export 'plugin_*' --strip --map -o plugin.smf`;

export const link: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args.map(spellOut), {
      values: ["output", "entry", "unwind"],
      lists: ["export", "keep", "needed", "l"],
      switches: ["reloadable", "strip", "map"],
      alias: { o: "output" },
    }, output);
    const { writer, rest: files } = options;
    const target = options.value("output");
    if (files.length === 0) throw new UsageError("name the files to link");
    if (target === undefined) throw new UsageError("name the module to write: -o <file.smf>");
    const exports = options.list("export");
    const entry = options.value("entry");
    const needed = [...options.list("needed"), ...options.list("l").map(hostLibrary)];
    const unwind = unwindOf(options.value("unwind") ?? "auto");

    const inputs = files.map((name) => ({ name, bytes: readInput(name) }));
    return reportingErrors({ command: "link", file: files[0], writer, json: false, isModule: false }, () => {
      const { bytes, map } = linkObjects(inputs, {
        ...(exports.length > 0 && { exports }),
        ...(entry !== undefined && { entry }),
        ...(unwind !== undefined && { unwind }),
        keep: options.list("keep"),
        needed,
        reloadable: options.has("reloadable"),
        strip: options.has("strip"),
      });
      replaceFile(target, bytes);
      if (!options.has("map")) return;
      for (const line of formatMap(map).trimEnd().split("\n")) writer.print(line);
    });
  },
};

/** Turns `-lNAME` into `-l=NAME`: the parser takes letters behind a dash for switches. */
function spellOut(argument: string): string {
  return /^-l[^=]/.test(argument) ? `-l=${argument.slice(2)}` : argument;
}

/** The names that the dynamic linker has for libraries of GNU systems; it does not know those of `-l`. */
const SONAMES: Readonly<Record<string, string>> = {
  c: "libc.so.6",
  dl: "libdl.so.2",
  gcc_s: "libgcc_s.so.1",
  gfortran: "libgfortran.so.5",
  gomp: "libgomp.so.1",
  m: "libm.so.6",
  pthread: "libpthread.so.0",
  resolv: "libresolv.so.2",
  rt: "librt.so.1",
  "stdc++": "libstdc++.so.6",
  z: "libz.so.1",
};

/** The host library for `-l NAME`, or for `-l :FILE`. */
function hostLibrary(name: string): string {
  if (name.startsWith(":")) return name.slice(1);
  if (Object.hasOwn(SONAMES, name)) return SONAMES[name];
  throw new UsageError(
    `the file of -l${name} is not known; name the archive as an input, or the shared library with its ` +
      `version: --needed lib${name}.so.1`,
  );
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
