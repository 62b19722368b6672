/**
 * The slots through which a hot module calls its own functions.
 *
 * As long as a version is the current one its calls lead to its own code, as they do in any module: no trampoline is
 * needed, and none is on the way. Before another version takes over they are led to trampolines, for good. Those
 * still lead to the same code then, so it does not matter in which order threads see the slots change; all calls
 * switch at once when the trampolines do.
 */

import { alignUp } from "../smf/offsets.ts";
import type { LoadedImage } from "../load/image.ts";
import { SwitchedFunctions } from "./function_keys.ts";
import { openConstants } from "./open_constants.ts";
import { SharedWords } from "../os/address_words.ts";
import type { MemoryAllocator } from "../os/memory/allocator.ts";
import type { Entries } from "../smf/entries.ts";
import { RelocationType } from "../smf/enums.ts";
import { RELOCATION_WORDS } from "../smf/reloc.ts";

const SLOT_SIZE = 8;
const NO_SLOTS = { start: 0, end: 0 } as const;
const { offset: OFFSET, symbol: SYMBOL, type: TYPE, step: STEP } = RELOCATION_WORDS;

/** Whether a relocation at an offset in the file's image fills a slot that only calls read. */
export function isCallSlot({ entries }: Pick<LoadedImage, "entries">, offset: number): boolean {
  return entries !== undefined && isSlot(entries.callSlots, offset);
}

function isSlot({ start, end }: Entries["callSlots"], offset: number): boolean {
  // The remainder of a number that is no small integer would be a call.
  return offset >= start && offset < end && ((offset - start) & (SLOT_SIZE - 1)) === 0;
}

/** Slots ready to be led to trampolines. */
export interface PreparedCalls {
  /** Leads them there. Cannot fail. */
  commit(): void;
  /** Protects them again. */
  release(): void;
}

/** The slots of one version that lead to its own code. */
export class CallSlots {
  /** The symbols of the functions. */
  readonly symbols: Int32Array;
  readonly #image: LoadedImage;
  readonly #functions: SwitchedFunctions;
  /** The offsets of the slots in the image, in the order of the symbols. */
  readonly #places: Int32Array;

  constructor(image: LoadedImage) {
    this.#image = image;
    const functions = this.#functions = new SwitchedFunctions(image);
    const { entries, file: { relocations: { words } }, plan } = image;
    const isDone = entries === undefined || image.callsTrampolines;
    const slots = isDone ? NO_SLOTS : entries.callSlots, { start, end } = slots;
    const symbols = new Int32Array((end - start) / SLOT_SIZE), places = new Int32Array(symbols.length);
    // They lie in one section of constants.
    const distance = symbols.length === 0 ? 0 : plan.place(start, SLOT_SIZE) - start;
    let count = 0;
    for (let at = 0; count < symbols.length && at < words.length; at += STEP) {
      const offset = words[at + OFFSET + 1] * 2 ** 32 + words[at + OFFSET];
      if (!isSlot(slots, offset)) continue;
      const symbol = words[at + SYMBOL];
      if ((words[at + TYPE] & 0xff) !== RelocationType.Abs64 || !functions.has(symbol)) continue;
      symbols[count] = symbol;
      places[count++] = offset + distance;
    }
    this.symbols = symbols.subarray(0, count);
    this.#places = places.subarray(0, count);
  }

  /** The key of one of the functions. */
  key(symbol: number): string {
    return this.#functions.key(symbol);
  }

  /**
   * Gets ready to lead the slots elsewhere; everything that can fail happens here.
   *
   * @param addresses The addresses of trampolines, in the order of the symbols.
   * @throws {LoadError} `OutOfMemory` if the system does not let the slots be changed.
   */
  prepare(allocator: MemoryAllocator, addresses: Float64Array): PreparedCalls {
    const image = this.#image, places = this.#places, { memory, pageSize, plan } = image;
    if (places.length === 0) return { commit() {}, release() {} };
    const { start, end } = image.entries!.callSlots;
    const first = plan.place(start, SLOT_SIZE), offset = first - first % pageSize;
    const region = { offset, length: alignUp(first + end - start, pageSize) - offset };
    using opening = new DisposableStack();
    opening.use(openConstants(allocator, memory, region));
    const { buffer } = allocator.view(memory, region.offset, region.length);
    const words = new SharedWords(new BigUint64Array(buffer)), open = opening.move();
    return {
      commit() {
        for (let index = 0; index < places.length; index++) {
          words.store((places[index] - offset) / SLOT_SIZE, addresses[index]);
        }
        image.callsTrampolines = true;
      },
      release: () => open.dispose(),
    };
  }
}
