/**
 * Source maps that say which line of which source file a line of a bundle comes from, inside the bundle.
 *
 * Deno looks for maps of modules from JSR inside of them only, and reads them at each start: a map with every
 * name and bracket would take 14 ms, one with the lines that can be in a stack trace takes 2.
 */
import { decode, encode, type SourceMapSegment } from "npm:@jridgewell/sourcemap-codec@1.6.0";
import { dirname, relative, resolve } from "@std/path";
import type { Edit } from "./eager.ts";

/** The part of a bundler's source map that is used (ECMA-426). */
export interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/** How a bundle was changed after its map had been made. */
export interface Changes {
  /** The bundle's file, beside which the map was. */
  readonly path: string;
  /** The text that was put in front: whole lines. */
  readonly banner: string;
  /** The bundle's text before the edits. */
  readonly code: string;
  readonly edits: readonly Edit[];
  /** The folder of all bundles, which stands beside the sources in the published package. */
  readonly folder: string;
  /** The folder of the sources. */
  readonly root: string;
}

/** Text that can be in a stack trace: calls, properties, elements, templates, patterns and the like. */
const TRACEABLE = /[(.[`]|\}=|throw|new |await|yield|\bin |instanceof/;
/** What looks like that and is not: strings without escapes, conditions, and heads of functions and methods. */
const UNTRACEABLE =
  /"[^"\\]*"|\b(?:if|while|for|switch|catch)\(|\bfunction\b[ *\w$]*\([\w$,]*\)|^(?:static |async |get |set |\*)*#?[\w$]+\([\w$,]*\)\{|\([\w$,]*\)=>/g;

/** The text of a bundle that comes from one line of a source. */
interface Piece {
  /** The offset in the bundle before its edits. */
  readonly at: number;
  readonly column: number;
  readonly source: number;
  readonly line: number;
}

/** Returns the last line of a bundle, which has its map. */
export function lineMap(map: SourceMap, changes: Changes): string {
  const { banner, code, edits } = changes;
  const sources = map.sources.map((source) => sourceName(resolve(dirname(changes.path), source), changes));
  const starts = lineStarts(code);
  let next = 0;
  const lines = decode(map.mappings).map((segments, line) => {
    const kept: SourceMapSegment[] = [];
    const end = starts[line + 1] ?? code.length;
    let moved = 0;
    piecesOf(segments, starts[line]).forEach(({ at, column, source, line }, index, pieces) => {
      for (; next < edits.length && edits[next].at <= at; next++) moved += edits[next].text.length;
      const text = code.slice(at, pieces[index + 1]?.at ?? end);
      if (TRACEABLE.test(text.replace(UNTRACEABLE, "")) || kept.at(-1)?.[1] !== source) {
        kept.push([column + moved, source, line, 0]);
      }
    });
    while (next < edits.length && edits[next].at < end) next++;
    return kept;
  });
  const above = banner.split("\n").slice(1).map((): SourceMapSegment[] => []);
  const mappings = encode([...above, ...lines]);
  const json = JSON.stringify({ version: 3, sources, names: [], mappings });
  return `//# sourceMappingURL=data:application/json;base64,${btoa(json)}`;
}

/** The pieces of a line of the bundle, which starts at an offset. */
function piecesOf(segments: readonly SourceMapSegment[], start: number): Piece[] {
  const pieces: Piece[] = [];
  for (const segment of segments) {
    if (segment.length === 1) continue;
    const [column, source, line] = segment, last = pieces.at(-1);
    if (last?.source !== source || last.line !== line) {
      pieces.push({ at: start + column, column, source, line });
    }
  }
  return pieces;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The name of a source: relative to the bundle, or the name of an npm package and its file. */
function sourceName(source: string, { path, folder, root }: Changes): string {
  const slashed = source.replaceAll("\\", "/");
  const [, name, version, file] = NPM_FILE.exec(slashed) ?? [];
  if (name !== undefined) return `npm:${name}@${version}/${file}`;
  const up = "../".repeat(relative(folder, path).split(/[\\/]/).length);
  return `${up}${relative(root, source).replaceAll("\\", "/")}`;
}

/** A file in Deno's cache of npm packages: name, version, path. */
export const NPM_FILE = /\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/(\d[^/]*)\/(.*)/;
