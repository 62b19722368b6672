/**
 * Code that calculates the address of an exported function or of an import loads
 * it from a GOT slot instead, where the loader puts a function's canonical address,
 * and whatever else may be out of the code's reach.
 */
import { RecordSize } from "../os/elf.ts";
import type { LinkArch, RelocationRule } from "./arch/arch.ts";
import { signed64 } from "./elf/bytes.ts";
import type { InputSection } from "./input.ts";

/** Rewrites instructions of one link. */
export class AddressLoads {
  readonly #arch: LinkArch;
  /** The symbols, by section, whose pages are used by an instruction that cannot be rewritten. */
  readonly #fixed: Map<InputSection, ReadonlySet<number>> = new Map();

  constructor(arch: LinkArch) {
    this.#arch = arch;
  }

  /**
   * Rewrites the instruction of a reference to a symbol.
   *
   * @param bytes The output section's.
   * @param at The reference's offset in them.
   * @param place Its offset in its own section.
   * @returns the loader's relocation of the instruction; undefined if it stays as it is.
   */
  rewrite(
    section: InputSection,
    symbol: number,
    rule: RelocationRule,
    bytes: Uint8Array,
    at: number,
    place: number,
    addend: number,
  ): number | undefined {
    // The page of an address is of use with its low bits only: both change, or neither.
    if (rule.use === "page" && this.#fixedOf(section).has(symbol)) return undefined;
    return this.#arch.loadAddress(bytes, at, at - place, addend, rule);
  }

  #fixedOf(section: InputSection): ReadonlySet<number> {
    const known = this.#fixed.get(section);
    if (known !== undefined) return known;
    const fixed = new Set<number>();
    const { object: { elf: { file: { view } } }, elf } = section;
    const bytes = section.bytes().slice();
    for (let index = 0; index < elf.relaCount; index++) {
      const entry = elf.relaOffset + index * RecordSize.RELA;
      const rule = this.#arch.rules.get(view.getUint32(entry + 8, true));
      const addend = signed64(view, entry + 16);
      // A place at a distance from the symbol has a page of its own.
      if (rule?.use !== "page" || addend !== 0) continue;
      const place = Number(view.getBigUint64(entry, true));
      if (this.#arch.loadAddress(bytes, place, 0, addend, rule) === undefined) {
        fixed.add(view.getUint32(entry + 12, true));
      }
    }
    this.#fixed.set(section, fixed);
    return fixed;
  }
}
