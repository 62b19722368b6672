/**
 * What relocation must know of a processor.
 */

import { RelocationType } from "../smf/enums.ts";

/** What a relocation type takes and whether it counts from its own place; bits. */
export const Use = {
  /** The address of a GOT slot in place of S. */
  Got: 1,
  /** Minus P. */
  Relative: 2,
  /** The page of the value minus the page of P. */
  Page: 4,
  /** A call by its nature: a PLT stub may stand for what is imported. */
  Call: 8,
  /** A call if the symbol is a function. */
  CallOfFunction: 16,
  /** What the system says of a thread-local variable; not calculated here. */
  ThreadLocal: 32,
  /** The address of a function, in whose place its answer is put once it can run. */
  Resolver: 64,
} as const;

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
  readonly uses: Uint8Array;
  /** The addend of a call, which a stub can stand for. */
  readonly callAddend: number;
  /**
   * Writes a value of 64 bits, in halves, or the part of it that the type
   * takes, at an offset.
   *
   * @param low Unsigned.
   * @param high Signed.
   */
  patch(bytes: DataView, place: number, type: number, low: number, high: number): Patch;
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
  [RelocationType.Indirect64, 8, Use.Resolver],
];

/** The columns of a table. */
export function columns(rows: readonly RelocationRow[]): Pick<RelocationArch, "widths" | "uses"> {
  const widths = new Int8Array(256).fill(-1);
  const uses = new Uint8Array(256);
  for (const [type, width, use] of rows) {
    widths[type] = width;
    uses[type] = use;
  }
  return { widths, uses };
}

/** Whether a value is in [−2³¹, 2³¹). */
export function fitsSigned32(low: number, high: number): boolean {
  return high === (low | 0) >> 31;
}
