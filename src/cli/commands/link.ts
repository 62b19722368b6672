/**
 * `smf link`: object files and static libraries to a module.
 */
import { linkObjects } from "../../link/linker.ts";
import { formatMap } from "../../link/map.ts";
import { type Command, type Output, UsageError } from "../terminal/command.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { readOptions } from "../terminal/options.ts";
import { reporting } from "../terminal/problems.ts";

const HELP = `smf link <file.o | file.a>... -o <file.smf> [options]

Links ELF objects and static libraries (x86-64, AArch64) to a module.

  -o, --output FILE   where the module goes
  --export GLOB       export these names; repeatable
                      default: all visible names of objects given directly
  --entry NAME        start execution here; makes the module executable
  --keep GLOB         keep these symbols or sections though nothing needs them; repeatable
  --reloadable        the module may be replaced while it runs
  --unwind WHEN       auto (default: if exceptions can come to it), always or never:
                      keep what exceptions, panics and backtraces need to get through
  --strip             leave out the names of what is not exported
  --map               print what went where, from which member, and what was dropped
  --color WHEN        auto (default), always or never

Compile with -fPIC. Undefined names become imports of the module.

Examples:
  smf link counter.o -o counter.smf --reloadable
  smf link main.o libz.a -o unzip.smf --entry main
  smf link plugin.o --export 'plugin_*' --strip --map -o plugin.smf`;

/** The command. */
export const link: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): number {
    const options = readOptions(args, {
      values: ["output", "entry", "unwind"],
      lists: ["export", "keep"],
      switches: ["reloadable", "strip", "map"],
      alias: { o: "output" },
    }, output);
    const files = options.rest;
    const target = options.value("output");
    if (files.length === 0) throw new UsageError("there is nothing to link");
    if (target === undefined) throw new UsageError("say where the module goes: -o <file.smf>");
    const exports = options.list("export");
    const entry = options.value("entry");
    const unwind = unwindOf(options.value("unwind") ?? "auto");

    const inputs = files.map((name) => ({ name, bytes: readInput(name) }));
    return reporting(files[0], output, () => {
      const { bytes, map } = linkObjects(inputs, {
        ...(exports.length > 0 && { exports }),
        ...(entry !== undefined && { entry }),
        ...(unwind !== undefined && { unwind }),
        keep: options.list("keep"),
        reloadable: options.has("reloadable"),
        strip: options.has("strip"),
      });
      replaceFile(target, bytes);
      if (options.has("map")) { for (const line of formatMap(map).trimEnd().split("\n")) output.print(line); }
    });
  },
};

function unwindOf(when: string): boolean | undefined {
  switch (when) {
    case "auto":
      return undefined;
    case "always":
      return true;
    case "never":
      return false;
    default:
      throw new UsageError(`--unwind is auto, always or never, not '${when}'`);
  }
}
