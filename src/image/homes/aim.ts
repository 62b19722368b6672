/**
 * Finds what leads into the homes of a version, so that it can be aimed at the places where the homes are:
 * relocations and GOT slots. Pure: no memory.
 */

import { isInside } from "../arrange.ts";
import { relocationArch } from "../relocation/mod.ts";
import { Use } from "../relocation/arch.ts";
import type { RelocationNeeds } from "../relocation/scan.ts";
import { addressWords } from "../../os/address_words.ts";
import { signedWords } from "../../smf/reader.ts";
import { RELOCATION_WORDS } from "../../smf/reloc.ts";
import type { HomePlaces, HousedFile } from "./places.ts";

/** The addresses of homes that are not in the image, by their indices; 0 for the others. */
export type AimedHomes = Float64Array;

/** Everything in an image that leads into some of its homes. */
export interface Aim {
  /** The symbols that get other addresses than those in the image, and these, in the same order. */
  readonly symbols: readonly number[];
  readonly addresses: BigUint64Array<ArrayBuffer>;
  /** The relocations of code and constants, ascending. */
  readonly constants: readonly number[];
  /** The relocations of variables that are in none of those homes, ascending. */
  readonly variables: readonly number[];
  /** The GOT slots. */
  readonly slots: readonly number[];
  /** Whether every value fits if all addresses are within 2³¹ − 2²⁴ bytes of the whole image. */
  readonly isPlain: boolean;
  /** The lowest and the highest of the addresses. */
  readonly lowest: number;
  readonly highest: number;
}

const { symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;
const VALUE = Use.Bytes4 | Use.Bytes8;
const NOT_ITS_ADDRESS = Use.Got | Use.Ifunc | Use.ThreadLocal;
const DISTANCE = Use.Relative | Use.Signed | Use.Instruction;

/** The largest addend that is usual. */
const MOST_ADDEND = 2 ** 24;

/** Finds what leads into homes. */
export function aimAt(
  housed: HousedFile,
  places: HomePlaces,
  needs: RelocationNeeds,
  addresses: AimedHomes,
): Aim {
  const { file: { relocations, symbols, header }, plan } = housed;
  const { uses, widths } = relocationArch(header.arch);
  const aimed: number[] = [], targets: number[] = [];
  /** For each symbol whether it is aimed: 0 if unknown, 1 if it is, 2 if not. */
  const states = new Uint8Array(symbols.length);
  const { first, end } = places.range;
  const isAimed = (symbol: number): boolean => {
    if (states[symbol] !== 0) return states[symbol] === 1;
    // Most symbols are nowhere near a home.
    const value = symbols.value(symbol), isNear = value >= first && value < end;
    const home = isNear ? places.ofSymbol(symbol) : -1;
    if (home < 0 || addresses[home] === 0) {
      states[symbol] = 2;
      return false;
    }
    states[symbol] = 1;
    aimed.push(symbol);
    targets.push(addresses[home] + (value - places.homes[home].offset));
    return true;
  };
  const constants: number[] = [], variables: number[] = [], slots: number[] = [];
  const { data } = plan, hasAny = addresses.some((address) => address !== 0);
  const words = signedWords(relocations.words);
  let isPlain = true;
  for (let at = 0, index = 0; hasAny && at < words.length; at += STEP, index++) {
    const symbol = words[at + SYMBOL];
    if (states[symbol] === 2) continue;
    const type = words[at + TYPE] & 0xff, use = uses[type];
    if ((use & VALUE) === 0 || (use & NOT_ITS_ADDRESS) !== 0 || !isAimed(symbol)) continue;
    const offset = relocations.offset(index);
    const place = plan.place(offset, widths[type]);
    if (!isInside(data, place)) constants.push(index);
    else if (places.at(offset) < 0 || addresses[places.at(offset)] === 0) variables.push(index);
    else continue;
    if ((use & Use.Bytes8) !== 0) continue;
    const addend = words[at + ADDEND];
    isPlain &&= (use & DISTANCE) === (Use.Relative | Use.Signed) && words[at + ADDEND + 1] === addend >> 31 &&
      Math.abs(addend) < MOST_ADDEND;
  }
  for (let slot = 0; hasAny && slot < needs.firstUse.length; slot++) {
    if (isAimed(relocations.symbol(needs.firstUse[slot]))) slots.push(slot);
  }
  let lowest = Infinity, highest = 0;
  for (const target of targets) {
    lowest = Math.min(lowest, target);
    highest = Math.max(highest, target);
  }
  return {
    symbols: aimed,
    addresses: addressWords(targets),
    constants,
    variables,
    slots,
    isPlain,
    lowest,
    highest,
  };
}

/** Whether every relocation can lead to an aim, so that nobody needs to try; else nobody knows. */
export function surelyReaches({ isPlain, lowest, highest }: Aim, base: number, size: number): boolean {
  return isPlain && Math.max(highest, base + size) - Math.min(lowest, base) < 2 ** 31 - 2 * MOST_ADDEND;
}
