/**
 * Where each section goes in one reserved range: pure arithmetic, no memory.
 *
 * Symbol values and relocation offsets address the file's own image;
 * {@linkcode ImagePlan.place} turns them into offsets in the range, whose
 * groups, GOT and PLT `arrangement.ts` has placed.
 */

import {
  arrange,
  arrangeFixed,
  type Arrangement,
  type PlacedGroup,
  type Region,
  type SlotCounts,
} from "./arrange.ts";
import { LoadError, raise, type Report } from "../errors.ts";
import { PAGE_SHIFT as IMAGE_PAGE_SHIFT, PlaceTable } from "./page_table.ts";
import { HeaderFlag, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { SmfHeader } from "../smf/header.ts";
import { IMAGE_PAGE, imageOffsets } from "../smf/offsets.ts";
import { signedWords } from "../smf/reader.ts";
import type { SmfSection } from "../smf/section.ts";
import { SYMBOL_WORDS, type SymbolTable } from "../smf/symbol.ts";

// The engine takes constants of this file as numbers, and loads those of others.
const { kind: KIND, value: VALUE, size: SIZE } = SYMBOL_WORDS;
const PAGE_SHIFT = IMAGE_PAGE_SHIFT;

/** A section that is loaded, and where. */
export interface PlacedSection {
  readonly section: SmfSection;
  /** Bytes from the range's start. */
  readonly offset: number;
}

/** The plan of one module's range. */
export class ImagePlan implements Arrangement {
  readonly size: number;
  readonly alignment: number;
  readonly code: Region;
  readonly rodata: Region;
  readonly data: Region;
  readonly gotRegion: Region;
  readonly plt: number;
  readonly got: number;
  /** The loaded sections in file order. */
  readonly sections: readonly PlacedSection[];
  /** What was reserved. */
  readonly slots: SlotCounts;
  readonly groups: readonly PlacedGroup[];
  #places: PlaceTable | undefined;

  /**
   * @param sections Of the file, in file order.
   * @param pageSize Of the host, in bytes.
   * @param slots How many GOT slots and PLT stubs the relocations may need.
   * @param isFixed Whether the image must move as a whole, on pages of 4096 bytes.
   */
  constructor(sections: readonly SmfSection[], pageSize: number, slots: SlotCounts, isFixed = false) {
    this.slots = slots;
    const { offsets, groups } = imageOffsets(sections);
    const arrangement = isFixed ? arrangeFixed(groups, slots) : arrange(groups, pageSize, slots);
    this.size = arrangement.size;
    this.alignment = arrangement.alignment;
    this.code = arrangement.code;
    this.rodata = arrangement.rodata;
    this.data = arrangement.data;
    this.gotRegion = arrangement.gotRegion;
    this.plt = arrangement.plt;
    this.got = arrangement.got;
    this.groups = arrangement.groups;
    const placed: PlacedSection[] = [];
    for (let index = 0; index < sections.length; index++) {
      const section = sections[index], offset = offsets[index];
      if (offset === undefined || section.virtualSize === 0) continue;
      placed.push({ section, offset: this.place(offset, section.virtualSize) });
    }
    this.sections = placed;
  }

  /** The same for loops over many offsets. */
  get places(): PlaceTable {
    return this.#places ??= new PlaceTable(this.groups);
  }

  /** The group that has the byte at `offset` of the file's image. */
  groupOf(offset: number): PlacedGroup | undefined {
    const { groups } = this;
    for (let index = 0; index < groups.length; index++) {
      const group = groups[index];
      if (offset >= group.start && offset < group.end) return group;
    }
    return undefined;
  }

  /**
   * The offset in the range of `length` bytes at `offset` of the file's image,
   * or -1 when they are not wholly inside one group of sections.
   */
  place(offset: number, length: number): number {
    const group = this.groupOf(offset);
    if (group !== undefined) return offset + length <= group.end ? offset + group.delta : -1;
    if (length !== 0) return -1;
    // A symbol without size may mark the end of a group.
    for (const group of this.groups) {
      if (offset === group.end) return offset + group.delta;
    }
    return offset === 0 ? 0 : -1;
  }

  /** Whether `offset` of the file's image lies in a Code section. */
  isCode(offset: number): boolean {
    return this.groupOf(offset)?.isCode === true;
  }
}

/**
 * Plans a module's range and checks what needs the plan: that every defined
 * symbol lies inside the image, functions and the entry point in code.
 *
 * @param report Told what is wrong with a symbol or with the entry point.
 * @throws {LoadError} `InvalidFormat`; `Unsupported` if the file's layout does not fit the pages.
 */
export function planImage(
  file: SmfFile,
  pageSize: number,
  slots: SlotCounts,
  report: Report = raise,
): ImagePlan {
  const isFixed = isFixedLayout(file.header);
  if (isFixed && pageSize !== IMAGE_PAGE) {
    throw new LoadError(
      "Unsupported",
      `Cannot load module: its code was linked for pages of ${IMAGE_PAGE} bytes`,
      { value: pageSize, range: [IMAGE_PAGE, IMAGE_PAGE + 1] },
    );
  }
  const plan = new ImagePlan(file.sections, pageSize, slots, isFixed);
  const { symbols } = file;
  const { places } = plan;
  const codeEnd = plan.groups.find(({ isCode }) => isCode)?.end ?? 0;
  for (let index = 0;; index++) {
    index = nextDoubtful(symbols, places, codeEnd, index);
    if (index === symbols.length) break;
    checkSymbol(file, plan, index, report);
  }
  const { entryPoint, flags } = file.header;
  if ((flags & HeaderFlag.Executable) !== 0 && !plan.isCode(entryPoint)) {
    report(
      new LoadError("InvalidFormat", "Cannot use entry point: it is not inside a Code section", {
        value: entryPoint,
      }),
    );
  }
  return plan;
}

/** Whether an image must move as a whole, since its code counts on its distances. */
export function isFixedLayout({ flags }: SmfHeader): boolean {
  return (flags & HeaderFlag.FixedLayout) !== 0;
}

/**
 * Whether symbols of a type have an address. The others (Type, Trait, Actor)
 * describe the program; their value is not an offset in the image.
 */
export function isAddress(type: number): boolean {
  return type === SymbolType.None || type === SymbolType.Function || type === SymbolType.Data ||
    type === SymbolType.Constant;
}

/**
 * The first symbol, from one on, that is not seen at a glance to be inside the
 * image, and in code if it is a function; or how many there are.
 */
function nextDoubtful(symbols: SymbolTable, table: PlaceTable, codeEnd: number, first: number): number {
  const words = signedWords(symbols.words), places = table.words;
  // What is known to be an integer is not looked at again in every round.
  const step = symbols.step | 0, pages = table.count | 0, limit = codeEnd | 0;
  const functionType = (SymbolType.Function - symbols.typeBase) | 0;
  for (let at = (first * step) | 0; at < words.length; at = (at + step) | 0) {
    const value = words[at + VALUE], size = words[at + SIZE];
    const page = value >>> PAGE_SHIFT;
    if (
      (words[at + VALUE + 1] | words[at + SIZE + 1]) !== 0 || page >= pages || size < 0 ||
      value + size > places[page] || (value >= limit && (words[at + KIND] & 0xff) === functionType)
    ) return at / step;
  }
  return symbols.length;
}

function checkSymbol(file: SmfFile, plan: ImagePlan, index: number, report: Report): void {
  const { symbols } = file;
  if (!isAddress(symbols.type(index)) || !symbols.isDefined(index)) return;
  const value = symbols.value(index);
  const size = symbols.size(index);
  if (plan.place(value, size) < 0) {
    report(
      new LoadError("InvalidFormat", `Cannot place symbol of ${size} bytes: it is not inside the image`, {
        symbol: symbols.name(index),
        value,
      }),
    );
  } else if (symbols.type(index) === SymbolType.Function && !plan.isCode(value)) {
    report(
      new LoadError("InvalidFormat", "Cannot use symbol as a function: it is not inside a Code section", {
        symbol: symbols.name(index),
        value,
      }),
    );
  }
}
