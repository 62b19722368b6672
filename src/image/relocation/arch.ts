/**
 * The description of a processor's relocation types.
 */

import { RelocationType } from "../../smf/enums.ts";

/** The bits of a relocation type: the operands of its formula, and how the value is written. */
export const Use = {
  /** P is subtracted. */
  Relative: 1,
  /** The address of a GOT slot takes the place of S. */
  Got: 2,
  /** Four bytes are calculated and written; the bit is their number. */
  Bytes4: 4,
  /** Eight bytes are calculated and written; the bit is their number. */
  Bytes8: 8,
  /** The four bytes, sign-extended, must be the value. */
  Signed: 16,
  /** The four bytes, zero-extended, must be the value. */
  Unsigned: 32,
  /** The four bytes are an instruction, which {@linkcode RelocationArch.patchInstruction} patches. */
  Instruction: 64,
  /** Only the pages of the value and of P count. */
  Page: 128,
  /** Always a call: a PLT stub may take the place of an imported symbol. */
  Call: 256,
  /** A call if the symbol is a function. */
  CallOfFunction: 512,
  /** A word of a thread-local variable, which the system fills. */
  ThreadLocal: 1024,
  /** The address of an ifunc resolver; the address that it returns is stored instead, once code can run. */
  Ifunc: 2048,
  /** An address in four bytes: one of the image itself is below {@linkcode LOW_END}. */
  Low: 4096,
} as const;

/** Where images with addresses of 32 bits end at the latest, so that both types of them can hold any. */
export const LOW_END = 2 ** 31;

/** All eight bytes of the value. */
export const WORD_64: number = Use.Bytes8;
/** Four bytes of a value in [−2³¹, 2³¹). */
export const SIGNED_32: number = Use.Bytes4 | Use.Signed;
/** Four bytes of a value in [0, 2³²). */
export const UNSIGNED_32: number = Use.Bytes4 | Use.Unsigned;
/** A part of an instruction. */
export const INSTRUCTION: number = Use.Bytes4 | Use.Instruction;

/** The outcome of patching an instruction. */
export const Patch = {
  Done: 0,
  /** The value does not fit. */
  OutOfRange: 1,
  /** The value is not a multiple of the instruction's unit. */
  Misaligned: 2,
  /** The bytes are not an instruction that takes such a value. */
  WrongInstruction: 3,
} as const;
/** The outcome of patching an instruction. */
export type Patch = (typeof Patch)[keyof typeof Patch];

/** The relocation types of one processor. */
export interface RelocationArch {
  /** Bytes that each type patches, by its number; -1 for a type that is unknown. */
  readonly widths: Int8Array;
  /** The {@linkcode Use} of each type, by its number. */
  readonly uses: Uint16Array;
  /** The addend that a call must have to go through a stub. */
  readonly callAddend: number;
  /**
   * Writes those bits of a 64-bit value that the instruction at an offset takes.
   *
   * @param low The value's low half, signed.
   * @param high The value's high half, signed.
   */
  patchInstruction(bytes: DataView, place: number, type: number, low: number, high: number): Patch;
  /**
   * Writes the offset of a thread-local variable from the thread pointer into an
   * instruction, for the types of {@linkcode LOCAL_EXEC}.
   */
  patchStaticOffset(bytes: DataView, place: number, type: number, offset: number): Patch;
  /** The values that a type can hold: from the first, up to but not including the second. */
  range(type: number): readonly [bigint, bigint];
  /** Fills the `size` bytes of a PLT stub that jumps through a GOT slot. The range begins at a page. */
  writeStub(bytes: DataView, place: number, slot: number, size: number): void;
}

/** One row of a processor's table: type, width, bits of {@linkcode Use}. */
export type RelocationRow = readonly [type: number, width: 0 | 4 | 8 | 16, use: number];

/** The types that are alike on all processors: the system or an ifunc resolver supplies the value. */
export const SYSTEM_ROWS: readonly RelocationRow[] = [
  [RelocationType.TlsModule64, 8, Use.ThreadLocal],
  [RelocationType.TlsOffset64, 8, Use.ThreadLocal],
  [RelocationType.TlsStatic64, 8, Use.ThreadLocal],
  [RelocationType.TlsDescriptor, 16, Use.ThreadLocal],
  [RelocationType.Indirect64, 8, WORD_64 | Use.Ifunc],
];

/** The types of local-exec code: an instruction contains the variable's offset from the thread pointer. */
export const LOCAL_EXEC: ReadonlySet<number> = new Set([
  RelocationType.TlsStatic32,
  RelocationType.Arm64TlsStaticHigh12,
  RelocationType.Arm64TlsStaticLow12,
]);

/** Turns the rows of a processor's table into columns. */
export function columns(rows: readonly RelocationRow[]): Pick<RelocationArch, "widths" | "uses"> {
  const widths = new Int8Array(256).fill(-1);
  const uses = new Uint16Array(256);
  for (const [type, width, use] of rows) {
    widths[type] = width;
    uses[type] = use;
  }
  return { widths, uses };
}

/** Whether a value in signed halves is in [−2³¹, 2³¹). */
export function fitsSigned32(low: number, high: number): boolean {
  return high === low >> 31;
}

/** The values of {@linkcode SIGNED_32}: from the first, up to but not including the second. */
export const SIGNED_RANGE: readonly [bigint, bigint] = [-0x8000_0000n, 0x8000_0000n];
/** The values of {@linkcode UNSIGNED_32}: from the first, up to but not including the second. */
export const UNSIGNED_RANGE: readonly [bigint, bigint] = [0n, 0x1_0000_0000n];
