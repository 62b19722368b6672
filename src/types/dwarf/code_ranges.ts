/**
 * The ranges of code that an entry stands for: one, or a list of them (DWARF 5, 2.17).
 */
import { damaged } from "../damaged.ts";
import { At, Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DwarfObject } from "./object.ts";
import type { Entry, Unit } from "./unit.ts";

/** Called with a range: its first address, and the one behind its last. */
export type RangeVisitor = (start: number, end: number) => void;

/** The sections of lists of ranges. */
export interface RangeSections {
  readonly ranges: Uint8Array | undefined;
  readonly rnglists: Uint8Array | undefined;
}

/** DW_RLE_*. */
const RangeEntry = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

/** Where an address of a list of DWARF 2 to 4 is the base of those behind it. */
const BASE_SELECTION = 2 ** 64;

/** Reads ranges of code. */
export class CodeRanges {
  readonly #object: DwarfObject;
  readonly #sections: RangeSections;

  constructor(object: DwarfObject, sections: RangeSections) {
    this.#object = object;
    this.#sections = sections;
  }

  /** Calls `visit` with each range of an entry that has some. */
  of(entry: Entry, visit: RangeVisitor): void {
    const list = entry.value(At.ranges);
    if (list !== undefined) return this.#list(entry, list, visit);
    const start = this.#object.address(entry, At.lowPc);
    const high = start === undefined ? undefined : entry.value(At.highPc);
    if (start === undefined || high === undefined) return;
    const form = entry.form(At.highPc)!;
    const isAddress = form === Form.addr || form === Form.addrx || form >= Form.addrx1;
    visit(start, isAddress ? this.#object.address(entry, At.highPc)! : start + high);
  }

  #list(entry: Entry, value: number, visit: RangeVisitor): void {
    const { unit } = entry;
    const root = unit.root();
    const base = (root === undefined ? undefined : this.#object.address(root, At.lowPc)) ?? 0;
    if (unit.version < 5) return this.#oldList(value, base, visit);
    const { rnglists } = this.#sections;
    if (rnglists === undefined) throw damaged("the section .debug_rnglists is missing");
    let at = value;
    if (entry.form(At.ranges) === Form.rnglistx) {
      unit.cursor.at = value;
      const index = unit.cursor.uleb();
      const offsets = root?.value(At.rangeListsBase) ?? 12;
      at = offsets + new Cursor(rnglists, offsets + 4 * index).u32();
    }
    this.#newList(unit, new Cursor(rnglists, at), base, visit);
  }

  #oldList(offset: number, base: number, visit: RangeVisitor): void {
    const { ranges } = this.#sections;
    if (ranges === undefined) throw damaged("the section .debug_ranges is missing");
    const cursor = new Cursor(ranges, offset);
    for (;;) {
      const start = cursor.u64(), end = cursor.u64();
      if (start === 0 && end === 0) return;
      if (start === BASE_SELECTION) base = end;
      else if (start < end) visit(base + start, base + end);
    }
  }

  #newList(unit: Unit, cursor: Cursor, base: number, visit: RangeVisitor): void {
    const indexed = (): number => this.#object.indexedAddress(unit, cursor.uleb());
    for (;;) {
      const kind = cursor.u8();
      let start = 0, end = 0;
      switch (kind) {
        case RangeEntry.endOfList:
          return;
        case RangeEntry.baseAddressx:
          base = indexed();
          continue;
        case RangeEntry.baseAddress:
          base = cursor.u64();
          continue;
        case RangeEntry.startxEndx:
          start = indexed();
          end = indexed();
          break;
        case RangeEntry.startxLength:
          start = indexed();
          end = start + cursor.uleb();
          break;
        case RangeEntry.offsetPair:
          start = base + cursor.uleb();
          end = base + cursor.uleb();
          break;
        case RangeEntry.startEnd:
          start = cursor.u64();
          end = cursor.u64();
          break;
        case RangeEntry.startLength:
          start = cursor.u64();
          end = start + cursor.uleb();
          break;
        default:
          throw damaged(`a list of ranges has the entry ${kind}`);
      }
      if (start < end) visit(start, end);
    }
  }
}
