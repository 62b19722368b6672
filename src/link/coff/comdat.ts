/**
 * The COMDAT sections of COFF objects as groups of the input model ("PE Format", "COMDAT Sections"): a section and
 * those that are associated with it stay or go together.
 */
import { SectionFlag } from "../../os/elf.ts";
import type { ComdatGroup } from "../elf/object.ts";
import type { ElfSection } from "../elf/symbols.ts";
import { malformed } from "../problems.ts";
import type { CoffFile } from "./file.ts";
import { CoffClass, CoffFlag, CoffSelection } from "./format.ts";
import type { CoffSymbols } from "./symbols.ts";

/** The rules of the selections that allow several sections of one name; NODUPLICATES has none. */
const RULES: ReadonlyMap<number, ComdatGroup["rule"]> = new Map([
  [CoffSelection.ANY, "any"],
  [CoffSelection.SAME_SIZE, "same size"],
  [CoffSelection.EXACT_MATCH, "same bytes"],
  [CoffSelection.LARGEST, "largest"],
]);

/** Returns the groups; sections that describe one that all objects keep get a link to it. */
export function comdatGroups(
  { sections, file: { name: path } }: CoffFile,
  { comdats }: CoffSymbols,
  model: Int32Array,
  modelSections: ElfSection[],
): ComdatGroup[] {
  const parents = new Map<number, number>();
  for (const { number, name, flags } of sections) {
    if ((flags & CoffFlag.LNK_COMDAT) === 0) continue;
    const comdat = comdats.get(number);
    // Unwind data that `strip` has left without a symbol goes with its code.
    if (comdat === undefined) continue;
    const { selection, parent } = comdat;
    if (selection < CoffSelection.NODUPLICATES || selection > CoffSelection.LARGEST) {
      throw malformed(path, `the COMDAT selection ${selection} is unknown`, { section: name });
    }
    if (selection !== CoffSelection.ASSOCIATIVE) continue;
    if (parent === 0 || parent > sections.length || parent === number) {
      throw malformed(path, "a section is associated with one that does not exist", {
        section: name,
        value: parent,
      });
    }
    parents.set(number, parent);
  }
  const children = Map.groupBy(parents.keys(), rootOf);
  /** Returns the section at the end of a chain of associations. */
  function rootOf(child: number): number {
    let root = child;
    for (let steps = 0, next = parents.get(root); next !== undefined; next = parents.get(root), steps++) {
      if (steps > 1000) {
        throw malformed(path, "sections are associated in a circle", { section: sections[child - 1].name });
      }
      root = next;
    }
    return root;
  }
  const groups: ComdatGroup[] = [];
  for (const { number, flags } of sections) {
    const others = children.get(number) ?? [];
    const isComdat = (flags & CoffFlag.LNK_COMDAT) !== 0 && !parents.has(number);
    const comdat = isComdat ? comdats.get(number) : undefined;
    const rule = comdat === undefined ? undefined : RULES.get(comdat.selection);
    if (rule !== undefined && comdat?.leader?.storage === CoffClass.EXTERNAL) {
      const members = [number, ...others];
      groups.push({ symbol: model[comdat.leader.index], section: number, members, rule });
    } else {
      // Nothing else can replace the section, so the others follow it.
      for (const other of others) {
        const section = modelSections[other];
        if ((section.flags & SectionFlag.ALLOC) === 0) continue;
        const flags = section.flags | SectionFlag.LINK_ORDER;
        modelSections[other] = { ...section, flags, link: number };
      }
    }
  }
  return groups;
}
