/**
 * COMDAT groups (gABI, "Section Groups"): of all groups with one signature, the first in the link is kept.
 */
import type { InputSection, LinkObject } from "./input.ts";
import type { NameTable } from "./names.ts";

const LINK_ONCE = ".gnu.linkonce.";

/** The groups of a link. */
export class ComdatGroups {
  /** Signatures of groups that are kept, as name numbers or as section names. */
  readonly #signatures: Set<number | string> = new Set();
  /** The names that sections of the older kind are for; empty in almost every link. */
  readonly #linkOnce: Set<string> = new Set();
  readonly #names: NameTable;

  constructor(names: NameTable) {
    this.#names = names;
  }

  /** Takes in the groups of an object; discards those whose signature is known. */
  add(object: LinkObject): void {
    const { elf } = object;
    for (const group of elf.groups) {
      const members = group.members.map((index) => object.sections[index]).filter((section) =>
        section !== undefined
      );
      const id = group.symbol === -1 ? -1 : object.globalOf(group.symbol);
      const signature = id !== -1
        ? id
        : group.symbol === -1
        ? elf.sections[group.section].name
        : elf.symbols.name(group.symbol);
      const isKnown = this.#linkOnce.size > 0 &&
        this.#linkOnce.has(id === -1 ? String(signature) : this.#names.text(id));
      this.#keepFirst(signature, members, isKnown);
    }
    // Compilers used these sections before there were groups: `.gnu.linkonce.t.f` has the code of `f`.
    for (const section of object.sections) {
      if (section === undefined || !section.name.startsWith(LINK_ONCE)) continue;
      const name = section.name.slice(section.name.indexOf(".", LINK_ONCE.length) + 1);
      const id = this.#names.find(name);
      this.#keepFirst(section.name, [section], id !== -1 && this.#signatures.has(id));
      if (!section.discarded) this.#linkOnce.add(name);
    }
  }

  #keepFirst(signature: number | string, members: readonly InputSection[], isKnown: boolean): void {
    const discarded = isKnown || this.#signatures.has(signature);
    this.#signatures.add(signature);
    for (const section of members) {
      section.group = members;
      if (discarded) section.discarded = true;
    }
  }
}
