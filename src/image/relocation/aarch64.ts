/**
 * AArch64 ("ELF for the Arm 64-bit Architecture", AAELF64, section 5.7).
 *
 * ```text
 * value  name                    width  formula                      may be         AAELF64
 * 1      Abs64                   8      S + A                        any            ABS64
 * 2      Pc32                    4      S + A − P                    [−2³¹, 2³¹)    PREL32
 * 3      Plt32                   4      S + A − P, or L              [−2³¹, 2³¹)    PLT32
 * 4      GotPcRel                4      G + A − P                    [−2³¹, 2³¹)    GOTPCREL32
 * 5      Arm64Branch26           4      S + A − P, or L       4·     [−2²⁷, 2²⁷)    CALL26, JUMP26
 * 6      Arm64Page21             4      Page(S + A) − Page(P)        [−2³², 2³²)    ADR_PREL_PG_HI21
 * 7      Arm64PageOff12          4      (S + A) mod 4096      size·  any            ADD_ABS_LO12_NC, LDST*_ABS_LO12_NC
 * 8      Arm64GotLoadPage21      4      Page(G + A) − Page(P)        [−2³², 2³²)    ADR_GOT_PAGE
 * 9      Arm64GotLoadPageOff12   4      (G + A) mod 4096      size·  any            LD64_GOT_LO12_NC
 * 32     Pc64                    8      S + A − P                    any            PREL64
 * 34     Arm64CondBranch19       4      S + A − P, or L       4·     [−2²⁰, 2²⁰)    CONDBR19
 * 35     Arm64TestBranch14       4      S + A − P, or L       4·     [−2¹⁵, 2¹⁵)    TSTBR14
 * 36     Arm64LoadPrel19         4      S + A − P             4·     [−2²⁰, 2²⁰)    LD_PREL_LO19
 * 37     Arm64AdrPrel21          4      S + A − P                    [−2²⁰, 2²⁰)    ADR_PREL_LO21
 * 38–41  Tls…                    8, 16  see thread_locals.ts
 * 42     Indirect64              8      the result of the resolver at S + A        IRELATIVE
 * 49     Arm64TlsStaticHigh12    4      see thread_locals.ts         [0, 2²⁴)      TLSLE_ADD_TPREL_HI12
 * 50     Arm64TlsStaticLow12     4      the same, mod 4096    size·  any           TLSLE_ADD_TPREL_LO12_NC, TLSLE_LDST*_TPREL_LO12_NC
 * ```
 *
 * Page(x) is x without its low 12 bits, whatever the host's page size is. `4·`:
 * both low bits must be 0. `size·`: a multiple of the size that the instruction
 * loads or stores, 1 to 16 bytes; of 1 for ADD and SUB.
 *
 * L, a stub in the PLT, is the veneer of a branch to an imported symbol that is
 * out of reach: AAELF64 reserves x16 and x17 for veneers.
 */

import { RelocationType } from "../../smf/enums.ts";
import {
  columns,
  fitsSigned32,
  INSTRUCTION,
  Patch,
  type RelocationArch,
  SIGNED_32,
  SYSTEM_ROWS,
  Use,
  WORD_64,
} from "./arch.ts";

const BRANCH = INSTRUCTION | Use.Relative | Use.Call;
const PAGES = INSTRUCTION | Use.Relative | Use.Page;

/** AArch64. */
export const AARCH64: RelocationArch = {
  ...columns([
    [RelocationType.None, 0, 0],
    [RelocationType.Abs64, 8, WORD_64],
    [RelocationType.Pc32, 4, SIGNED_32 | Use.Relative],
    [RelocationType.Plt32, 4, SIGNED_32 | Use.Relative | Use.Call],
    [RelocationType.GotPcRel, 4, SIGNED_32 | Use.Got | Use.Relative],
    [RelocationType.Arm64Branch26, 4, BRANCH],
    [RelocationType.Arm64Page21, 4, PAGES],
    [RelocationType.Arm64PageOff12, 4, INSTRUCTION],
    [RelocationType.Arm64GotLoadPage21, 4, Use.Got | PAGES],
    [RelocationType.Arm64GotLoadPageOff12, 4, INSTRUCTION | Use.Got],
    [RelocationType.Pc64, 8, WORD_64 | Use.Relative],
    [RelocationType.Arm64CondBranch19, 4, BRANCH],
    [RelocationType.Arm64TestBranch14, 4, BRANCH],
    [RelocationType.Arm64LoadPrel19, 4, INSTRUCTION | Use.Relative],
    [RelocationType.Arm64AdrPrel21, 4, INSTRUCTION | Use.Relative],
    [RelocationType.Arm64TlsStaticHigh12, 4, Use.ThreadLocal],
    [RelocationType.Arm64TlsStaticLow12, 4, Use.ThreadLocal],
    ...SYSTEM_ROWS,
  ]),
  callAddend: 0,
  patchInstruction(bytes: DataView, place: number, type: number, low: number, high: number): Patch {
    if (place % 4 !== 0) return Patch.WrongInstruction;
    const instruction = bytes.getUint32(place, true);
    const fields = WORD_DISTANCES[type];
    if (fields !== undefined) return patchWords(bytes, place, instruction, fields, low, high);
    switch (type) {
      case RelocationType.Arm64Page21:
      case RelocationType.Arm64GotLoadPage21:
        if ((instruction & 0x9f00_0000) >>> 0 !== ADRP) return Patch.WrongInstruction;
        if (high !== 0 && high !== -1) return Patch.OutOfRange;
        writeAdr(bytes, place, instruction, (low >>> 12) | (high << 20));
        return Patch.Done;
      case RelocationType.Arm64AdrPrel21:
        if ((instruction & 0x9f00_0000) >>> 0 !== ADR) return Patch.WrongInstruction;
        if (!fitsBits(low, high, 21)) return Patch.OutOfRange;
        writeAdr(bytes, place, instruction, low);
        return Patch.Done;
      default:
        return patchPageOffset(bytes, place, instruction, low);
    }
  },
  patchStaticOffset(bytes: DataView, place: number, type: number, offset: number): Patch {
    if (place % 4 !== 0) return Patch.WrongInstruction;
    const instruction = bytes.getUint32(place, true);
    if (type === RelocationType.Arm64TlsStaticLow12) {
      return patchPageOffset(bytes, place, instruction, offset | 0);
    }
    // ADD (immediate), shifted by 12.
    if ((instruction & 0x1fc0_0000) !== 0x1140_0000) return Patch.WrongInstruction;
    if (!(offset >= 0 && offset < 2 ** 24)) return Patch.OutOfRange;
    bytes.setUint32(place, (instruction & ~(0xfff << 10)) | ((offset >>> 12) << 10), true);
    return Patch.Done;
  },
  range(type: number): readonly [bigint, bigint] {
    if (type === RelocationType.Arm64TlsStaticHigh12) return [0n, 1n << 24n];
    const fields = WORD_DISTANCES[type];
    const bits = fields !== undefined ? fields.bits + 2 : RANGE_BITS[type] ?? 32;
    return [-(1n << BigInt(bits - 1)), 1n << BigInt(bits - 1)];
  },
  // adrp x16, Page(slot)
  // ldr x17, [x16, slot mod 4096]
  // br x17
  // udf #0
  writeStub(bytes: DataView, place: number, slot: number, size: number): void {
    // The range begins at a page, so offsets in it tell pages apart as addresses do.
    writeAdr(bytes, place, 0x9000_0010, Math.floor(slot / PAGE) - Math.floor(place / PAGE));
    bytes.setUint32(place + 4, 0xf940_0211 | ((slot % PAGE) / 8) << 10, true);
    bytes.setUint32(place + 8, 0xd61f_0220, true);
    for (let index = 12; index < size; index += 4) bytes.setUint32(place + index, 0, true);
  },
};

const PAGE = 4096;
const ADRP = 0x9000_0000;
const ADR = 0x1000_0000;

/** The bits of types that are neither in {@linkcode WORD_DISTANCES} nor of 32 bits. */
const RANGE_BITS: Readonly<Record<number, number>> = {
  [RelocationType.Arm64Page21]: 33,
  [RelocationType.Arm64GotLoadPage21]: 33,
  [RelocationType.Arm64AdrPrel21]: 21,
};

/** A signed distance in words, as a field of an instruction. */
interface WordDistance {
  readonly bits: number;
  /** The field's lowest bit. */
  readonly low: number;
  /** Whether an instruction is one that has the field. */
  isInstruction(instruction: number): boolean;
}

const WORD_DISTANCES: Readonly<Record<number, WordDistance | undefined>> = {
  // B, BL
  [RelocationType.Arm64Branch26]: {
    bits: 26,
    low: 0,
    isInstruction: (i) => (i & 0x7c00_0000) === 0x1400_0000,
  },
  // B.cond, BC.cond; CBZ, CBNZ
  [RelocationType.Arm64CondBranch19]: {
    bits: 19,
    low: 5,
    isInstruction: (i) => (i & 0xff00_0000) === 0x5400_0000 || (i & 0x7e00_0000) === 0x3400_0000,
  },
  // TBZ, TBNZ
  [RelocationType.Arm64TestBranch14]: {
    bits: 14,
    low: 5,
    isInstruction: (i) => (i & 0x7e00_0000) === 0x3600_0000,
  },
  // LDR, LDRSW, PRFM (literal)
  [RelocationType.Arm64LoadPrel19]: {
    bits: 19,
    low: 5,
    isInstruction: (i) => (i & 0x3b00_0000) === 0x1800_0000,
  },
};

function patchWords(
  bytes: DataView,
  place: number,
  instruction: number,
  { bits, low: shift, isInstruction }: WordDistance,
  low: number,
  high: number,
): Patch {
  if (!isInstruction(instruction)) return Patch.WrongInstruction;
  if (!fitsBits(low, high, bits + 2)) return Patch.OutOfRange;
  if ((low & 3) !== 0) return Patch.Misaligned;
  const mask = ((1 << bits) - 1) << shift;
  bytes.setUint32(place, (instruction & ~mask) | (((low >>> 2) << shift) & mask), true);
  return Patch.Done;
}

/** Whether a value fits into `bits` bits, including the sign. */
function fitsBits(low: number, high: number, bits: number): boolean {
  return fitsSigned32(low, high) && low >> (bits - 1) === low >> 31;
}

/** ADR and ADRP: the low 2 of 21 bits in bits 29 and 30, the rest from bit 5 up. */
function writeAdr(bytes: DataView, place: number, instruction: number, value: number): void {
  const fields = ((value & 3) << 29) | (((value >> 2) & 0x7_ffff) << 5);
  bytes.setUint32(place, (instruction & 0x9f00_001f) | fields, true);
}

/** Bits 10 to 21 of ADD and SUB (immediate), and of loads and stores (unsigned immediate). */
function patchPageOffset(bytes: DataView, place: number, instruction: number, low: number): Patch {
  const scale = offsetScale(instruction);
  if (scale < 0) return Patch.WrongInstruction;
  const offset = low & (PAGE - 1);
  if ((offset & ((1 << scale) - 1)) !== 0) return Patch.Misaligned;
  bytes.setUint32(place, (instruction & ~(0xfff << 10)) | ((offset >> scale) << 10), true);
  return Patch.Done;
}

/** The unit of the offset as a power of two; -1 if the instruction has no such offset. */
function offsetScale(instruction: number): number {
  // ADD, SUB, not shifted.
  if ((instruction & 0x1fc0_0000) === 0x1100_0000) return 0;
  if ((instruction & 0x3b00_0000) !== 0x3900_0000) return -1;
  // A vector register of 128 bits has size 00 and the upper bit of opc set.
  const isQuad = (instruction & 0xc480_0000) === 0x0480_0000;
  return isQuad ? 4 : instruction >>> 30;
}
