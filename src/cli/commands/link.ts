/**
 * `smf link`: links object files and static libraries into a module.
 */
import { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "../../link/linker.ts";
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
  --reloadable        mark the module as reloadable while it runs
  --unwind WHEN       keep the unwind tables, which exceptions, panics and backtraces
                      need: auto (default: if the code may throw or be unwound
                      through), always or never
  --cpu NAME          the processor that the code needs: x86-64-v2, -v3, -v4, or
                      armv8.1-a, armv8.2-a, armv8.3-a; loading on another is refused
                      default: what the objects say (gcc -mneeded)
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
    const options = readOptions(args, {
      values: ["output", "entry", "unwind", "cpu"],
      lists: ["export", "keep"],
      switches: ["reloadable", "strip", "map"],
      alias: { o: "output" },
    }, output);
    const { writer, rest: files } = options;
    const target = options.value("output");
    if (files.length === 0) throw new UsageError("name the files to link");
    if (target === undefined) throw new UsageError("name the module to write: -o <file.smf>");
    const exports = options.list("export");
    const entry = options.value("entry");
    const cpu = options.value("cpu");
    const unwind = unwindOf(options.value("unwind") ?? "auto");

    const inputs = files.map((name) => ({ name, bytes: readInput(name) }));
    return reportingErrors({ command: "link", file: files[0], writer, json: false, isModule: false }, () => {
      const { bytes, map } = linkFor(inputs, {
        ...(exports.length > 0 && { exports }),
        ...(entry !== undefined && { entry }),
        ...(unwind !== undefined && { unwind }),
        ...(cpu !== undefined && { cpu }),
        keep: options.list("keep"),
        reloadable: options.has("reloadable"),
        strip: options.has("strip"),
      });
      replaceFile(target, bytes);
      if (!options.has("map")) return;
      for (const line of formatMap(map).trimEnd().split("\n")) writer.print(line);
    });
  },
};

/** Links; a processor that the objects' architecture does not have is wrong usage, not a bad file. */
function linkFor(inputs: readonly LinkInput[], options: LinkOptions): LinkedModule {
  try {
    return linkObjects(inputs, options);
  } catch (error) {
    if (options.cpu === undefined || !(error instanceof TypeError)) throw error;
    throw new UsageError(`--cpu: ${error.message}`);
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
