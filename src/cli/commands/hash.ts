/**
 * `smf hash`: what tells one module from another.
 */
import { parseSmf } from "../../smf/file.ts";
import { type Command, type Output, printJson } from "../terminal/command.ts";
import { readInput } from "../terminal/files.ts";
import { oneFile, readOptions } from "../terminal/options.ts";
import { examining } from "../terminal/problems.ts";
import { table } from "../terminal/table.ts";
import { integrityOf } from "../../smf/integrity.ts";

const HELP = `smf hash <file | -> [options]

Prints the integrity string of a module file (the SHA-256 of its bytes, as
registry.load takes it) and the two hashes that its header may have: of the file
itself, which is checked, and of the source that it was made of.

  --json              print one JSON document
  --color WHEN        auto (default), always or never

Examples:
  smf hash plugin.smf
  smf hash plugin.smf --json | jq -r .integrity
  curl -s https://example.org/plugin.smf | smf hash -`;

/** The command. */
export const hash: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["json"] }, output);
    const { writer } = options;
    const file = oneFile(options);
    const json = options.has("json");
    return examining({ command: "hash", file, writer, json }, () => {
      const bytes = readInput(file);
      const { header, checksum } = parseSmf(bytes, { path: file });
      const integrity = integrityOf(bytes);
      const { moduleHash, sourceHash } = header;
      const checked = checksum !== undefined;
      if (json) return printJson(writer, "hash", { file, integrity, moduleHash, checked, sourceHash });
      const rows = [
        ["integrity", integrity],
        ["module hash", moduleHash === 0n ? "none" : `${hex(moduleHash)}${checked ? ", checked" : ""}`],
        ["source hash", sourceHash === 0n ? "none" : hex(sourceHash)],
      ];
      for (const line of table(rows)) writer.print(line);
    });
  },
};

function hex(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}
