/**
 * `smf link`: object files and static libraries to a module.
 */
import { parseArgs } from "@std/cli/parse-args";
import { linkObjects } from "../link/linker.ts";
import { formatMap } from "../link/map.ts";
import { type Command, type Output, readFile, replaceFile, reporting, UsageError } from "./command.ts";

const HELP = `smf link <file.o | file.a>... -o <file.smf> [options]

Links ELF objects and static libraries (x86-64, AArch64) to a module.

  -o, --output FILE   where the module goes
  --export GLOB       export these names; repeatable
                      default: all visible names of objects given directly
  --entry NAME        start execution here; makes the module executable
  --keep GLOB         keep these symbols or sections though nothing needs them; repeatable
  --reloadable        the module may be replaced while it runs
  --strip             leave out the names of what is not exported
  --map               print what went where, from which member, and what was dropped

Compile with -fPIC. Undefined names become imports of the module.`;

/** The options that take a value, and those that do not. */
const VALUES = ["output", "export", "entry", "keep"] as const;
const SWITCHES = ["reloadable", "strip", "map"] as const;

/** The command. */
export const link: Command = {
  summary: "link object files and static libraries to a module",
  help: HELP,
  run(args: readonly string[], output: Output): number {
    const options = parseArgs([...args], {
      string: VALUES,
      boolean: SWITCHES,
      collect: ["export", "keep"],
      alias: { o: "output" },
      unknown(argument: string, key?: string): void {
        if (key !== undefined) throw new UsageError(`there is no option '${argument}'`);
      },
    });
    const files = options._.map(String);
    const target = options.output;
    if (files.length === 0) throw new UsageError("there is nothing to link");
    if (target === undefined || target === "") {
      throw new UsageError("say where the module goes: -o <file.smf>");
    }
    for (const name of ["export", "keep"] as const) {
      if (options[name].includes("")) throw new UsageError(`--${name} needs a name`);
    }
    if (options.entry === "") throw new UsageError("--entry needs a name");

    const inputs = files.map((name) => ({ name, bytes: readFile(name) }));
    return reporting(files[0], output, () => {
      const { bytes, map } = linkObjects(inputs, {
        ...(options.export.length > 0 && { exports: options.export }),
        ...(options.entry !== undefined && { entry: options.entry }),
        keep: options.keep,
        reloadable: options.reloadable,
        strip: options.strip,
      });
      replaceFile(target, bytes);
      if (options.map) { for (const line of formatMap(map).trimEnd().split("\n")) output.print(line); }
    });
  },
};
