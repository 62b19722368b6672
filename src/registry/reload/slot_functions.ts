/**
 * The functions that trampoline slots mean in a version: a reload asks for all of them several times, and the next one
 * mostly has the same symbols.
 */

import { haveSameKeys, type KeyedImage, placeOfKey } from "../../module/function_keys.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { ExecutableMemory } from "../../os/memory/allocator.ts";
import { symbolAddress } from "../../load/loader.ts";
import { SYMBOL_WORDS } from "../../smf/symbol.ts";
import { declarationsOf } from "./claims.ts";

const { value: VALUE } = SYMBOL_WORDS;

/** The functions of slots in one version, by the slots' indexes. */
export interface SlotFunctions {
  /** The indexes of their symbols; -1 where the version has no function of that name. */
  readonly symbols: Int32Array;
  /** The addresses of their code. */
  readonly addresses: Float64Array;
}

/** The names of slots by their indexes. */
export interface NamedSlots {
  readonly length: number;
  nameOf(index: number): string;
}

/** The functions of slots in the version that has this memory. */
interface FoundFunctions {
  readonly memory: ExecutableMemory;
  readonly functions: SlotFunctions;
}

/** Finds the functions of a module's slots, and remembers those of the last two versions. */
export class SlotFunctionFinder {
  /** A reload asks for those of the version that serves, and of the candidate. */
  #last: readonly FoundFunctions[] = [];
  #known: { readonly image: KeyedImage; readonly symbols: Int32Array } | undefined;

  /** @param slots All slots, of which there may be more than at the last question. */
  of({ image }: ModuleVersion, slots: NamedSlots): SlotFunctions {
    const { memory, plan, file: { symbols: table } } = image;
    const last = this.#last.find((found) => found.memory === memory)?.functions;
    if (last?.symbols.length === slots.length) return last;
    const symbols = this.#symbolsOf(declarationsOf(image), slots);
    const addresses = new Float64Array(symbols.length), base = Number(memory.address);
    const { words, step } = table, { pageTable } = plan;
    for (let index = 0; index < symbols.length; index++) {
      const symbol = symbols[index];
      if (symbol < 0) continue;
      const at = symbol * step + VALUE, offset = pageTable.place(words[at], words[at + 1]);
      // Code is in no home, so its place is that of its own version.
      addresses[index] = offset < 0 ? Number(symbolAddress(image, symbol)) : base + offset;
    }
    const functions = { symbols, addresses };
    const others = this.#last.filter((found) => found.memory !== memory);
    this.#last = [...others.slice(-1), { memory, functions }];
    return functions;
  }

  /** Enters the symbols of all slots in a version, which somebody knows. */
  enter({ image }: ModuleVersion, symbols: Int32Array): void {
    this.#known = { image: declarationsOf(image), symbols };
  }

  #symbolsOf(image: KeyedImage, slots: NamedSlots): Int32Array {
    const known = this.#known !== undefined && haveSameKeys(this.#known.image, image)
      ? this.#known.symbols
      : new Int32Array();
    if (known.length === slots.length) return known;
    const symbols = new Int32Array(slots.length);
    symbols.set(known);
    for (let index = known.length; index < symbols.length; index++) {
      const place = placeOfKey(image, slots.nameOf(index));
      symbols[index] = place?.kind === "function" ? place.index : -1;
    }
    this.#known = { image, symbols };
    return symbols;
  }
}
