/**
 * Makes a source map of the sections of a module's debug information.
 */
import { SourceMap } from "../types/dwarf/source_map.ts";

/** Returns the source map; undefined if there is no debug information that it could be made of. */
export function sourceMapOf(sections: ReadonlyMap<string, Uint8Array>): SourceMap | undefined {
  const plain = (name: string) => {
    const bytes = sections.get(`.debug_${name}`);
    return bytes === undefined ? undefined : { bytes, relocations: undefined, isTypes: name === "types" };
  };
  const info = [plain("info"), plain("types")].filter((section) => section !== undefined);
  const abbrev = sections.get(".debug_abbrev");
  if (info.length === 0 || abbrev === undefined) return undefined;
  return new SourceMap({
    info,
    abbrev,
    str: sections.get(".debug_str"),
    lineStr: sections.get(".debug_line_str"),
    strOffsets: plain("str_offsets"),
    addr: plain("addr"),
    line: sections.get(".debug_line"),
    ranges: sections.get(".debug_ranges"),
    rnglists: sections.get(".debug_rnglists"),
  });
}
