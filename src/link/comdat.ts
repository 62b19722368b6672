/**
 * COMDAT groups (gABI, "Section Groups"; PE Format, "COMDAT Sections"): of all groups with one signature, the first in
 * the link is kept, or the largest.
 */
import { LoadError } from "../errors/load_error.ts";
import { SectionType } from "../os/elf.ts";
import { equalBytes } from "../smf/equal.ts";
import type { ComdatGroup } from "./elf/object.ts";
import type { InputSection, LinkObject } from "./input.ts";
import type { NameTable } from "./names.ts";
import type { Problems } from "./problems.ts";

const LINK_ONCE = ".gnu.linkonce.";

/** The groups of a link. */
export class ComdatGroups {
  /** Signatures of groups that are kept, as name numbers or as section names. */
  readonly #signatures: Set<number | string> = new Set();
  /** The names that sections of the older kind are for; empty in almost every link. */
  readonly #linkOnce: Set<string> = new Set();
  /** The groups that are kept and have a rule, by signature. */
  readonly #ruled: Map<number | string, RuledGroup> = new Map();
  readonly #names: NameTable;
  readonly #problems: Problems;

  constructor(names: NameTable, problems: Problems) {
    this.#names = names;
    this.#problems = problems;
  }

  /**
   * Takes in the groups of an object; discards those whose signature is known.
   *
   * @returns sections of earlier objects that are discarded now, in favour of larger ones.
   */
  add(object: LinkObject): InputSection[] {
    const { elf } = object;
    const dropped: InputSection[] = [];
    for (const group of elf.groups) {
      const members = allocated(object, group.members);
      const id = group.symbol === -1 ? -1 : object.globalOf(group.symbol);
      const signature = id !== -1
        ? id
        : group.symbol === -1
        ? elf.sections[group.section].name
        : elf.symbols.name(group.symbol);
      const isKnown = this.#linkOnce.size > 0 &&
        this.#linkOnce.has(id === -1 ? String(signature) : this.#names.text(id));
      if (group.rule !== undefined) {
        const [first] = members;
        if (first === undefined) continue;
        const ruled = { rule: group.rule, first, members };
        if (this.#replaces(signature, ruled, dropped)) continue;
      }
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
    return dropped;
  }

  /** Compares a group with the kept one of its signature; whether it took that one's place. */
  #replaces(signature: number | string, group: RuledGroup, dropped: InputSection[]): boolean {
    const kept = this.#ruled.get(signature);
    if (kept === undefined) {
      if (!this.#signatures.has(signature)) this.#ruled.set(signature, group);
      return false;
    }
    const { first, members } = group;
    const rule = kept.rule === "largest" || group.rule === "largest" ? "largest" : kept.rule;
    if (rule === "largest") {
      if (first.elf.size <= kept.first.elf.size) return false;
      for (const section of kept.members) section.discarded = true;
      dropped.push(...kept.members);
      for (const section of members) section.group = members;
      this.#ruled.set(signature, { ...group, rule });
      return true;
    }
    const isEqual = rule === "any" || first.elf.size === kept.first.elf.size &&
        (rule === "same size" || equalContents(first, kept.first));
    if (!isEqual) this.#problems.add(unequal(this.#textOf(signature), group, kept, rule));
    return false;
  }

  #textOf(signature: number | string): string {
    return typeof signature === "number" ? this.#names.text(signature) : signature;
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

/** The allocated sections of a group, in a list without room for more. */
function allocated({ sections }: LinkObject, members: readonly number[]): InputSection[] {
  let count = 0;
  for (const index of members) if (sections[index] !== undefined) count++;
  const list = new Array<InputSection>(count);
  let next = 0;
  for (const index of members) if (sections[index] !== undefined) list[next++] = sections[index];
  return list;
}

/** A group with a rule. */
interface RuledGroup {
  readonly rule: NonNullable<ComdatGroup["rule"]>;
  /** The section that the rule is about. */
  readonly first: InputSection;
  readonly members: readonly InputSection[];
}

/** Whether two sections of one size begin with the same bytes in memory; those without bytes in the file are zeroed. */
function equalContents(a: InputSection, b: InputSection): boolean {
  const isZeroed = ({ elf: { type } }: InputSection) => type === SectionType.NOBITS;
  if (!isZeroed(a) && !isZeroed(b)) return equalBytes(a.bytes(), b.bytes());
  return [a, b].every((section) => isZeroed(section) || section.bytes().every((byte) => byte === 0));
}

function unequal(symbol: string, { first }: RuledGroup, kept: RuledGroup, rule: string): LoadError {
  const problem = `'${kept.first.object.name}' defines it with other ${
    rule === "same size" ? "size" : "bytes"
  }`;
  return new LoadError("Incompatible", `Cannot define '${symbol}': ${problem}`, {
    path: first.object.name,
    symbol,
    section: first.name,
    hint: "compile both objects from the same declarations, or leave one of them out",
  });
}
