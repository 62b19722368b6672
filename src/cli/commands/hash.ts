/**
 * `smf hash`: prints the integrity string and the hashes of a module.
 */
import { parseSmf } from "../../smf/file.ts";
import { type Command, type Output, printJson } from "../terminal/command.ts";
import { fileName, readInput } from "../terminal/files.ts";
import { forEachFile, readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { table } from "../terminal/table.ts";
import { integrityOf } from "../../smf/integrity.ts";

const HELP = `smf hash <file | ->... [options]

Prints the integrity string of each module file (the SHA-256 of its bytes, in the form
that registry.load accepts) and the two hashes that its header may have: that of the
file itself, which is checked, and that of the source it was built from.

  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read.

Examples:
  smf hash plugin.smf
  smf hash native/*.smf
  smf hash plugin.smf --json | jq -r .integrity
  curl -s https://example.org/plugin.smf | smf hash -`;

export const hash: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["json"] }, output);
    const { writer } = options;
    const json = options.has("json");
    return forEachFile(
      options,
      (file, isOneOfMany) =>
        reportingErrors({ command: "hash", file, writer, json }, () => {
          const bytes = readInput(file);
          const { header, checksum } = parseSmf(bytes, { path: file });
          const integrity = integrityOf(bytes);
          const { moduleHash, sourceHash } = header;
          const checked = checksum !== undefined;
          if (json) return printJson(writer, "hash", { file, integrity, moduleHash, checked, sourceHash });
          const rows = [
            ["integrity", integrity],
            ["module hash", moduleHash === 0n ? "none" : `${hex64(moduleHash)}${checked ? ", checked" : ""}`],
            ["source hash", sourceHash === 0n ? "none" : hex64(sourceHash)],
          ];
          if (isOneOfMany) writer.print(writer.style.heading(`${fileName(file)}:`));
          for (const line of table(rows)) writer.print(line);
        }),
    );
  },
};

/** A 64-bit number with all its digits. */
function hex64(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}
