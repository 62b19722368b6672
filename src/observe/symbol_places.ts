/**
 * The functions and variables of a module by where they lie in its image.
 */
import { Binding, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";

/** A function or variable, and the distance from its start. */
export interface FoundSymbol {
  readonly name: string;
  readonly isFunction: boolean;
  readonly offset: number;
}

/** Finds symbols by offsets in the image of their file. */
export class SymbolPlaces {
  readonly #file: SmfFile;
  /** Symbols with a size, ascending by their starts; of those with equal starts, the one to name is last. */
  readonly #indices: Uint32Array;
  readonly #starts: Float64Array;
  /** The highest end of a symbol and of all before it. */
  readonly #reached: Float64Array;

  constructor(file: SmfFile) {
    this.#file = file;
    const { symbols } = file;
    const found: number[] = [];
    for (let index = 0; index < symbols.length; index++) {
      const type = symbols.type(index);
      if (type !== SymbolType.Function && type !== SymbolType.Data) continue;
      if (symbols.size(index) > 0 && symbols.isDefined(index)) found.push(index);
    }
    const rank = (index: number): number => symbols.binding(index) === Binding.Local ? 0 : 1;
    found.sort((a, b) =>
      symbols.value(a) - symbols.value(b) || symbols.size(b) - symbols.size(a) || rank(a) - rank(b) || b - a
    );
    this.#indices = Uint32Array.from(found);
    this.#starts = Float64Array.from(found, (index) => symbols.value(index));
    this.#reached = new Float64Array(found.length);
    let end = 0;
    found.forEach((index, at) => {
      end = Math.max(end, symbols.value(index) + symbols.size(index));
      this.#reached[at] = end;
    });
  }

  /** Finds the innermost function or variable that has an offset inside. */
  find(offset: number): FoundSymbol | undefined {
    const { symbols } = this.#file;
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle] <= offset) low = middle + 1;
      else high = middle;
    }
    for (let at = low - 1; at >= 0 && this.#reached[at] > offset; at--) {
      const index = this.#indices[at], start = this.#starts[at];
      if (start + symbols.size(index) <= offset) continue;
      return {
        name: symbols.name(index),
        isFunction: symbols.type(index) === SymbolType.Function,
        offset: offset - start,
      };
    }
    return undefined;
  }
}
