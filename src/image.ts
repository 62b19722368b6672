/**
 * Where each section goes in one reserved range: pure arithmetic, no memory.
 *
 * ```text
 * file's own image            one reserved range            protection
 * ----------------            ------------------            ----------
 * code sections, packed   →   code | PLT                    read, execute
 * RoData group            →   rodata | GOT                  read
 * Data group, Bss group   →   data | bss                    read, write
 * ```
 *
 * Each of the three regions has pages of its own. Symbol values and relocation
 * offsets address the file's own image ({@linkcode ImagePlan.place} turns them
 * into offsets in the range), so one file fits every page size.
 */

import { LoadError, raise, type Report } from "./errors.ts";
import { signedWords } from "./relocation/loop.ts";
import { PAGE_SHIFT as IMAGE_PAGE_SHIFT, type PlacedGroup, PlaceTable } from "./relocation/places.ts";
import { HeaderFlag, SymbolType } from "./smf/enums.ts";
import type { SmfFile } from "./smf/file.ts";
import { alignUp, imageOffsets } from "./smf/offsets.ts";
import type { SmfSection } from "./smf/section.ts";
import { SYMBOL_WORDS, type SymbolTable } from "./smf/symbol.ts";

// The engine takes constants of this file as numbers, and loads those of others.
const { kind: KIND, value: VALUE, size: SIZE } = SYMBOL_WORDS;
const PAGE_SHIFT = IMAGE_PAGE_SHIFT;

/** Bytes of one Global Offset Table slot: an address. */
export const GOT_SLOT_SIZE = 8;
/** Bytes of one Procedure Linkage Table stub, padding included. */
export const PLT_STUB_SIZE = 16;

/** A part of the range that has one protection; page multiples. */
export interface Region {
  /** Bytes from the range's start. */
  readonly offset: number;
  /** In bytes; 0 if nothing needs this protection. */
  readonly length: number;
}

/** A section that is loaded, and where. */
export interface PlacedSection {
  readonly section: SmfSection;
  /** Bytes from the range's start. */
  readonly offset: number;
}

/** What the loader must reserve beside the sections. */
export interface SlotCounts {
  readonly got: number;
  readonly plt: number;
}

/** The plan of one module's range. */
export class ImagePlan {
  /** Of the whole range in bytes, a multiple of the page size, at least one page. */
  readonly size: number;
  /** That the range's address must have: a power of two, at least the page size. */
  readonly alignment: number;
  /** Read and execute. */
  readonly code: Region;
  /** Read only. */
  readonly rodata: Region;
  /** Read and write. */
  readonly data: Region;
  /** The loaded sections in file order. */
  readonly sections: readonly PlacedSection[];
  /** The first PLT stub, as an offset in the range. */
  readonly plt: number;
  /** The first GOT slot, as an offset in the range. */
  readonly got: number;
  /** What was reserved. */
  readonly slots: SlotCounts;
  /** For loops over many offsets; see {@linkcode ImagePlan.place}. */
  readonly groups: readonly PlacedGroup[];

  /**
   * @param sections Of the file, in file order.
   * @param pageSize Of the host, in bytes.
   * @param slots How many GOT slots and PLT stubs the relocations may need.
   */
  constructor(sections: readonly SmfSection[], pageSize: number, slots: SlotCounts) {
    this.slots = slots;
    const { offsets, groups } = imageOffsets(sections);
    const placed: PlacedGroup[] = [];
    let cursor = 0;
    let alignment = pageSize;
    const place = (kind: string): void => {
      const group = groups.find((candidate) => candidate.kind === kind);
      if (group === undefined) return;
      if (group.end === group.start) {
        // It takes no place, but a symbol may mark where it would begin.
        placed.push({ start: group.start, end: group.end, isCode: false, delta: cursor - group.start });
        return;
      }
      // The distance to the file's offset is a multiple of the largest alignment
      // in the group, so every section keeps its own on any page size.
      const start = cursor + modulo(group.start - cursor, group.alignment);
      placed.push({
        start: group.start,
        end: group.end,
        isCode: kind === "code",
        delta: start - group.start,
      });
      cursor = start + (group.end - group.start);
      alignment = Math.max(alignment, group.alignment);
    };
    const region = (fill: () => void): Region => {
      const offset = cursor;
      fill();
      cursor = alignUp(cursor, pageSize);
      return { offset, length: cursor - offset };
    };
    const reserve = (count: number, size: number): number => {
      if (count > 0) cursor = alignUp(cursor, size);
      const offset = cursor;
      cursor += count * size;
      return offset;
    };
    let plt = 0;
    let got = 0;
    this.code = region(() => {
      place("code");
      plt = reserve(slots.plt, PLT_STUB_SIZE);
    });
    this.rodata = region(() => {
      place("rodata");
      got = reserve(slots.got, GOT_SLOT_SIZE);
    });
    this.data = region(() => {
      place("data");
      place("bss");
    });
    this.plt = plt;
    this.got = got;
    this.size = Math.max(cursor, pageSize);
    this.alignment = alignment;
    this.groups = placed;
    this.sections = sections.flatMap((section, index) => {
      const offset = offsets[index];
      return offset === undefined || section.virtualSize === 0
        ? []
        : [{ section, offset: this.place(offset, section.virtualSize) }];
    });
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
 * @throws {LoadError} `InvalidFormat`.
 */
export function planImage(
  file: SmfFile,
  pageSize: number,
  slots: SlotCounts,
  report: Report = raise,
): ImagePlan {
  const plan = new ImagePlan(file.sections, pageSize, slots);
  const { symbols } = file;
  const places = new PlaceTable(plan.groups);
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

/** The remainder in [0, divisor), also for negative values. */
function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
