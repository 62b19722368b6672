/**
 * The loop over relocations: calculates S + A − P for all types of all
 * processors, and writes whole words.
 *
 * Values are pairs of signed 32-bit halves, whose sums are exact modulo 2⁶⁴:
 * there is no BigInt, and nothing that the engine would have to compute as a
 * float. S, G and P are relative to the range's address, which cancels out of
 * S − P and is added where there is no P.
 *
 * The loop calls only functions that the engine can inline, so that it keeps
 * everything in registers. Rare cases leave the loop; the caller handles them
 * and resumes.
 */

import { RELOCATION_WORDS } from "../../smf/reloc.ts";
import { SYMBOL_WORDS } from "../../smf/symbol.ts";
import { type RelocationArch, Use } from "./arch.ts";
import { PAGE_SHIFT as IMAGE_PAGE_SHIFT, type PageTable } from "../page_table.ts";

// The engine inlines constants of this file as numbers, and loads imported ones each time.
const { offset: OFFSET, symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;
const { value: VALUE } = SYMBOL_WORDS;
const { Bytes8: BYTES_8, Signed: SIGNED, Unsigned: UNSIGNED, Got: GOT, Page: PAGE } = Use;
const WIDTH = Use.Bytes4 | Use.Bytes8;
/** Shifts the bit to the sign bit, which an arithmetic shift then spreads over the word. */
const RELATIVE_SHIFT = Math.clz32(Use.Relative);
/** A GOT slot is an address of eight bytes. */
const GOT_SLOT_SHIFT = 3;
const PAGE_SHIFT = IMAGE_PAGE_SHIFT;
/** The bits of an index of words: the engine adds numbers this small without an overflow check. */
const INDEX = 0x3fff_ffff;
/** The offset bits of an address within a page as AArch64 relocations count them, whatever the host's page size. */
const IN_PAGE = 4095;

/** Why the loop stopped early. */
export const Stop = {
  /** The value is not written: it is for a part of an instruction, or does not fit. */
  Value: 0,
  /** Not all bytes of the place are inside one group. */
  Place: 1,
  /** The symbol is neither imported nor in the image. */
  Symbol: 2,
} as const;
/** Why the loop stopped early. */
export type Stop = (typeof Stop)[keyof typeof Stop];

/** The input of the loop, and its state when it stops early. No offset in the range is 2³¹ or more. */
export interface RelocationWork {
  /** The whole range. */
  readonly bytes: DataView;
  readonly uses: RelocationArch["uses"];
  /** The words of the relocation records and of the symbol records. */
  readonly relocations: Int32Array;
  readonly symbols: Int32Array;
  /** The number of words in a symbol record. */
  readonly symbolStep: number;
  readonly pageTable: PageTable;
  /** The halves of the range's address, which is a multiple of the page size. */
  readonly baseLow: number;
  readonly baseHigh: number;
  /** The imports' addresses minus the range's, low half first. */
  readonly imports: Int32Array;
  /** The position of each symbol among the imports plus one, or 0; empty if nothing is imported. */
  readonly importOf: Int32Array;
  /** The offset of the first GOT slot. */
  readonly got: number;
  /** The GOT slot of each symbol plus one. */
  readonly gotSlots: Int32Array;
  stop: Stop;
  /** P of the value that is not written, minus the range's address. */
  place: number;
  /** The halves of that value. */
  low: number;
  high: number;
}

/**
 * Applies the relocations from `first` up to but not including `end`.
 *
 * @returns the first relocation that it could not apply, with the reason in `work.stop`; or `end`.
 */
export function applyRelocations(work: RelocationWork, first: number, end: number): number {
  const { bytes, uses, relocations: words, symbols: symbolWords, imports, importOf, gotSlots } = work;
  // The ends of groups by page, and behind them the differences by page.
  const table = work.pageTable.words;
  // `| 0` and `& INDEX` tell the engine that these are integers, so that it does not check them in every round.
  const pages = work.pageTable.count & INDEX, got = work.got | 0, symbolStep = work.symbolStep | 0;
  const baseLow = work.baseLow | 0, baseHigh = work.baseHigh | 0;
  const isImporting = importOf.length > 0;
  // The group of the previous place, from that place on: neighbours mostly lie in one group.
  let groupStart = 0, groupEnd = 0, groupDelta = 0;
  const last = (end * STEP) | 0;
  for (let next = (first * STEP) | 0; next < last; next = (next + STEP) | 0) {
    const at = next & INDEX;
    const use = uses[words[at + TYPE] & 0xff];
    const width = use & WIDTH;
    if (width === 0) continue;

    // P
    const offset = words[at + OFFSET];
    const offsetEnd = offset + width;
    if (words[at + OFFSET + 1] !== 0 || offset < groupStart || offsetEnd > groupEnd) {
      const page = offset >>> PAGE_SHIFT;
      if (words[at + OFFSET + 1] !== 0 || page >= pages || offsetEnd > table[page]) {
        return stopAt(work, at, Stop.Place);
      }
      groupStart = offset;
      groupEnd = table[page];
      groupDelta = table[pages + page];
    }
    const place = (offset + groupDelta) | 0;

    // S, or G
    const symbol = words[at + SYMBOL];
    let low = 0, high = 0;
    if ((use & GOT) !== 0) {
      low = got + ((gotSlots[symbol] - 1) << GOT_SLOT_SHIFT);
    } else if (isImporting && importOf[symbol] !== 0) {
      const position = (importOf[symbol] - 1) << 1;
      low = imports[position];
      high = imports[position + 1];
    } else {
      const field = (Math.imul(symbol, symbolStep) & INDEX) + VALUE;
      const value = symbolWords[field];
      const page = value >>> PAGE_SHIFT;
      if (symbolWords[field + 1] !== 0 || page >= pages || value > table[page]) {
        return stopAt(work, at, Stop.Symbol);
      }
      low = (value + table[pages + page]) | 0;
    }

    // S + A
    const addend = words[at + ADDEND];
    let sum = (low + addend) | 0;
    high = (high + words[at + ADDEND + 1] + carry(low, addend, sum)) | 0;

    // Subtracts P or adds the range's address, without a branch, since types alternate.
    let origin = place;
    if ((use & PAGE) !== 0) {
      sum &= ~IN_PAGE;
      origin &= ~IN_PAGE;
    }
    const isRelative = (use << RELATIVE_SHIFT) >> 31;
    const other = (-origin & isRelative) | (baseLow & ~isRelative);
    const otherHigh = ((-origin >> 31) & isRelative) | (baseHigh & ~isRelative);
    low = (sum + other) | 0;
    high = (high + otherHigh + carry(sum, other, low)) | 0;

    // Written here, since a function call would take as long as the sum.
    if ((use & SIGNED) !== 0 && high === low >> 31) {
      bytes.setInt32(place, low, true);
    } else if ((use & BYTES_8) !== 0) {
      bytes.setInt32(place, low, true);
      bytes.setInt32(place + 4, high, true);
    } else if ((use & UNSIGNED) !== 0 && high === 0) {
      bytes.setInt32(place, low, true);
    } else {
      work.place = place;
      work.low = low;
      work.high = high;
      return stopAt(work, at, Stop.Value);
    }
  }
  return end;
}

function stopAt(work: RelocationWork, at: number, stop: Stop): number {
  work.stop = stop;
  return at / STEP;
}

/** The carry of a sum of low halves into the high half, 1 or 0, without a branch. */
export function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}

/** The low half of an address. */
export function lowHalf(address: bigint): number {
  return Number(BigInt.asIntN(32, address));
}

/** The high half of an address. */
export function highHalf(address: bigint): number {
  return Number(BigInt.asIntN(32, address >> 32n));
}
