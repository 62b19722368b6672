/**
 * COMDAT groups of debug information (`-fdebug-types-section`, `-g3`): of equal groups the first is kept, and
 * references to the others lead there.
 */
import { SectionFlag } from "../os/elf.ts";
import type { ElfSection } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";

/** The groups of a link; `Kept` is what is known of a section that is kept. */
export class DebugGroups<Kept> {
  readonly #signatures: Set<string> = new Set();
  readonly #kept: Map<string, Kept> = new Map();
  /** The groups of the object that was added last: by section, its group's signature. */
  #current: Map<number, string> = new Map();

  /** Takes in the groups of an object; returns the sections that are left out, each with the key of its twin. */
  add(object: LinkObject): Map<number, string> {
    const { groups, sections, symbols } = object.elf;
    const dropped = new Map<number, string>();
    this.#current = new Map();
    for (const { symbol, section, members } of groups) {
      const signature = symbol === -1 ? sections[section].name : symbols.name(symbol);
      // A group with code is dropped as the link has decided.
      const code = members.find((index) => object.sections[index] !== undefined);
      const isDropped = code === undefined
        ? this.#signatures.has(signature)
        : object.sections[code]!.discarded;
      this.#signatures.add(signature);
      for (const index of members) {
        const elf = sections[index];
        if ((elf.flags & SectionFlag.ALLOC) !== 0) continue;
        if (isDropped) dropped.set(index, keyOf(signature, elf));
        else this.#current.set(index, signature);
      }
    }
    return dropped;
  }

  /** Keeps a section of the object that was added last, if it belongs to a group. */
  keep(elf: ElfSection, kept: Kept): void {
    const signature = this.#current.get(elf.index);
    if (signature !== undefined) this.#kept.set(keyOf(signature, elf), kept);
  }

  /** Returns the section that is kept instead of one that is left out. */
  kept(key: string): Kept | undefined {
    return this.#kept.get(key);
  }
}

/** Equal only for sections that have the same offsets in them. */
function keyOf(signature: string, { name, size }: ElfSection): string {
  return `${signature}\0${name}\0${size}`;
}
