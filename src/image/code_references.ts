/**
 * Finds the places in machine code that refer to an address relative to
 * themselves, for x86-64: `ModRM` with mode 0 and register 5, then a distance of
 * 32 bits from the end of the instruction (Intel SDM, volume 2, 2.2.1.6). An
 * immediate operand may stand between the two, so the operation code is looked
 * at, too.
 *
 * Code is not decoded from its beginning. Other bytes that look like such a
 * reference to a wanted address are rare, and callers take them as one more.
 */

/** Bytes of code, and where they are. */
export interface CodePiece {
  /** The offset in the range of the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Called with the offset of a reference and the offset that it refers to. */
export type FoundReference = (from: number, target: number) => void;

/** Calls `found` for each reference to an offset from `first` to `end`, both included. */
export function forEachReference(
  { offset, bytes }: CodePiece,
  first: number,
  end: number,
  found: FoundReference,
): void {
  const look = (from: number, until: number): void => {
    for (let modRm = from; modRm < until; modRm++) lookAt(modRm);
  };
  const lookAt = (modRm: number): void => {
    if ((bytes[modRm] & MODE_AND_OPERAND) !== AFTER_INSTRUCTION) return;
    const at = modRm + 1;
    const distance = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
    const near = offset + at + 4 + distance;
    // An immediate operand has at most four bytes.
    if (near + 4 < first || near > end) return;
    const target = near + immediateSize(bytes, at - 2, (bytes[modRm] >> 3) & 7);
    if (target >= first && target <= end) found(offset + at, target);
  };
  // An operation code is in front of each ModRM byte, and a distance behind it.
  const until = bytes.length - 4;
  const firstWord = (bytes.byteOffset + 1 + 3) & ~3, wordsAt = firstWord - bytes.byteOffset;
  const count = Math.max(0, (until - wordsAt) >> 2);
  look(1, Math.min(wordsAt, until));
  if (count === 0) return look(wordsAt, until);
  // The last one is only part of a distance.
  const words = new Int32Array(bytes.buffer, firstWord, count + 1);
  const nearest = first - 4 - (offset + wordsAt + 5), farthest = end - (offset + wordsAt + 5);
  let next = words[0];
  for (let index = 0; index < count; index++) {
    const word = next;
    next = words[index + 1];
    const bits = (word & 0x01010101 * MODE_AND_OPERAND) ^ 0x01010101 * AFTER_INSTRUCTION;
    // The highest bit of each of four bytes that is 0; now and then also that of one behind such a byte.
    const zeros = (bits - 0x01010101) & ~bits & 0x80808080;
    if (zeros === 0) continue;
    const at = 4 * index;
    // Most of them lead elsewhere, as stubs do to their slots: the distance behind each is in two words.
    for (let byte = 0; byte < 4; byte++) {
      if ((zeros & 0x80 << 8 * byte) === 0) continue;
      const distance = byte === 3 ? next : word >>> 8 * byte + 8 | next << 24 - 8 * byte;
      const near = at + byte + distance;
      if (near >= nearest && near <= farthest) lookAt(wordsAt + at + byte);
    }
  }
  look(wordsAt + 4 * count, until);
}

/** The parts of a ModRM byte that tell where the operand is, and what they are if a distance follows. */
const MODE_AND_OPERAND = 0xc7, AFTER_INSTRUCTION = 5;

/** The bytes from an operand of 32 bits, which starts at `at`, to the end of its instruction. */
export function operandEnd(bytes: Uint8Array, at: number): number {
  return 4 + immediateSize(bytes, at - 2, (bytes[at - 1] >> 3) & 7);
}

const ONE_BYTE = new Set([0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6]);
const FOUR_BYTES = new Set([0x69, 0x81, 0xc7]);
/** Operations behind 0F that have an immediate operand. */
const SECOND_MAP = new Set([0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6]);
const OPERAND_SIZE = 0x66, ESCAPE = 0x0f;

/** The size of the immediate operand of the operation whose code is at `at`; `extension` is the ModRM's register. */
function immediateSize(bytes: Uint8Array, at: number, extension: number): number {
  const operation = bytes[at];
  const map = mapOf(bytes, at);
  if (map === 3) return 1;
  if (map === 1 && !(operation === 0x80 || operation === 0x81 || operation === 0x83)) {
    return SECOND_MAP.has(operation) ? 1 : 0;
  }
  if (map === 2) return 0;
  const isTest = extension < 2;
  if (ONE_BYTE.has(operation) || (operation === 0xf6 && isTest)) return 1;
  if (!FOUR_BYTES.has(operation) && !(operation === 0xf7 && isTest)) return 0;
  const hasRex = (bytes[at - 1] & 0xf0) === 0x40;
  const isWide = hasRex && (bytes[at - 1] & 8) !== 0;
  return !isWide && bytes[hasRex ? at - 2 : at - 1] === OPERAND_SIZE ? 2 : 4;
}

/** The map of an operation: 0 for one byte, 1 behind 0F, 2 behind 0F 38, 3 behind 0F 3A, or the same by VEX or EVEX. */
function mapOf(bytes: Uint8Array, at: number): number {
  const before = bytes[at - 1];
  if (before === ESCAPE) return 1;
  if (bytes[at - 2] === ESCAPE && before === 0x38) return 2;
  if (bytes[at - 2] === ESCAPE && before === 0x3a) return 3;
  if (bytes[at - 2] === 0xc5) return 1;
  if (bytes[at - 3] === 0xc4) return bytes[at - 2] & 0x1f;
  if (bytes[at - 4] === 0x62) return bytes[at - 3] & 7;
  return 0;
}
