/**
 * The homes of a reloadable module: the input sections of writable variables and, in a hot module, of the tables of
 * C++ classes, which are constants. Each is one unit that can stay where it is over reloads. A section of the type `Homes` lists them; every reference into a home
 * has a relocation, whose symbol is that of the home. Readers that do not know the type skip the section.
 *
 * | field       | offset | bytes |                                                      |
 * | ----------- | ------ | ----- | ---------------------------------------------------- |
 * | `symbol`    | 0      | 4     | the index of the local symbol at the start           |
 * | `size`      | 4      | 4     | bytes, at least 1                                    |
 * | `alignment` | 8      | 4     | of its address: a power of two                       |
 */

import { LoadError } from "../errors/load_error.ts";
import { readContents } from "./contents.ts";
import { Binding, SectionType, SymbolType } from "./enums.ts";
import { MAX_ALIGNMENT } from "./limits.ts";
import { imageOffsets } from "./offsets.ts";
import type { Reading } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";
import type { SymbolTable } from "./symbol.ts";
import { TLS_SECTION } from "./thread_local.ts";

/** The name of the section. */
export const HOMES_SECTION = ".homes";

/** The name of the section with the linker's own GOT, through whose slots code reaches homes. */
export const GOT_SECTION = ".got";

const RECORD = 12;

/** An input section of variables that can stay where it is while code around it is replaced. */
export interface Home {
  /** The index of the symbol that relocations into the home name, with addends that count from its start. */
  readonly symbol: number;
  /** Offset in the file's image: the symbol's value. */
  readonly offset: number;
  /** Size in bytes, at least 1. */
  readonly size: number;
  /** Required alignment of its address: a power of two. */
  readonly alignment: number;
}

/** Finds the home that a byte of the image is in; `homes` are in the order of their offsets. */
export function homeAt(homes: readonly Home[], offset: number): Home | undefined {
  return homes[homeIndexAt(homes, offset)];
}

/** The index of the home that a byte of the image is in; -1 if it is in none. */
export function homeIndexAt(homes: readonly Home[], offset: number): number {
  let first = 0, end = homes.length;
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (homes[middle].offset <= offset) first = middle + 1;
    else end = middle;
  }
  const home = homes[first - 1];
  return home !== undefined && offset < home.offset + home.size ? first - 1 : -1;
}

/** The tables of a file that has homes. */
interface HomesSource {
  readonly sections: readonly SmfSection[];
  readonly symbols: SymbolTable;
}

/** Writes the bytes of the section for homes in the order of their offsets. */
export function homesBytes(homes: readonly Omit<Home, "offset">[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(homes.length * RECORD);
  const view = new DataView(bytes.buffer);
  homes.forEach(({ symbol, size, alignment }, index) => {
    view.setUint32(index * RECORD, symbol, true);
    view.setUint32(index * RECORD + 4, size, true);
    view.setUint32(index * RECORD + 8, alignment, true);
  });
  return bytes;
}

/**
 * Reads the homes in the order of their offsets; none if the file has no section of them.
 *
 * @throws {LoadError} `InvalidFormat` if the section holds something else: a symbol that is not local data, a home
 * that is not wholly inside one Data, Bss or RoData section, and homes that overlap or are out of order.
 */
export function* readHomes(file: HomesSource): Reading<Home[]> {
  const found = file.sections.filter(({ type }) => type === SectionType.Homes);
  if (found.length === 0) return [];
  const [section] = found;
  const refuse = (problem: string, record?: number): LoadError =>
    new LoadError("InvalidFormat", `Cannot read homes: ${problem}`, {
      section: sectionLabel(section),
      // Offsets in compressed bytes lead nowhere in the file.
      offset: section.offset + (record === undefined || section.compressed ? 0 : record * RECORD),
    });
  if (found.length > 1) throw refuse("there are two sections of them");
  const length = contentLength(section);
  if (length % RECORD !== 0) throw refuse(`its size is not a multiple of ${RECORD}`);
  // No two homes share a symbol, so that a few bytes cannot request much memory.
  if (length / RECORD > file.symbols.length) throw refuse("there are more homes than symbols");
  const ranges = rangesOfHomes(file.sections);
  const bytes = new Uint8Array(length);
  yield* readContents(section, bytes, undefined);
  const view = new DataView(bytes.buffer);
  const homes: Home[] = [];
  let end = 0;
  for (let at = 0; at < length; at += RECORD) {
    const symbol = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true), alignment = view.getUint32(at + 8, true);
    const problem = problemOf(file, { symbol, size, alignment }, ranges, end);
    if (problem !== undefined) throw refuse(problem, at / RECORD);
    const offset = file.symbols.value(symbol);
    homes.push({ symbol, offset, size, alignment });
    end = offset + size;
  }
  return homes;
}

/** A range of offsets in the file's image. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Returns the ranges of the sections that variables and tables of classes can lie in. */
function rangesOfHomes(sections: readonly SmfSection[]): Range[] {
  const { offsets } = imageOffsets(sections);
  const { Data, Bss, RoData } = SectionType;
  return sections.flatMap(({ name, type, virtualSize }, index) =>
    type === Data || type === Bss || type === RoData && name !== TLS_SECTION
      ? [{ start: offsets[index]!, end: offsets[index]! + virtualSize }]
      : []
  );
}

/** Says what is wrong with a home, where `lowest` is the end of the one before it. */
function problemOf(
  { symbols }: HomesSource,
  { symbol, size, alignment }: Omit<Home, "offset">,
  ranges: readonly Range[],
  lowest: number,
): string | undefined {
  if (symbol >= symbols.length) return `symbol ${symbol} does not exist`;
  const type = symbols.type(symbol);
  if (symbols.binding(symbol) !== Binding.Local || (type !== SymbolType.None && type !== SymbolType.Data)) {
    return `symbol ${symbol} is not local data`;
  }
  if (size === 0) return "one has no size";
  // A power of two has one bit.
  if (alignment === 0 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) !== 0) {
    return `the alignment ${alignment} is not a power of two up to ${MAX_ALIGNMENT}`;
  }
  const start = symbols.value(symbol);
  if (start % alignment !== 0) return "one does not have the alignment that it asks for";
  if (start < lowest) return "one overlaps the one before it, or is out of order";
  const isInside = ranges.some((range) => start >= range.start && start + size <= range.end);
  return isInside ? undefined : "one is not inside a section of variables or constants";
}
