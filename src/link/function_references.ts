/**
 * References to functions from the code and data of a link: which are calls, and where they lead.
 */
import { RecordSize } from "../os/elf.ts";
import type { LinkArch, RelocationRule } from "./arch/arch.ts";
import { CRT_OBJECT_NAME } from "./crt_object.ts";
import { isFrameSection } from "./eh_frame.ts";
import { signed64 } from "./elf/bytes.ts";
import type { InputSection } from "./input.ts";
import { startupArray } from "./startup_order.ts";

/** A reference to a function, by its place and its symbol. */
export interface Reference {
  readonly section: InputSection;
  readonly symbol: number;
  /** The name number; -1 for a local symbol. */
  readonly id: number;
  readonly rule: RelocationRule;
  readonly addend: number;
  /** The offset in the section. */
  readonly place: number;
}

/** Lists the references of sections that may lead to functions. */
export function* functionReferences(
  sections: readonly InputSection[],
  arch: LinkArch,
): Generator<Reference> {
  for (const section of sections) {
    if (isUnseen(section)) continue;
    const { object, elf } = section;
    const { view } = object.elf.file;
    for (let index = 0; index < elf.relaCount; index++) {
      const at = elf.relaOffset + index * RecordSize.RELA;
      const rule = arch.rules.get(view.getUint32(at + 8, true));
      if (rule === undefined || rule.slot !== undefined || rule.use === "none") continue;
      const symbol = view.getUint32(at + 12, true), id = object.globalOf(symbol);
      if (id === -1 && object.sectionOf(symbol)?.isCode !== true) continue;
      const place = view.getUint32(at, true);
      yield { section, symbol, id, rule, addend: signed64(view, at + 16), place };
    }
  }
}

/** Whether nobody sees the addresses in a section: unwind tables, and arrays that the loader enters itself. */
export function isUnseen(section: InputSection): boolean {
  return isFrameSection(section) || startupArray(section.name) !== undefined ||
    section.object.name === CRT_OBJECT_NAME;
}

/** Whether a reference calls or jumps: directly, or through the GOT. */
export function isCall({ section, rule, addend, place }: Reference, arch: LinkArch): boolean {
  if (rule.use === "branch" || rule.got === "stub") return true;
  if (!section.isCode || place < 1) return false;
  const bytes = section.bytes();
  return arch.isBranch(bytes, place, rule) ||
    rule.use === "got" && place >= 2 && addend === arch.callAddend &&
      arch.isIndirectBranch(bytes, place, rule);
}

/** Returns the section and the offset at which a reference to a local symbol leads. */
export function targetOf(
  { section, symbol, rule, addend }: Reference,
  arch: LinkArch,
): { target: InputSection | undefined; offset: number } {
  const { object } = section;
  // Distances in code count from the end of the instruction.
  const bias = arch.hasBiasedAddends && section.isCode && rule.use !== "absolute" ? arch.callAddend : 0;
  return { target: object.sectionOf(symbol), offset: object.elf.symbols.value(symbol) + addend - bias };
}
