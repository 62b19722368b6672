/**
 * Translates addresses in the image of one version to addresses in the next.
 *
 * | the address is | it becomes |
 * |---|---|
 * | the start of a symbol that has a size | the start of the same symbol |
 * | inside a variable whose layout has changed | the same field of the same element, if both have it |
 * | inside another variable or constant | the same distance inside it, if its size is the same |
 * | one past the end of one, where nothing else starts | one past its end, if its size is the same |
 * | a symbol without a size, where none with a size starts | the same symbol |
 *
 * Section symbols never count: they mark a place, not a thing. Where a variable
 * starts at the end of another, the address means the one that starts there.
 */

import type { VersionPair } from "../image/version_pair.ts";
import { isAddress } from "../image/plan.ts";
import { lastUpTo } from "../smf/search.ts";
import { SymbolType } from "../smf/enums.ts";
import { placeOf } from "../types/steps.ts";

/** Symbols of the old image in the order of their places. */
interface SortedSymbols {
  readonly starts: Float64Array;
  readonly indices: Uint32Array;
  /** The highest end of a symbol and of all before it. */
  readonly reached: Float64Array;
}

/** Translates offsets in the old image to addresses in the new one. */
export class AddressMap {
  readonly #pair: VersionPair;
  readonly #base: number;
  #sized: SortedSymbols | undefined;
  /** The symbols that have no size, by place. */
  readonly #unsized = new Map<number, number>();
  /** The data symbols by the places where they end. */
  readonly #ends = new Map<number, number>();

  /** @param base The address of the new image; no address is above 2^53 - 1. */
  constructor(pair: VersionPair, base: number) {
    this.#pair = pair;
    this.#base = base;
  }

  /**
   * The address in the new image; undefined if the old one's symbols do not say what is at `offset`.
   *
   * @param holder The index of the old version's variable that holds the address; its type may say what is meant.
   * @param place The offset of the address in that variable.
   */
  translate(offset: number, holder?: number, place = 0): number | undefined {
    if (this.#pair.isIdentical) return this.#base + offset;
    const sized = this.#sized ??= this.#sort();
    const { starts, reached } = sized;
    const next = lastUpTo(starts, offset) + 1;
    let at = next - 1;
    let startsHere = false;
    let found: number | undefined;
    for (; at >= 0 && starts[at] === offset; at--) {
      startsHere = true;
      const start = this.#startOf(sized.indices[at]);
      if (start === undefined) continue;
      // Names of one place may have separate places now: then nobody knows which of them is meant.
      if (found !== undefined && found !== start) return undefined;
      found = start;
    }
    if (found !== undefined) return found;
    let isInside = false;
    for (; at >= 0 && reached[at] > offset; at--) {
      const index = sized.indices[at], start = starts[at];
      if (start + this.#pair.previous.file.symbols.size(index) <= offset) continue;
      isInside = true;
      const inside = this.#inside(index, offset - start, holder, place);
      if (inside !== undefined) return inside;
    }
    if (startsHere) return undefined;
    const ending = isInside ? undefined : this.#ends.get(offset);
    if (ending !== undefined) {
      const end = this.#inside(ending, this.#pair.previous.file.symbols.size(ending), holder, place);
      if (end !== undefined) return end;
    }
    const mark = this.#unsized.get(offset);
    return mark === undefined ? undefined : this.#startOf(mark);
  }

  /** The name of the function of the old version that has `offset` inside, not at its start. */
  functionAround(offset: number): string | undefined {
    const { starts, indices, reached } = this.#sized ??= this.#sort();
    const { symbols } = this.#pair.previous.file;
    for (let at = lastUpTo(starts, offset - 1); at >= 0 && reached[at] > offset; at--) {
      const index = indices[at];
      if (symbols.type(index) !== SymbolType.Function) continue;
      if (starts[at] + symbols.size(index) > offset) return symbols.name(index);
    }
    return undefined;
  }

  /** The new start of a symbol that is still a function, or still none. */
  #startOf(before: number): number | undefined {
    const { previous, candidate } = this.#pair;
    const after = this.#pair.counterpart(before);
    if (after === undefined) return undefined;
    const wasFunction = previous.file.symbols.type(before) === SymbolType.Function;
    const isFunction = candidate.file.symbols.type(after) === SymbolType.Function;
    if (wasFunction !== isFunction) return undefined;
    return this.#base + candidate.plan.place(candidate.file.symbols.value(after), 0);
  }

  /** The new address of a place in data that has kept its size, or whose types tell where the place is now. */
  #inside(
    before: number,
    distance: number,
    holder: number | undefined,
    place: number,
  ): number | undefined {
    const { previous: { file: { symbols } }, candidate } = this.#pair;
    if (symbols.type(before) === SymbolType.Function) return undefined;
    const after = this.#pair.counterpart(before);
    if (after === undefined) return undefined;
    const plan = this.#pair.planOf(before);
    let moved: number | undefined = distance;
    if (plan?.fate === "changed") {
      const pointee = holder === undefined ? undefined : this.#pair.typed!.pointeeAt(holder, place);
      moved = placeOf(plan.steps, distance, pointee);
    } else if (candidate.file.symbols.size(after) !== symbols.size(before)) return undefined;
    const start = moved === undefined ? undefined : this.#startOf(before);
    return start === undefined ? undefined : start + moved!;
  }

  #sort(): SortedSymbols {
    const { file: { symbols }, plan } = this.#pair.previous;
    const places: number[] = [], order: number[] = [], indices: number[] = [];
    for (let index = 0; index < symbols.length; index++) {
      if (!symbols.isDefined(index) || !isAddress(symbols.type(index))) continue;
      const start = plan.place(symbols.value(index), 0), size = symbols.size(index);
      if (size > 0) {
        order.push(places.push(start) - 1);
        indices.push(index);
        if (symbols.type(index) !== SymbolType.Function) this.#ends.set(start + size, index);
      } else if (!isSection(symbols.type(index), symbols.name(index))) this.#unsized.set(start, index);
    }
    order.sort((left, right) => places[left] - places[right]);
    const starts = new Float64Array(order.length), reached = new Float64Array(order.length);
    const sorted = new Uint32Array(order.length);
    let end = 0;
    for (let at = 0; at < order.length; at++) {
      starts[at] = places[order[at]];
      sorted[at] = indices[order[at]];
      end = Math.max(end, starts[at] + symbols.size(sorted[at]));
      reached[at] = end;
    }
    return { starts, indices: sorted, reached };
  }
}

/** Whether a symbol without a size stands for a section, as ELF's section symbols do. */
function isSection(type: number, name: string): boolean {
  return type === SymbolType.None && name.startsWith(".");
}
