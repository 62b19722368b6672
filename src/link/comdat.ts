/**
 * COMDAT groups (gABI, "Section Groups"): of all groups with one signature, the first in the link is kept.
 */
import type { InputSection, LinkObject } from "./input.ts";

/** The groups of a link. */
export class ComdatGroups {
  /** Signatures of groups that are kept, as name numbers or as section names. */
  readonly #signatures: Set<number | string> = new Set();

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
      this.#keepFirst(signature, members);
    }
    // Compilers used these sections before there were groups: the section's name is the signature.
    for (const section of object.sections) {
      if (section !== undefined && section.name.startsWith(".gnu.linkonce.")) {
        this.#keepFirst(section.name, [section]);
      }
    }
  }

  #keepFirst(signature: number | string, members: readonly InputSection[]): void {
    const discarded = this.#signatures.has(signature);
    this.#signatures.add(signature);
    for (const section of members) {
      section.group = members;
      if (discarded) section.discarded = true;
    }
  }
}
