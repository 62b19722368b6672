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
import { Atomics } from "../os/intrinsics.ts";
import type { MemoryAllocator } from "../os/memory/allocator.ts";
import { RelocationType } from "../smf/enums.ts";

const SLOT_SIZE = 8;

/** Whether a relocation at an offset in the file's image fills a slot that only calls read. */
export function isCallSlot({ entries }: Pick<LoadedImage, "entries">, offset: number): boolean {
  if (entries === undefined) return false;
  const { start, end } = entries.callSlots;
  return offset >= start && offset < end && (offset - start) % SLOT_SIZE === 0;
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
  /** The keys of the functions. */
  readonly keys: readonly string[];
  readonly #image: LoadedImage;
  /** The offsets of the slots in the image, in the order of the keys. */
  readonly #places: readonly number[];

  constructor(image: LoadedImage) {
    this.#image = image;
    const keys: string[] = [], places: number[] = [];
    this.keys = keys;
    this.#places = places;
    if (image.entries === undefined || image.callsTrampolines) return;
    const functions = new SwitchedFunctions(image), { file: { relocations }, plan } = image;
    for (let index = 0; index < relocations.length; index++) {
      const offset = relocations.offset(index);
      if (!isCallSlot(image, offset) || relocations.type(index) !== RelocationType.Abs64) continue;
      const symbol = relocations.symbol(index);
      if (!functions.has(symbol)) continue;
      keys.push(functions.key(symbol));
      places.push(plan.place(offset, SLOT_SIZE));
    }
  }

  /**
   * Gets ready to lead the slots elsewhere; everything that can fail happens here.
   *
   * @param addresses The addresses of trampolines, in the order of the keys.
   * @throws {LoadError} `OutOfMemory` if the system does not let the slots be changed.
   */
  prepare(allocator: MemoryAllocator, addresses: readonly bigint[]): PreparedCalls {
    const image = this.#image, places = this.#places, { memory, pageSize, plan } = image;
    if (places.length === 0) return { commit() {}, release() {} };
    const { start, end } = image.entries!.callSlots;
    const first = plan.place(start, SLOT_SIZE), offset = first - first % pageSize;
    const region = { offset, length: alignUp(first + end - start, pageSize) - offset };
    using opening = new DisposableStack();
    opening.use(openConstants(allocator, memory, region));
    const { buffer } = allocator.view(memory, region.offset, region.length);
    const words = new BigUint64Array(buffer), open = opening.move();
    return {
      commit() {
        // A thread that calls meanwhile reads whole addresses.
        places.forEach((at, index) => Atomics.store(words, (at - offset) / SLOT_SIZE, addresses[index]));
        image.callsTrampolines = true;
      },
      release: () => open.dispose(),
    };
  }
}
