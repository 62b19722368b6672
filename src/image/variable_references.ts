/**
 * Finds the references of x86-64 code to variables: relative to the instruction, and through slots of the
 * module's own GOT, from which the code of reloadable modules loads addresses of variables.
 */

import { type CodePiece, forEachReference, type FoundReference } from "./code_references.ts";
import type { PlannedFile } from "./compatibility.ts";
import { RelocationType } from "../smf/enums.ts";
import { GOT_SECTION } from "../smf/homes.ts";

const SLOT_SIZE = 8;

/** The references in the code of one image. */
export class VariableReferences {
  /** The offsets in the range that slots lead to, by the slots' own. */
  readonly #slots: Map<number, number> = new Map();
  #firstSlot = Infinity;
  #lastSlot = -1;

  /** Finds the slots, by the relocations that fill them. */
  constructor({ file: { relocations, symbols }, plan }: PlannedFile) {
    const got = plan.sections.find(({ section }) => section.name === GOT_SECTION);
    if (got === undefined) return;
    const end = got.offset + got.section.virtualSize;
    for (let index = 0; index < relocations.length; index++) {
      if (relocations.type(index) !== RelocationType.Abs64) continue;
      const slot = plan.place(relocations.offset(index), SLOT_SIZE);
      const symbol = relocations.symbol(index);
      if (slot < got.offset || slot >= end || !symbols.isDefined(symbol)) continue;
      const start = plan.place(symbols.value(symbol), 0);
      if (start < 0) continue;
      this.#slots.set(slot, start + Number(relocations.addend(index)));
      this.#firstSlot = Math.min(this.#firstSlot, slot);
      this.#lastSlot = Math.max(this.#lastSlot, slot);
    }
  }

  /** Calls `found` for each reference to an offset from `first` to `end`, both included. */
  forEach(piece: CodePiece, first: number, end: number, found: FoundReference): void {
    forEachReference(piece, first, end, found);
    if (this.#slots.size === 0) return;
    forEachReference(piece, this.#firstSlot, this.#lastSlot, (from, slot) => {
      const target = this.#slots.get(slot);
      if (target !== undefined && target >= first && target <= end) found(from, target);
    });
  }
}
