/**
 * Gives each variable of an object a section of its own, as `-fdata-sections` does, for a compiler that cannot:
 * TinyCC. A reload keeps variables by sections, so one that is added would otherwise start all of a file anew; and so
 * would each text, because TinyCC puts them among the variables.
 *
 * This is right only for objects whose relocations name the variable itself, never its section or a neighbour, and
 * TinyCC's do. Objects in which something speaks against it are left as they are.
 */
import { lastUpTo } from "../../smf/search.ts";
import { ElfWriter, nameBytes } from "../../os/elf_writer.ts";
import { RecordSize, SectionFlag, SectionIndex, SectionType, SymbolKind } from "../../os/elf.ts";
import { type ElfObject, parseObject } from "./object.ts";
import { type ElfSection, SymbolPlace } from "./symbols.ts";

/** The text that the object has in `.comment` then, as other compilers leave one: it shrinks no variables. */
export const TINYCC_COMMENT = "TinyCC";

/** The names that TinyCC gives to texts, constants and other objects without a name. */
const ANONYMOUS = /^L\.\d+$/;

/** The types of sections that the writer makes anew. */
const TABLES: readonly number[] = [
  SectionType.NULL,
  SectionType.SYMTAB,
  SectionType.STRTAB,
  SectionType.RELA,
];
/** The debug information of TinyCC that nothing here reads. */
const STABS = ".stab";

/** The bytes of a section that one or more symbols name. */
interface Piece {
  readonly start: number;
  end: number;
  readonly symbols: number[];
}

/**
 * Splits the sections of variables of an object; returns the same bytes if they cannot be split.
 *
 * @param path Names the object in errors.
 * @throws {LoadError} `InvalidFormat` or `Unsupported` for bytes that are not an object.
 */
export function separateVariables(path: string, bytes: Uint8Array): Uint8Array {
  const elf = parseObject(path, bytes), { sections, symbols, machine } = elf;
  if (elf.groups.length > 0) return bytes;
  const symbolsOf = symbolsBySection(elf);
  const pieces = new Map<ElfSection, readonly Piece[]>();
  for (const section of sections) {
    const found = isVariables(section) ? piecesOf(elf, section, symbolsOf(section)) : undefined;
    if (found !== undefined) pieces.set(section, found);
  }
  if (pieces.size === 0) return bytes;

  const writer = new ElfWriter(machine);
  /** The new section of each symbol, and the start of it in the old one. */
  const places = new Map<number, readonly [section: number, start: number]>();
  /** The new sections of each old one, with the start of each in it, in ascending order. */
  const parts = new Map<ElfSection, { readonly index: number; readonly start: number }[]>();
  for (const section of sections) {
    const { name, type, flags, size, offset, alignment } = section;
    if (TABLES.includes(type) || name === STABS) continue;
    const add = (start: number, end: number, alignment: number): number => {
      const isEmpty = type === SectionType.NOBITS;
      const contents = isEmpty
        ? { size: end - start }
        : { bytes: bytes.subarray(offset + start, offset + end) };
      const index = writer.section({
        name: nameBytes(name),
        type,
        flags: flags >>> 0,
        alignment,
        ...contents,
      });
      const made = parts.get(section);
      if (made === undefined) parts.set(section, [{ index, start }]);
      else made.push({ index, start });
      return index;
    };
    const split = pieces.get(section);
    if (split === undefined) {
      const index = add(0, size, alignment);
      for (const symbol of symbolsOf(section)) places.set(symbol, [index, 0]);
    }
    for (const { start, end, symbols } of split ?? []) {
      const index = add(start, end, alignmentAt(section, start));
      for (const symbol of symbols) places.set(symbol, [index, start]);
    }
  }
  const comment = new TextEncoder().encode(`${TINYCC_COMMENT}\0`);
  writer.section({ name: ".comment", flags: 0, bytes: comment });

  const numbers = [0];
  for (let symbol = 1; symbol < symbols.length; symbol++) {
    const [section, start] = places.get(symbol) ?? [placeOutside(symbols.place(symbol)), 0];
    const name = symbols.name(symbol);
    numbers.push(writer.symbol({
      ...{ name: nameBytes(name), section, value: symbols.value(symbol) - start, size: symbols.size(symbol) },
      binding: symbols.binding(symbol),
      visibility: symbols.visibility(symbol),
      // Texts are no variables whose values a reload could keep.
      kind: ANONYMOUS.test(name) ? SymbolKind.NOTYPE : symbols.kind(symbol),
    }));
  }
  for (const [section, made] of parts) {
    const starts = Float64Array.from(made, ({ start }) => start);
    for (const { offset, symbol, type, addend } of relocationsOf(elf, section)) {
      const { index, start } = made[lastUpTo(starts, offset)];
      writer.relocation(index, { offset: offset - start, symbol: numbers[symbol], type, addend });
    }
  }
  return writer.build();
}

function isVariables({ type, flags, size }: ElfSection): boolean {
  const { WRITE, ALLOC } = SectionFlag;
  return (type === SectionType.PROGBITS || type === SectionType.NOBITS) && flags === (WRITE | ALLOC) &&
    size > 0;
}

/** Returns a function that tells the symbols of a section. */
function symbolsBySection({ symbols }: ElfObject): (section: ElfSection) => readonly number[] {
  const numbers = Array.from({ length: symbols.length - 1 }, (_, index) => index + 1);
  const bySection = Map.groupBy(numbers, (symbol) => symbols.section(symbol));
  return ({ index }) => bySection.get(index) ?? [];
}

function placeOutside(place: SymbolPlace): number {
  const { UNDEF, ABS, COMMON } = SectionIndex;
  return place === SymbolPlace.ABSOLUTE ? ABS : place === SymbolPlace.COMMON ? COMMON : UNDEF;
}

/**
 * The pieces of a section, in the order of their places; undefined if they are not all of it but for zeros between
 * them, or a symbol or relocation is not in one.
 */
function piecesOf(
  elf: ElfObject,
  section: ElfSection,
  own: readonly number[],
): readonly Piece[] | undefined {
  const { symbols, file: { bytes } } = elf;
  const found = own
    .map((symbol) => ({
      symbol,
      start: symbols.value(symbol),
      end: symbols.value(symbol) + symbols.size(symbol),
    }))
    .sort((a, b) => a.start - b.start);
  const pieces: Piece[] = [];
  for (const { symbol, start, end } of found) {
    const isWhole = start >= 0 && start < end && end <= section.size;
    if (!isWhole || symbols.kind(symbol) === SymbolKind.SECTION) return undefined;
    const last = pieces.at(-1);
    if (last !== undefined && start < last.end) {
      // Other names of a variable, or of a part of it, stay with it.
      last.end = Math.max(last.end, end);
      last.symbols.push(symbol);
    } else pieces.push({ start, end, symbols: [symbol] });
  }
  const starts = Float64Array.from(pieces, ({ start }) => start);
  const isInPiece = (at: number): boolean => at < (pieces[lastUpTo(starts, at)]?.end ?? 0);
  if (relocationsOf(elf, section).some(({ offset }) => !isInPiece(offset))) return undefined;
  for (let at = 0, next = 0; at < section.size && section.type !== SectionType.NOBITS; at++) {
    if (at === pieces[next]?.start) at = pieces[next++].end - 1;
    else if (bytes[section.offset + at] !== 0) return undefined;
  }
  return pieces.length === 0 ? undefined : pieces;
}

interface Relocation {
  readonly offset: number;
  readonly symbol: number;
  readonly type: number;
  readonly addend: bigint;
}

function relocationsOf({ file: { view } }: ElfObject, { relaOffset, relaCount }: ElfSection): Relocation[] {
  return Array.from({ length: relaCount }, (_, index) => {
    const at = relaOffset + index * RecordSize.RELA;
    return {
      offset: view.getUint32(at, true),
      type: view.getUint32(at + 8, true),
      symbol: view.getUint32(at + 12, true),
      addend: view.getBigInt64(at + 16, true),
    };
  });
}

/**
 * The alignment that a place shows to be enough, and at least 8: it must not depend on the variables before, since a
 * reload keeps no variable whose alignment has become larger.
 */
function alignmentAt({ alignment }: ElfSection, start: number): number {
  return Math.max(8, start === 0 ? alignment : Math.min(alignment, start & -start));
}
