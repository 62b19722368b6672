/**
 * Moves the homes of a reloadable module to other places, as a reload does that keeps variables: every home
 * gets a new offset, far away and in another order, and poison is left where it was. Only places, symbols and
 * bytes change; all relocations keep symbol and addend. So code that uses such a module finds each reference
 * that the linker has applied.
 */
import { SmfBuilder } from "../../src/smf/builder.ts";
import { Binding, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import { type Home, HOMES_SECTION, homesBytes } from "../../src/smf/homes.ts";
import { alignUp, imageOffsets } from "../../src/smf/offsets.ts";
import { headerOptionsOf } from "../../src/smf/rewrite.ts";
import type { SmfSection } from "../../src/smf/section.ts";

/** The byte that fills the old places. */
export const POISON = 0xa5;
/** How far zeroed homes are spread, in bytes: nearly as much as the format allows for an image. */
const FAR = 0x3000_0000;
/** How far homes with bytes are spread; the file holds these bytes. */
const NEAR = 0x10_0000;

const { Code, Data, RoData, Bss, Reloc, Homes, TypeInfo } = SectionType;

/** A home, and its offset in the image of before. */
interface MovedHome extends Home {
  readonly before: number;
}

/** A module with moved homes; it exports each old place as `old_0`, `old_1` and so on. */
export interface MovedModule {
  readonly bytes: Uint8Array;
  /** The sizes of the old places, by number. */
  readonly sizes: readonly number[];
}

/** Moves the homes of a module; `random` returns numbers from 0 to 2^32 - 1. */
export function moveHomes(module: Uint8Array, random: () => number): MovedModule {
  const file = parseSmf(module);
  const homes = file.homes();
  const { offsets, end } = imageOffsets(file.sections);
  const zeroed = (home: Home): boolean => sectionOf(file, offsets, home.offset).type === Bss;
  const start = alignUp(end, 4096);
  const moved: MovedHome[] = [];
  for (const [isZeroed, step] of [[false, NEAR], [true, FAR]] as const) {
    const group = homes.filter((home) => zeroed(home) === isZeroed);
    let at = moved.length === 0 ? start : moved.at(-1)!.offset + moved.at(-1)!.size;
    for (const home of shuffled(group, random)) {
      at = alignUp(at + Math.floor(random() / 2 ** 32 * step / group.length), home.alignment);
      moved.push({ ...home, offset: at, before: home.offset });
      at += home.size;
    }
  }
  const homeAt = (offset: number): MovedHome | undefined =>
    moved.find(({ before, size }) => offset >= before && offset < before + size);
  const placeOf = (offset: number): number => {
    const home = homeAt(offset);
    return home === undefined ? offset : home.offset + offset - home.before;
  };

  const builder = new SmfBuilder(headerOptionsOf(file, { compression: "none" }));
  const last = moved.at(-1)!;
  const movedBytes = new Uint8Array(
    Math.max(
      0,
      ...moved.filter((home) => sectionOf(file, offsets, home.before).type !== Bss).map(({ offset, size }) =>
        offset + size - start
      ),
    ),
  );
  const poison = (bytes: Uint8Array, offset: number, hasContents = true): void => {
    for (const { before, size, offset: after } of moved) {
      if (before < offset || before >= offset + bytes.length) continue;
      const old = bytes.subarray(before - offset, before - offset + size);
      if (hasContents) movedBytes.set(old, after - start);
      old.fill(POISON);
    }
  };
  let reached: number | undefined;
  for (const section of loadedInOrder(file)) {
    const { name, type, alignment, virtualSize } = section;
    const offset = offsets[section.index]!;
    if (type === Code || type === RoData) {
      const bytes = file.contents(section);
      poison(bytes, offset);
      builder.section({ name, type, alignment, virtualSize, bytes });
      continue;
    }
    // Zeroed variables become ones with bytes, so that their place can hold poison; a filler keeps their offset.
    if (reached !== undefined && offset > alignUp(reached, alignment)) {
      builder.section({ name: ".filler", type: Data, alignment: 1, bytes: new Uint8Array(offset - reached) });
    }
    reached = offset + virtualSize;
    const bytes = type === Bss ? new Uint8Array(virtualSize) : file.contents(section);
    poison(bytes, offset, type === Data);
    builder.section({ name, type: Data, alignment, bytes });
  }
  const filler = start - (reached ?? start);
  if (filler > 0) {
    builder.section({ name: ".filler", type: Data, alignment: 1, bytes: new Uint8Array(filler) });
  }
  builder.section({
    name: ".moved",
    type: Data,
    alignment: 4096,
    bytes: movedBytes,
    virtualSize: last.offset + last.size - start,
  });
  for (const section of file.sections) {
    // The types name variables by their old offsets.
    if (isLoadedType(section.type) || [Reloc, Homes, TypeInfo].includes(section.type as 5)) continue;
    builder.section({ ...section, bytes: file.storedBytes(section) });
  }
  builder.section({ name: HOMES_SECTION, type: Homes, bytes: homesBytes(moved) });

  const bySymbol = new Map(moved.map((home) => [home.symbol, home]));
  for (const symbol of file.symbols) {
    const defined = file.isDefined(symbol.index);
    const value = !defined || symbol.type === SymbolType.Function
      ? symbol.value
      : bySymbol.get(symbol.index)?.offset ?? placeOf(symbol.value);
    builder.symbol({ ...symbol, defined, value });
  }
  moved.forEach(({ before }, index) =>
    builder.symbol({ name: `old_${index}`, type: SymbolType.Data, binding: Binding.Global, value: before })
  );
  const relocations = [...file.relocations].map((relocation) => ({
    ...relocation,
    offset: placeOf(relocation.offset),
  })).sort((left, right) => left.offset - right.offset);
  for (const relocation of relocations) builder.relocation(relocation);
  return { bytes: builder.build(), sizes: moved.map(({ size }) => size) };
}

/** The sections of the image in the order of their offsets. */
function loadedInOrder({ sections }: ParsedSmf): SmfSection[] {
  const rank = [Code, RoData, Data, Bss] as readonly number[];
  return sections.filter(({ type }) => isLoadedType(type))
    .sort((a, b) => rank.indexOf(a.type) - rank.indexOf(b.type));
}

function isLoadedType(type: number): boolean {
  return type >= Code && type <= Bss;
}

function sectionOf(
  { sections }: ParsedSmf,
  offsets: readonly (number | undefined)[],
  offset: number,
): SmfSection {
  return sections.find(({ index, virtualSize }) => {
    const start = offsets[index];
    return start !== undefined && offset >= start && offset < start + virtualSize;
  })!;
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const left = [...items];
  return items.map(() => left.splice(random() % left.length, 1)[0]);
}
