/**
 * Where a linked module holds the address of a variable that it imports, and
 * how that becomes the address of the same variable in another version.
 *
 * | relocation | where | can follow |
 * |---|---|---|
 * | GotPcRel | the GOT slot | yes |
 * | Abs64 | an aligned word of writable data | yes |
 * | Abs64 | elsewhere, or not aligned | no |
 * | any other | in code | no |
 *
 * Only a word that still holds the old address is changed: the module may have
 * stored another one there.
 */

import { GOT_SLOT_SIZE, type Region } from "../../image/arrange.ts";
import type { ImagePlan } from "../../image/plan.ts";
import type { DataReferences, PreparedPatch } from "./resolve.ts";
import {
  detach,
  type ExecutableMemory,
  type MemoryAllocator,
  Protection,
} from "../../os/memory/allocator.ts";
import type { RelocationNeeds } from "../../image/relocation/scan.ts";
import { RelocationType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";

/** A word that holds S + A. */
interface Place {
  /** In the range. */
  readonly offset: number;
  readonly addend: bigint;
}

/** What a module in memory is made of, as far as its words are concerned. */
export interface LinkedWords {
  readonly allocator: MemoryAllocator;
  readonly memory: ExecutableMemory;
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly needs: RelocationNeeds;
  readonly seal: GotSeal;
}

/** The words of one module that hold the address of one imported variable. */
export class ImportedData implements DataReferences {
  readonly canFollow: boolean;
  readonly #words: LinkedWords;
  /** In the GOT, which is read-only but for the moment of a patch. */
  readonly #slots: Place[] = [];
  /** In writable data. */
  readonly #variables: Place[] = [];

  /** @param symbol Its index in the module that imports it. */
  constructor(words: LinkedWords, symbol: number) {
    this.#words = words;
    const { file: { relocations }, plan, needs } = words;
    const slot = needs.gotSlots.length === 0 ? 0 : needs.gotSlots[symbol];
    if (slot !== 0) this.#slots.push({ offset: plan.got + GOT_SLOT_SIZE * (slot - 1), addend: 0n });
    let canFollow = true;
    for (let index = 0; index < relocations.length; index++) {
      if (relocations.symbol(index) !== symbol) continue;
      const type = relocations.type(index);
      if (type === RelocationType.None || type === RelocationType.GotPcRel) continue;
      const offset = plan.place(relocations.offset(index), 8);
      const { data } = plan;
      const isVariable = offset >= data.offset && offset + 8 <= data.offset + data.length && offset % 8 === 0;
      if (type === RelocationType.Abs64 && isVariable) {
        this.#variables.push({ offset, addend: relocations.addend(index) });
      } else {
        canFollow = false;
      }
    }
    this.canFollow = canFollow;
  }

  /**
   * Gets ready to change the address; everything that can fail happens here.
   *
   * @throws {LoadError} `OutOfMemory` if the GOT cannot be made writable.
   */
  prepare(from: bigint, to: bigint): PreparedPatch {
    const { allocator, memory, seal, plan: { gotRegion, data } } = this.#words;
    const patches: (() => void)[] = [];
    const views: Uint8Array<ArrayBuffer>[] = [];
    const patch = (region: { offset: number; length: number }, places: readonly Place[]): void => {
      if (places.length === 0) return;
      const bytes = allocator.view(memory, region.offset, region.length);
      views.push(bytes);
      for (const { offset, addend } of places) {
        const word = new BigUint64Array(bytes.buffer, bytes.byteOffset + offset - region.offset, 1);
        const old = BigInt.asUintN(64, from + addend);
        const now = BigInt.asUintN(64, to + addend);
        patches.push(() => void Atomics.compareExchange(word, 0, old, now));
      }
    };
    const unsealed = this.#slots.length === 0 ? undefined : seal.open();
    const release = (): void => {
      // The allocator keeps views in mind until they end.
      views.forEach(detach);
      unsealed?.[Symbol.dispose]();
    };
    try {
      patch(gotRegion, this.#slots);
      patch(data, this.#variables);
    } catch (error) {
      release();
      throw error;
    }
    return {
      commit(): void {
        for (const apply of patches) apply();
      },
      release,
    };
  }
}

/** The GOT of one module: read-only but while somebody has it open. */
export class GotSeal {
  readonly #allocator: MemoryAllocator;
  readonly #memory: ExecutableMemory;
  readonly #region: Region;
  #open = 0;

  /** @param region The pages of the GOT, which constants may share. */
  constructor(allocator: MemoryAllocator, memory: ExecutableMemory, region: Region) {
    this.#allocator = allocator;
    this.#memory = memory;
    this.#region = region;
  }

  /**
   * Makes it writable, never executable, until the last result is disposed.
   *
   * @throws {LoadError} `OutOfMemory` if the system refuses.
   */
  open(): Disposable {
    if (this.#open === 0) this.#protect(Protection.READ_WRITE);
    this.#open++;
    let held = true;
    return {
      [Symbol.dispose]: (): void => {
        if (!held) return;
        held = false;
        if (--this.#open > 0) return;
        try {
          this.#protect(Protection.READ_ONLY);
        } catch {
          // It stays writable, never executable; the next time tries again.
        }
      },
    };
  }

  #protect(protection: Protection): void {
    this.#allocator.protect(this.#memory, protection, this.#region.offset, this.#region.length);
  }
}
