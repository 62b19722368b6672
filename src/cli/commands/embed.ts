/**
 * `smf embed`: writes modules as TypeScript that programs import without a flag.
 */
import { TARGETS } from "../../build/targets.ts";
import { basename } from "../../os/path.ts";
import {
  checkComplete,
  embeddedModules,
  printBytesFiles,
  printOpener,
  writeEmbedded,
} from "../packaging/embed.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { fileName, readInput } from "../terminal/files.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";

const HELP = `smf embed <file.smf>... -o <file.ts> [options]

Writes a TypeScript module that opens the native module for the system that it runs on,
and beside it the folder FILE.bytes with one file for each system: a program that
imports it needs no flag, and downloads the bytes for its own system alone. Integrity
is checked. Systems are those in the headers of the modules. smf build can do the same
with the modules of a project.

  -o, --output FILE  the TypeScript module to write
  --name NAME        the name that open and load take for the module; default: NAME of a
                     file NAME.TARGET.smf, as smf build writes them, else that of the
                     module to write
  --json             print one JSON document
  --color WHEN       auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read or
written.

Examples:
  smf embed linux/counter.smf windows/counter.smf -o counter.ts
  smf embed native/*.smf -o native.ts
  smf embed counter.smf -o mod.ts --name counter`;

/** The names of the files to write: the module's is part of an import. */
const OUTPUT = /^[\w][\w.-]*\.m?ts$/;
/** The names of modules: they become text of the program, and parts of URLs. */
const NAME = /^[\w][\w.-]*$/;

export const embed: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(
      args,
      { values: ["output", "name"], switches: ["json"], alias: { o: "output" } },
      output,
    );
    const { writer, rest: files } = options;
    const target = options.value("output");
    const given = options.value("name");
    const json = options.has("json");
    if (files.length === 0) throw new UsageError("name the modules to embed");
    if (target === undefined) throw new UsageError("name the TypeScript module to write: -o <file.ts>");
    if (!OUTPUT.test(basename(target))) {
      throw new UsageError(
        `--output takes a file of letters, digits, '_', '.' and '-' that ends in .ts, not '${target}'`,
      );
    }
    if (files.includes("-") && files.length > 1) {
      throw new UsageError("standard input cannot be one of several files");
    }
    if (given !== undefined && !NAME.test(given)) {
      throw new UsageError(`--name takes letters, digits, '_', '.' and '-', not '${given}'`);
    }
    const other = given ?? basename(target).replace(/\.m?ts$/, "");
    return reportingErrors({ command: "embed", file: files[0], writer, json }, () => {
      const modules = files.flatMap((file) =>
        embeddedModules(given ?? targetedName(file) ?? other, fileName(file), readInput(file))
      );
      checkComplete(modules);
      const written = writeEmbedded(target, modules, "smf embed");
      if (json) {
        const listed = modules.map(({ name, system, path, integrity, bytes }) => ({
          name,
          system,
          path,
          size: bytes.length,
          integrity,
        }));
        printJson(writer, "embed", { output: target, modules: listed, files: written });
        return ExitCode.OK;
      }
      printOpener(target, modules.map(({ name }) => name), writer);
      printBytesFiles(written, writer);
      return ExitCode.OK;
    });
  },
};

/** The name in a file's name if that ends in a target; undefined if it does not. */
function targetedName(file: string): string | undefined {
  const [, name, target] = /^(.+)\.([^.]+)\.smf$/.exec(basename(file)) ?? [];
  const isTarget = Object.values(TARGETS).some((each) => each.name === target || each.system === target);
  return isTarget && NAME.test(name) ? name : undefined;
}
