/**
 * The order of sections in the file, and of those with SHF_LINK_ORDER: they describe others, and lie in the
 * order of those (gABI, "Sections"), so that a reader can search a table of addresses.
 */
import { SectionType } from "../smf/enums.ts";
import { SectionFlag } from "../os/elf.ts";
import type { InputSection, OutputSection } from "./input.ts";

const FILE_ORDER: readonly number[] = [
  SectionType.Code,
  SectionType.RoData,
  SectionType.Data,
  SectionType.Bss,
];

/** Returns output sections in the order of the file: code, read-only data, data, zeroed data. */
export function inFileOrder(outputs: Iterable<OutputSection>): OutputSection[] {
  return [...outputs].sort((a, b) => FILE_ORDER.indexOf(a.type) - FILE_ORDER.indexOf(b.type));
}

/** Returns the section that a section describes; undefined if it has a place of its own. */
function described(section: InputSection): InputSection | undefined {
  const { flags, link } = section.elf;
  return (flags & SectionFlag.LINK_ORDER) === 0 ? undefined : section.object.sections[link];
}

/** Whether an output section has such inputs, so that those they describe must be placed first. */
export function isLinkOrdered({ inputs }: OutputSection): boolean {
  return inputs.some((section) => described(section) !== undefined);
}

/**
 * Sorts the inputs of a section: those that describe others come last, in the order of those.
 *
 * @param outputs All sections in file order.
 */
export function sortByLinkOrder({ inputs }: OutputSection, outputs: readonly OutputSection[]): void {
  const ranks = new Map(outputs.map((output, index) => [output, index]));
  const keys = new Map(inputs.map((section) => {
    const target = described(section);
    const rank = target?.output === undefined ? -1 : ranks.get(target.output) ?? -1;
    return [section, { rank, offset: rank === -1 ? 0 : target!.offset }];
  }));
  inputs.sort((a, b) => {
    const left = keys.get(a)!, right = keys.get(b)!;
    return left.rank - right.rank || left.offset - right.offset;
  });
}
