/**
 * The source map of a module: of its own debug information, or of that in its companion file.
 */
import { attempt, ignore } from "../../errors/load_error.ts";
import { readCompanion } from "../../load/file/debug.ts";
import { companionSections } from "../../observe/companion.ts";
import { sourceMapOf } from "../../observe/source_map.ts";
import { dirname } from "../../os/path.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { readDebug } from "../../smf/kept_debug.ts";
import { readFrom } from "../../smf/reader.ts";
import type { SourceMap } from "../../types/dwarf/source_map.ts";
import { printable } from "../terminal/table.ts";

/** The source map of a module; if there is none, the reason as a string. */
export function sourceOf(module: ParsedSmf, bytes: Uint8Array, path: string): SourceMap | string {
  const { sections, link } = readFrom(bytes, readDebug(module));
  if (link === undefined) {
    return sourceMapOf(sections) ?? "the module has no debug information; compile it with -g";
  }
  const companion = readCompanion(path, link);
  if (companion === undefined) {
    return `its companion file '${printable(link.name)}' is not in ${dirname(path)}, or is of another link`;
  }
  return attempt(ignore, () => sourceMapOf(companionSections(companion))) ??
    `its companion file '${printable(link.name)}' has no debug information`;
}
