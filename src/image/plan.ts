/**
 * Plans where each section goes in one reserved range: pure arithmetic, no memory.
 *
 * Symbol values and relocation offsets address the file's own image.
 * {@linkcode ImagePlan.place} turns them into offsets in the range, in which
 * `arrange.ts` has placed the groups, GOT and PLT.
 */

import { trimmed } from "../os/lazy_collections.ts";
import {
  arrange,
  arrangeFixed,
  type Arrangement,
  type PlacedGroup,
  type Region,
  type SlotCounts,
} from "./arrange.ts";
import { LoadError, raise, type Report } from "../errors/load_error.ts";
import { PAGE_SHIFT as IMAGE_PAGE_SHIFT, PageTable } from "./page_table.ts";
import { HeaderFlag, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { SmfHeader } from "../smf/header.ts";
import { IMAGE_PAGE, imageOffsets } from "../smf/offsets.ts";
import { signedWords } from "../smf/reader.ts";
import type { SmfSection } from "../smf/section.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";
import { SYMBOL_WORDS, type SymbolTable } from "../smf/symbol.ts";

// The engine inlines constants of this file as numbers, and loads imported ones each time.
const { kind: KIND, value: VALUE, size: SIZE } = SYMBOL_WORDS;
const PAGE_SHIFT = IMAGE_PAGE_SHIFT;

/** A section that is loaded, and its place. */
export interface PlacedSection {
  readonly section: SmfSection;
  /** Its offset in the range. */
  readonly offset: number;
}

/** Says where everything of one module lies in its range. */
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
  /** The GOT slots and PLT stubs that are reserved. */
  readonly slots: SlotCounts;
  readonly groups: readonly PlacedGroup[];
  /** The first section of thread-local variables, and its offset in the file's image. */
  readonly threadLocals: PlacedSection | undefined;
  #pageTable: PageTable | undefined;

  /**
   * @param sections The file's sections, in file order.
   * @param pageSize The host's page size, in bytes.
   * @param slots The numbers of GOT slots and PLT stubs that the relocations may need.
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
      if (section.name === TLS_SECTION) this.threadLocals ??= { section, offset };
    }
    this.sections = trimmed(placed);
  }

  /** Does the work of {@linkcode ImagePlan.place} in loops over many offsets. */
  get pageTable(): PageTable {
    return this.#pageTable ??= new PageTable(this.groups);
  }

  /** The group that contains the byte at `offset` of the file's image. */
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
   * or -1 if they are not wholly inside one group of sections.
   */
  place(offset: number, length: number): number {
    const group = this.groupOf(offset);
    if (group !== undefined) return offset + length <= group.end ? offset + group.delta : -1;
    if (length !== 0) return -1;
    // A symbol of size 0 may mark the end of a group.
    for (const group of this.groups) {
      if (offset === group.end) return offset + group.delta;
    }
    return offset === 0 ? 0 : -1;
  }

  /**
   * Whether the symbol at `value` of the file's image is a thread-local variable,
   * which has an address in each thread and none in the image.
   */
  isThreadLocal(value: number): boolean {
    const { threadLocals } = this;
    if (threadLocals === undefined) return false;
    const distance = value - threadLocals.offset;
    return distance >= 0 && distance < threadLocals.section.virtualSize;
  }

  /** Whether `offset` of the file's image lies in a Code section. */
  isCode(offset: number): boolean {
    return this.groupOf(offset)?.isCode === true;
  }
}

/**
 * Plans a module's range, and checks that every defined symbol lies inside the
 * image, functions and the entry point in code.
 *
 * Platforms: a file with a fixed layout needs pages of 4096 bytes.
 *
 * @param report Called for each symbol that is wrong, and for a wrong entry point.
 * @param isKnown Whether an earlier plan of this file has checked them.
 * @throws {LoadError} `InvalidFormat`; `Unsupported` if the file's layout does not fit the pages.
 */
export function planImage(
  file: SmfFile,
  pageSize: number,
  slots: SlotCounts,
  report: Report = raise,
  isKnown = false,
): ImagePlan {
  const isFixed = isFixedLayout(file.header);
  if (isFixed && pageSize !== IMAGE_PAGE) {
    throw new LoadError(
      "Unsupported",
      `Cannot load module: its code is linked for pages of ${IMAGE_PAGE} bytes`,
      {
        value: pageSize,
        range: [IMAGE_PAGE, IMAGE_PAGE + 1],
        hint: `load it where pages have ${IMAGE_PAGE} bytes, as they do on x86-64`,
      },
    );
  }
  const plan = new ImagePlan(file.sections, pageSize, slots, isFixed);
  if (isKnown) return plan;
  const { symbols } = file;
  const { pageTable } = plan;
  const codeEnd = plan.groups.find(({ isCode }) => isCode)?.end ?? 0;
  for (let index = 0;; index++) {
    index = nextUnproven(symbols, pageTable, codeEnd, index);
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

/** Whether an image must move as a whole, because its code relies on its distances. */
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
 * The first symbol, from `first` on, that this fast check does not prove to be
 * inside the image, and in code if it is a function; or the number of symbols.
 */
function nextUnproven(symbols: SymbolTable, table: PageTable, codeEnd: number, first: number): number {
  const words = signedWords(symbols.words), ends = table.words;
  // `| 0` tells the engine that these are integers, so that it does not check them in every round.
  const step = symbols.step | 0, pages = table.count | 0, limit = codeEnd | 0;
  const functionType = (SymbolType.Function - symbols.typeBase) | 0;
  for (let at = (first * step) | 0; at < words.length; at = (at + step) | 0) {
    const value = words[at + VALUE], size = words[at + SIZE];
    const page = value >>> PAGE_SHIFT;
    if (
      (words[at + VALUE + 1] | words[at + SIZE + 1]) !== 0 || page >= pages || size < 0 ||
      value + size > ends[page] || (value >= limit && (words[at + KIND] & 0xff) === functionType)
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
