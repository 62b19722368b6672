/**
 * Finds what leads into the homes of a version, so that it can be aimed at the places where the homes are:
 * relocations and GOT slots. Pure: no memory.
 */

import { relocationArch } from "../relocation/mod.ts";
import { Use } from "../relocation/arch.ts";
import type { RelocationNeeds } from "../relocation/scan.ts";
import type { HomePlaces, HousedFile } from "./places.ts";

/** Everything in an image that leads into some of its homes. */
export interface Aim {
  /** The addresses that symbols get instead of those in the image, by their indices. */
  readonly symbols: ReadonlyMap<number, bigint>;
  /** The relocations of code and constants. */
  readonly constants: readonly number[];
  /** The relocations of variables that are in none of those homes. */
  readonly variables: readonly number[];
  /** The GOT slots. */
  readonly slots: readonly number[];
}

/**
 * Finds what leads into homes.
 *
 * @param addresses The addresses that homes have instead of those in the image, by their indices.
 */
export function aimAt(
  housed: HousedFile,
  places: HomePlaces,
  needs: RelocationNeeds,
  addresses: ReadonlyMap<number, bigint>,
): Aim {
  const { file: { relocations, symbols, header }, plan } = housed;
  const { uses, widths } = relocationArch(header.arch);
  const aimed = new Map<number, bigint>();
  const others = new Set<number>();
  const isAimed = (symbol: number): boolean => {
    if (aimed.has(symbol)) return true;
    if (others.has(symbol)) return false;
    const home = places.ofSymbol(symbol), address = addresses.get(home);
    if (address === undefined) {
      others.add(symbol);
      return false;
    }
    aimed.set(symbol, address + BigInt(symbols.value(symbol) - places.homes[home].offset));
    return true;
  };
  const constants: number[] = [], variables: number[] = [], slots: number[] = [];
  const { data } = plan;
  for (let index = 0; addresses.size > 0 && index < relocations.length; index++) {
    const type = relocations.type(index), use = uses[type];
    if ((use & (Use.Bytes4 | Use.Bytes8)) === 0 || (use & (Use.Got | Use.Ifunc | Use.ThreadLocal)) !== 0) {
      continue;
    }
    if (!isAimed(relocations.symbol(index))) continue;
    const offset = relocations.offset(index);
    const at = plan.place(offset, widths[type]);
    if (at < data.offset || at >= data.offset + data.length) constants.push(index);
    else if (!addresses.has(places.at(offset))) variables.push(index);
  }
  for (let slot = 0; addresses.size > 0 && slot < needs.firstUse.length; slot++) {
    if (isAimed(relocations.symbol(needs.firstUse[slot]))) slots.push(slot);
  }
  return { symbols: aimed, constants, variables, slots };
}
