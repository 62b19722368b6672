/**
 * Translates the relocations of Mach-O objects for AArch64 (`mach-o/arm64/reloc.h`) to types of the ELF ABI.
 *
 * | Mach-O | becomes |
 * |---|---|
 * | `UNSIGNED` | an address |
 * | `BRANCH26` | a branch |
 * | `PAGE21`, `PAGEOFF12` | a page, an offset in it; the instruction tells the units of the offset |
 * | `GOT_LOAD_PAGE21`, `GOT_LOAD_PAGEOFF12` | the page of a GOT slot, the offset in it |
 * | `TLVP_LOAD_PAGE21`, `TLVP_LOAD_PAGEOFF12` | the same for a slot with the address of the variable's descriptor |
 * | `POINTER_TO_GOT` | the distance to a GOT slot |
 */
import { exact64 } from "../elf/bytes.ts";
import type { MachFile } from "./file.ts";
import { ArmRelocation } from "./format.ts";
import { labelAt, type Relocation, type Translation } from "./relocation_record.ts";

/** R_AARCH64_ABS64, ADR_PREL_PG_HI21, ADD_ABS_LO12_NC, CALL26, ADR_GOT_PAGE, LD64_GOT_LO12_NC, GOTPCREL32. */
const [ADDRESS, PAGE, LOW12, BRANCH, SLOT_PAGE, SLOT_LOW12, TO_SLOT] = [257, 275, 277, 283, 311, 312, 315];
/** LDST8_ABS_LO12_NC to LDST128_ABS_LO12_NC. */
const LOADS_LOW12 = [278, 284, 285, 286, 299];

/** The type for the low 12 bits of an address in an instruction. */
function low12Type(word: number): number {
  if ((word & 0x3b00_0000) !== 0x3900_0000) return LOW12;
  // Bit 26 tells vector registers, of which those of 128 bits have size 0 and bit 23.
  const isWide = (word & 0x0480_0000) === 0x0480_0000;
  return LOADS_LOW12[isWide ? 4 : word >>> 30];
}

/** The types whose only difference is what they patch. */
const PLAIN: Readonly<Record<number, readonly [type: number, isRelative: boolean]>> = {
  [ArmRelocation.BRANCH26]: [BRANCH, true],
  [ArmRelocation.PAGE21]: [PAGE, true],
  [ArmRelocation.GOT_LOAD_PAGE21]: [SLOT_PAGE, true],
  [ArmRelocation.GOT_LOAD_PAGEOFF12]: [SLOT_LOW12, false],
  [ArmRelocation.TLVP_LOAD_PAGE21]: [SLOT_PAGE, true],
  [ArmRelocation.TLVP_LOAD_PAGEOFF12]: [SLOT_LOW12, false],
};

/**
 * Translates one record; undefined if its form is not one of these.
 *
 * @param given The addend of the record in front of it.
 */
export function translateArm(
  { file: { view } }: MachFile,
  { type, at, width, isRelative, symbol, base }: Relocation,
  given: number | undefined,
): Translation | undefined {
  if (type === ArmRelocation.UNSIGNED) {
    if (isRelative || width !== 8 || given !== undefined) return undefined;
    const stored = exact64(view, at);
    if (symbol !== undefined) return { type: ADDRESS, target: symbol, addend: stored };
    if (typeof stored === "bigint") return undefined;
    const [target, addend] = labelAt(base!, stored);
    return { type: ADDRESS, target, addend };
  }
  if (symbol === undefined || width !== 4) return undefined;
  if (type === ArmRelocation.POINTER_TO_GOT) {
    // Assemblers leave the distance from the start of the section in the place, which means nothing.
    return isRelative ? { type: TO_SLOT, target: symbol, addend: 0 } : undefined;
  }
  const addend = given ?? 0;
  if (type === ArmRelocation.PAGEOFF12) {
    return isRelative ? undefined : { type: low12Type(view.getUint32(at, true)), target: symbol, addend };
  }
  const plain = PLAIN[type];
  return plain?.[1] === isRelative ? { type: plain[0], target: symbol, addend } : undefined;
}
