/**
 * The loop over relocations: S + A − P for all of them, whatever the processor,
 * and whole words written.
 *
 * Values are pairs of signed 32-bit halves, whose sums are exact modulo 2⁶⁴:
 * there is no BigInt, and nothing that the engine would have to compute as a
 * float. S, G and P count from the range's address, which cancels out of S − P
 * and is added where there is no P.
 *
 * The loop calls nothing that the engine could not put in its place, so that
 * it can keep everything in registers. What is rare ends the loop: its caller
 * deals with it, and goes on behind it.
 */

import { RELOCATION_WORDS } from "../../smf/reloc.ts";
import { SYMBOL_WORDS } from "../../smf/symbol.ts";
import { type RelocationArch, Use } from "./arch.ts";
import { PAGE_SHIFT as IMAGE_PAGE_SHIFT, type PlaceTable } from "../page_table.ts";

// The engine takes constants of this file as numbers, and loads those of others.
const { offset: OFFSET, symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;
const { value: VALUE } = SYMBOL_WORDS;
const { Bytes8: BYTES_8, Signed: SIGNED, Unsigned: UNSIGNED, Got: GOT, Page: PAGE } = Use;
const WIDTH = Use.Bytes4 | Use.Bytes8;
/** Moves the bit to where a sign is, which then fills the word. */
const RELATIVE_SHIFT = Math.clz32(Use.Relative);
/** A slot is an address of eight bytes. */
const GOT_SLOT_SHIFT = 3;
const PAGE_SHIFT = IMAGE_PAGE_SHIFT;
/** The bits of an index of words: what is so small is added without a check whether the sum is an integer. */
const INDEX = 0x3fff_ffff;
/** The bits of an address within what AArch64 calls a page, whatever the host's are. */
const IN_PAGE = 4095;

/** Why the loop ended before its end. */
export const Stop = {
  /** The value was not written: it is for a part of an instruction, or does not fit. */
  Value: 0,
  /** Not all bytes of the place are inside one group. */
  Place: 1,
  /** The symbol is neither imported nor in the image. */
  Symbol: 2,
} as const;
/** Why the loop ended before its end. */
export type Stop = (typeof Stop)[keyof typeof Stop];

/** What the loop works on, and what it says when it ends early. Nothing in the range lies beyond 2³¹. */
export interface RelocationWork {
  /** The whole range. */
  readonly bytes: DataView;
  readonly uses: RelocationArch["uses"];
  /** The records of relocations and symbols. */
  readonly relocations: Int32Array;
  readonly symbols: Int32Array;
  /** Words of a symbol. */
  readonly symbolStep: number;
  readonly places: PlaceTable;
  /** The halves of the range's address. It begins at a page. */
  readonly baseLow: number;
  readonly baseHigh: number;
  /** The imports' addresses less the range's, low half first. */
  readonly imports: Int32Array;
  /** For each symbol its place among the imports plus one, or 0; empty if nothing is imported. */
  readonly importOf: Int32Array;
  /** The first GOT slot. */
  readonly got: number;
  /** For each symbol its GOT slot plus one. */
  readonly gotSlots: Int32Array;
  stop: Stop;
  /** P, less the range's address, of the value that was not written. */
  place: number;
  /** The halves of that value. */
  low: number;
  high: number;
}

/**
 * Applies the relocations from `first` up to but not including `end`.
 *
 * @returns the first one that it could not, with the reason in `work.stop`; or `end`.
 */
export function applyRelocations(work: RelocationWork, first: number, end: number): number {
  const { bytes, uses, relocations: words, symbols: symbolWords, imports, importOf, gotSlots } = work;
  const places = work.places.words;
  // What is known to be an integer is not looked at again in every round.
  const pages = work.places.count & INDEX, got = work.got | 0, symbolStep = work.symbolStep | 0;
  const baseLow = work.baseLow | 0, baseHigh = work.baseHigh | 0;
  const isImporting = importOf.length > 0;
  // Of the group that the last place was in, from there on: neighbours mostly lie in one.
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
      if (words[at + OFFSET + 1] !== 0 || page >= pages || offsetEnd > places[page]) {
        return stopAt(work, at, Stop.Place);
      }
      groupStart = offset;
      groupEnd = places[page];
      groupDelta = places[pages + page];
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
      if (symbolWords[field + 1] !== 0 || page >= pages || value > places[page]) {
        return stopAt(work, at, Stop.Symbol);
      }
      low = (value + places[pages + page]) | 0;
    }

    // S + A
    const addend = words[at + ADDEND];
    let sum = (low + addend) | 0;
    high = (high + words[at + ADDEND + 1] + carry(low, addend, sum)) | 0;

    // Minus P, or plus the range's address; without a branch, since types alternate.
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

    // Written here and not by a function, which took as long as the sum.
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

/** What a sum of low halves carries to the high half: 1 or 0, without a branch. */
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
