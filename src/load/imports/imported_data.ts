/**
 * The words of a linked module that hold the address of an imported variable,
 * and how a reload of the variable's module changes them.
 *
 * | relocation | where | can be changed |
 * |---|---|---|
 * | GotPcRel | the GOT slot | yes |
 * | Abs64 | an aligned word of writable data | yes |
 * | Abs64 | elsewhere, or not aligned | no |
 * | any other | in code | no |
 *
 * Only a word that still holds the old address is changed: the module may have
 * stored another address there.
 */

import { Atomics } from "../../os/intrinsics.ts";
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
interface AddressWord {
  /** Its offset in the range. */
  readonly offset: number;
  readonly addend: bigint;
}

/** The parts of a linked module that its words are found by and changed through. */
export interface LinkedModule {
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
  readonly #module: LinkedModule;
  /** Words in the GOT, which is writable only during a patch. */
  readonly #slots: AddressWord[] = [];
  /** Words in writable data. */
  readonly #data: AddressWord[] = [];

  /** @param symbol The variable's index in the module that imports it. */
  constructor(module: LinkedModule, symbol: number) {
    this.#module = module;
    const { file: { relocations }, plan, needs } = module;
    const slot = needs.gotSlots.length === 0 ? 0 : needs.gotSlots[symbol];
    if (slot !== 0) this.#slots.push({ offset: plan.got + GOT_SLOT_SIZE * (slot - 1), addend: 0n });
    let canFollow = true;
    for (let index = 0; index < relocations.length; index++) {
      if (relocations.symbol(index) !== symbol) continue;
      const type = relocations.type(index);
      if (type === RelocationType.None || type === RelocationType.GotPcRel) continue;
      const offset = plan.place(relocations.offset(index), 8);
      const { data } = plan;
      const isData = offset >= data.offset && offset + 8 <= data.offset + data.length && offset % 8 === 0;
      if (type === RelocationType.Abs64 && isData) {
        this.#data.push({ offset, addend: relocations.addend(index) });
      } else {
        canFollow = false;
      }
    }
    this.canFollow = canFollow;
  }

  /**
   * Prepares to change the address; everything that can fail happens here.
   *
   * @throws {LoadError} `OutOfMemory` if the GOT cannot be made writable.
   */
  prepare(from: bigint, to: bigint): PreparedPatch {
    const { allocator, memory, seal, plan: { gotRegion, data } } = this.#module;
    using preparing = new DisposableStack();
    const patches: (() => void)[] = [];
    const patch = (region: Region, words: readonly AddressWord[]): void => {
      if (words.length === 0) return;
      // The allocator keeps track of views until they are detached.
      const bytes = preparing.adopt(allocator.view(memory, region.offset, region.length), detach);
      for (const { offset, addend } of words) {
        const word = new BigUint64Array(bytes.buffer, bytes.byteOffset + offset - region.offset, 1);
        const old = BigInt.asUintN(64, from + addend);
        const now = BigInt.asUintN(64, to + addend);
        patches.push(() => void Atomics.compareExchange(word, 0, old, now));
      }
    };
    if (this.#slots.length > 0) preparing.use(seal.open());
    patch(gotRegion, this.#slots);
    patch(data, this.#data);
    const prepared = preparing.move();
    return {
      commit(): void {
        for (const apply of patches) apply();
      },
      release: () => prepared.dispose(),
    };
  }
}

/** Keeps the GOT of one module read-only except while it is open. */
export class GotSeal {
  readonly #allocator: MemoryAllocator;
  readonly #memory: ExecutableMemory;
  readonly #region: Region;
  #openings = 0;

  /** @param region The pages of the GOT, which constants may share. */
  constructor(allocator: MemoryAllocator, memory: ExecutableMemory, region: Region) {
    this.#allocator = allocator;
    this.#memory = memory;
    this.#region = region;
  }

  /**
   * Makes the GOT writable, never executable, until the last result is disposed of.
   *
   * @throws {LoadError} `OutOfMemory` if the system refuses.
   */
  open(): Disposable {
    if (this.#openings === 0) this.#protect(Protection.READ_WRITE);
    this.#openings++;
    let isOpen = true;
    return {
      [Symbol.dispose]: (): void => {
        if (!isOpen) return;
        isOpen = false;
        if (--this.#openings > 0) return;
        try {
          this.#protect(Protection.READ_ONLY);
        } catch {
          // The GOT stays writable, never executable; the next opening tries again at its end.
        }
      },
    };
  }

  #protect(protection: Protection): void {
    this.#allocator.protect(this.#memory, protection, this.#region.offset, this.#region.length);
  }
}
