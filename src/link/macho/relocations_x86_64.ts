/**
 * Translates the relocations of Mach-O objects for x86-64 (`mach-o/x86_64/reloc.h`) to types of the psABI.
 *
 * | Mach-O | becomes |
 * |---|---|
 * | `UNSIGNED` | an address |
 * | `SIGNED` to `SIGNED_4` | a distance |
 * | `BRANCH` | a branch |
 * | `GOT_LOAD`, `GOT` | the distance to a GOT slot |
 * | `TLV` | the distance to a GOT slot that holds the address of the variable's descriptor |
 */
import { exact64 } from "../elf/bytes.ts";
import type { MachFile } from "./file.ts";
import { X86Relocation } from "./format.ts";
import { labelAt, type Relocation, type Translation } from "./relocation_record.ts";
import { isCodeSection } from "./sections.ts";

/** The types of the x86-64 psABI that mean the same. */
const [ADDRESS, DISTANCE, BRANCH, SLOT, ADDRESS32, SHORT, CALLED_SLOT, LOADED_SLOT] = [
  1,
  2,
  4,
  9,
  10,
  15,
  41,
  42,
];

/** The bytes of immediate operands behind the place, by type. */
const BEHIND: Readonly<Record<number, number>> = {
  [X86Relocation.SIGNED]: 0,
  [X86Relocation.SIGNED_1]: 1,
  [X86Relocation.SIGNED_2]: 2,
  [X86Relocation.SIGNED_4]: 4,
};

/** Translates one record; undefined if its form is not one of these. */
export function translateX86({ file: { view } }: MachFile, relocation: Relocation): Translation | undefined {
  const { type, at, place, width, isRelative, symbol, base, section } = relocation;
  if (type === X86Relocation.UNSIGNED) {
    if (isRelative || width < 4) return undefined;
    const stored = width === 4 ? view.getInt32(at, true) : exact64(view, at);
    const elf = width === 4 ? ADDRESS32 : ADDRESS;
    if (symbol !== undefined) return { type: elf, target: symbol, addend: stored };
    if (typeof stored === "bigint") return undefined;
    const [target, addend] = labelAt(base!, stored);
    return { type: elf, target, addend };
  }
  if (!isRelative) return undefined;
  if (type === X86Relocation.BRANCH && width === 1) {
    const stored = view.getInt8(at);
    if (symbol !== undefined) return { type: SHORT, target: symbol, addend: stored - 1 };
    const [target, addend] = labelAt(base!, section.address + place + 1 + stored);
    return { type: SHORT, target, addend: addend - 1 };
  }
  if (width !== 4) return undefined;
  const stored = view.getInt32(at, true);
  const behind = BEHIND[type];
  if (behind !== undefined || type === X86Relocation.BRANCH) {
    const elf = type === X86Relocation.BRANCH ? BRANCH : DISTANCE;
    if (symbol !== undefined) return { type: elf, target: symbol, addend: stored - 4 };
    const count = 4 + (behind ?? 0);
    const [target, addend] = labelAt(base!, section.address + place + count + stored);
    return { type: elf, target, addend: addend - count };
  }
  if (symbol === undefined) return undefined;
  const isLoad = type === X86Relocation.GOT_LOAD || type === X86Relocation.TLV;
  if (!isLoad && type !== X86Relocation.GOT) return undefined;
  // Only instructions can do without the slot.
  const elf = !isCodeSection(section) ? SLOT : isLoad ? LOADED_SLOT : CALLED_SLOT;
  return { type: elf, target: symbol, addend: stored - 4 };
}
