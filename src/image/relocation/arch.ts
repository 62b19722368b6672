/**
 * What relocation must know of a processor.
 */

import { RelocationType } from "../../smf/enums.ts";

/** What a relocation type takes, whether it counts from its own place, and how it is written; bits. */
export const Use = {
  /** Minus P. */
  Relative: 1,
  /** The address of a GOT slot in place of S. */
  Got: 2,
  /** Four bytes are calculated and written; the bit is their number. */
  Bytes4: 4,
  /** All eight bytes are. */
  Bytes8: 8,
  /** Of the four bytes, that they extended by their sign must be the value. */
  Signed: 16,
  /** Of the four bytes, that they extended by zeros must be the value. */
  Unsigned: 32,
  /** Of the four bytes, that they are an instruction; see {@linkcode RelocationArch.patchInstruction}. */
  Instruction: 64,
  /** Of the value and of P only the page. */
  Page: 128,
  /** A call by its nature: a PLT stub may stand for what is imported. */
  Call: 256,
  /** A call if the symbol is a function. */
  CallOfFunction: 512,
  /** What the system says of a thread-local variable; not calculated here. */
  ThreadLocal: 1024,
  /** The address of a function, in whose place its answer is put once it can run. */
  Resolver: 2048,
} as const;

/** All eight bytes of the value. */
export const WORD_64: number = Use.Bytes8;
/** Four bytes of a value in [−2³¹, 2³¹). */
export const SIGNED_32: number = Use.Bytes4 | Use.Signed;
/** Four bytes of a value in [0, 2³²). */
export const UNSIGNED_32: number = Use.Bytes4 | Use.Unsigned;
/** A part of an instruction. */
export const INSTRUCTION: number = Use.Bytes4 | Use.Instruction;

/** What became of a value that was to be written. */
export const Patch = {
  Done: 0,
  /** It does not fit. */
  OutOfRange: 1,
  /** It is not a multiple of what the instruction counts in. */
  Misaligned: 2,
  /** There is no instruction that takes such a value. */
  WrongInstruction: 3,
} as const;
/** What became of a value that was to be written. */
export type Patch = (typeof Patch)[keyof typeof Patch];

/** The relocation types of one processor. */
export interface RelocationArch {
  /** Bytes that each type patches, by its number; -1 for a type that is unknown. */
  readonly widths: Int8Array;
  /** Bits of {@linkcode Use} of each type. */
  readonly uses: Uint16Array;
  /** The addend of a call, which a stub can stand for. */
  readonly callAddend: number;
  /**
   * Writes the part of a value of 64 bits that an instruction at an offset takes.
   *
   * @param low Its low half, signed.
   * @param high Its high half, signed.
   */
  patchInstruction(bytes: DataView, place: number, type: number, low: number, high: number): Patch;
  /** The values that a type takes: from the first, up to but not including the second. */
  range(type: number): readonly [bigint, bigint];
  /** Fills the `size` bytes of a PLT stub that jumps through a GOT slot. The range begins at a page. */
  writeStub(bytes: DataView, place: number, slot: number, size: number): void;
}

/** One row of a processor's table: type, width, bits of {@linkcode Use}. */
export type RelocationRow = readonly [type: number, width: 0 | 4 | 8 | 16, use: number];

/** The types that are alike on all processors: what is written is not calculated, but asked for. */
export const SYSTEM_ROWS: readonly RelocationRow[] = [
  [RelocationType.TlsModule64, 8, Use.ThreadLocal],
  [RelocationType.TlsOffset64, 8, Use.ThreadLocal],
  [RelocationType.TlsStatic64, 8, Use.ThreadLocal],
  [RelocationType.TlsDescriptor, 16, Use.ThreadLocal],
  [RelocationType.Indirect64, 8, WORD_64 | Use.Resolver],
];

/** The columns of a table. */
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

/** The values that fit into {@linkcode SIGNED_32}: from the first, up to but not including the second. */
export const SIGNED_RANGE: readonly [bigint, bigint] = [-0x8000_0000n, 0x8000_0000n];
/** Those that fit into {@linkcode UNSIGNED_32}. */
export const UNSIGNED_RANGE: readonly [bigint, bigint] = [0n, 0x1_0000_0000n];
