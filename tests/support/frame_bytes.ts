// Unwind tables made by hand.

/** The parts of a CIE; a test can replace each by a broken one. */
export interface CieParts {
  readonly version?: number;
  readonly augmentation?: string;
  /** The alignments of code and data, and the return register. */
  readonly numbers?: readonly number[];
  /** The augmentation data, after its length. */
  readonly data?: readonly number[];
}

function record(content: readonly number[]): number[] {
  const padded = [...content];
  while (padded.length % 4 !== 0) padded.push(0); // DW_CFA_nop
  return [...uint32(padded.length), ...padded];
}

export function uint32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
}

/** A CIE whose FDEs hold 32-bit distances. */
export function cie(
  { version = 1, augmentation = "zR", numbers = [1, 0x78, 16], data = [1, 0x1b] }: CieParts = {},
): number[] {
  const letters = [...augmentation].map((letter) => letter.charCodeAt(0));
  return record([...uint32(0), version, ...letters, 0, ...numbers, ...data]);
}

/** An FDE `at` bytes after the start of its CIE; `distance` leads from the field itself to its function. */
export function fde(at: number, distance: number, size: number, data: readonly number[] = [0]): number[] {
  return record([...uint32(at + 4), ...uint32(distance), ...uint32(size), ...data]);
}

/** The offset of the function's address in an FDE. */
export const FDE_FUNCTION = 8;

/** The terminator of a table. */
export const END: readonly number[] = uint32(0);
