/**
 * The parts of a module that take room: functions, variables, and the sources that were compiled.
 */
import { isAddress } from "../../image/plan.ts";
import { readableName } from "../../image/symbol_names.ts";
import { SectionType } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import type { SourceMap } from "../../types/dwarf/source_map.ts";
import { sectionAt, type SectionRange, sectionRanges } from "./section_ranges.ts";

/** A thing with a size in bytes. */
export interface Sized {
  readonly name: string;
  readonly size: number;
}

/** The sizes of a module's parts, the largest first. */
export interface Sizes {
  readonly functions: readonly Sized[];
  readonly variables: readonly Sized[];
  /** The code of each source; undefined if the module has no debug information. */
  readonly sources: readonly Sized[] | undefined;
  /** The bytes of all code sections. */
  readonly code: number;
  /** The bytes of all other sections, zeroed ones included. */
  readonly data: number;
}

/** Measures a module. */
export function sizesOf(module: ParsedSmf, source: SourceMap | undefined): Sizes {
  const ranges = sectionRanges(module);
  const isCode = (range: SectionRange | undefined): boolean => range?.section.type === SectionType.Code;
  const functions = new Map<number, Sized>(), variables = new Map<number, Sized>();
  for (const { index, name, value, size, type } of module.symbols) {
    if (size === 0 || !isAddress(type) || !module.isDefined(index)) continue;
    const group = isCode(sectionAt(ranges, value)) ? functions : variables;
    // Several names of one place are one thing.
    if ((group.get(value)?.size ?? 0) < size) group.set(value, { name: readableName(name), size });
  }
  const total = (code: boolean): number =>
    ranges.filter((range) => isCode(range) === code).reduce((sum, { start, end }) => sum + end - start, 0);
  return {
    functions: largestFirst(functions.values()),
    variables: largestFirst(variables.values()),
    sources: source && sourcesOf(source, ranges.filter(isCode)),
    code: total(true),
    data: total(false),
  };
}

/** Sums the code by source, as far as it is in the module. */
function sourcesOf(map: SourceMap, code: readonly SectionRange[]): Sized[] {
  const sizes = new Map<string, number>();
  const counted = new Set<number>();
  for (const { source, start, end } of map.compiled()) {
    const isInside = code.some((range) => start >= range.start && end <= range.end);
    // The debug information of a function that is in several objects remains in each.
    if (!isInside || source === "" || counted.has(start)) continue;
    counted.add(start);
    sizes.set(source, (sizes.get(source) ?? 0) + end - start);
  }
  return largestFirst([...sizes].map(([name, size]) => ({ name, size })));
}

function largestFirst(sized: Iterable<Sized>): Sized[] {
  return [...sized].sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
}

/** The sizes of what a link was made of. */
export interface LinkedSizes {
  /** Objects, and members of archives: `libz.a(crc32.o)`. */
  readonly objects: readonly Sized[];
  /** Archives, by all of their members. */
  readonly archives: readonly Sized[];
}

/**
 * Measures the inputs of a link by its map.
 *
 * @param map The document of `smf link --map --json`.
 * @returns undefined if it is another document.
 */
export function linkedSizes(map: unknown): LinkedSizes | undefined {
  const objects = new Map<string, number>(), archives = new Map<string, number>();
  const add = (sizes: Map<string, number>, name: string, size: number): void => {
    sizes.set(name, (sizes.get(name) ?? 0) + size);
  };
  const { sections } = (map ?? {}) as { readonly sections?: unknown };
  if (!Array.isArray(sections)) return undefined;
  for (const { entries } of sections) {
    if (!Array.isArray(entries)) return undefined;
    for (const { object, size } of entries) {
      if (typeof object !== "string" || typeof size !== "number") return undefined;
      add(objects, object, size);
      const [, archive] = /^(.+)\([^()]*\)$/.exec(object) ?? [];
      if (archive !== undefined) add(archives, archive, size);
    }
  }
  const list = (sizes: Map<string, number>): Sized[] =>
    largestFirst([...sizes].map(([name, size]) => ({ name, size })));
  return { objects: list(objects), archives: list(archives) };
}
