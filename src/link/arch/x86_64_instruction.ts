/**
 * Takes instructions of x86-64 apart as far as their operands' places (Intel SDM, volume 2,
 * chapter 2 "Instruction Format", and the opcode maps of appendix A).
 */

/** One instruction, by offsets in the bytes that it was read from. */
export interface Instruction {
  readonly start: number;
  readonly end: number;
  /** Whether a legacy prefix changes the operand size. */
  readonly isNarrow: boolean;
  /** The REX prefix, 0 if there is none. */
  readonly rex: number;
  /** The opcode map: 0 for one byte, 1 for 0F, 2 for 0F 38, 3 for 0F 3A; -1 with a VEX or EVEX prefix. */
  readonly map: number;
  readonly opcode: number;
  /** The offset of the opcode's last byte. */
  readonly opcodeAt: number;
  /** The offset of the ModRM byte, -1 if there is none. */
  readonly modrm: number;
  /** The offset behind the memory operand: of an immediate operand, or the end. */
  readonly immediate: number;
}

/** The bits of a REX prefix: a 64-bit operand, and the fourth bits of ModRM.reg, SIB.index and the base. */
export const Rex = { W: 8, R: 4, X: 2, B: 1 } as const;

const PREFIXES: ReadonlySet<number> = new Set([
  0x26,
  0x2e,
  0x36,
  0x3e,
  0x64,
  0x65,
  0x66,
  0x67,
  0xf0,
  0xf2,
  0xf3,
]);
const OPERAND_SIZE = 0x66, ADDRESS_SIZE = 0x67;

/** Reads the instruction at an offset; undefined if the bytes are not one that is known, or pass `end`. */
export function readInstruction(bytes: Uint8Array, start: number, end: number): Instruction | undefined {
  let at = start;
  let isNarrow = false, hasShortAddress = false;
  for (; at < end && PREFIXES.has(bytes[at]); at++) {
    if (bytes[at] === OPERAND_SIZE) isNarrow = true;
    if (bytes[at] === ADDRESS_SIZE) hasShortAddress = true;
  }
  const rex = (bytes[at] & 0xf0) === 0x40 ? bytes[at++] : 0;
  let map = 0, vector = false;
  let opcode = bytes[at];
  if (opcode === 0xc5 || opcode === 0xc4 || opcode === 0x62) {
    map = opcode === 0xc5 ? 1 : bytes[at + 1] & (opcode === 0xc4 ? 0x1f : 7);
    at += opcode === 0xc5 ? 2 : opcode === 0xc4 ? 3 : 4;
    opcode = bytes[at];
    vector = true;
  } else if (opcode === 0x0f) {
    opcode = bytes[++at];
    map = opcode === 0x38 ? 2 : opcode === 0x3a ? 3 : 1;
    if (map > 1) opcode = bytes[++at];
  }
  const opcodeAt = at++;
  if (!(opcodeAt < end)) return undefined;
  const hasOperand = vector ? map !== 1 || opcode !== 0x77 : hasModRm(map, opcode);
  const modrm = hasOperand ? at : -1;
  if (hasOperand) at = behindOperand(bytes, at);
  const immediate = at;
  const size = immediateSize(
    { map, opcode, vector, isNarrow, hasShortAddress, rex },
    (bytes[modrm] >> 3) & 7,
  );
  if (size === -1) return undefined;
  at += size;
  if (!(at <= end)) return undefined;
  return { start, end: at, isNarrow, rex, map: vector ? -1 : map, opcode, opcodeAt, modrm, immediate };
}

/** The offset behind a ModRM byte, its SIB byte and its displacement. */
function behindOperand(bytes: Uint8Array, modrm: number): number {
  const mod = bytes[modrm] >> 6, rm = bytes[modrm] & 7;
  let at = modrm + 1;
  if (mod === 3) return at;
  const base = rm === 4 ? bytes[at++] & 7 : rm;
  if (mod === 1) return at + 1;
  return mod === 2 || base === 5 ? at + 4 : at;
}

/** The opcodes without a ModRM byte in the map 0F, as ranges. */
const PLAIN_0F: readonly (readonly [first: number, last: number])[] = [
  [0x04, 0x0c],
  [0x0e, 0x0e],
  [0x30, 0x37],
  [0x77, 0x77],
  [0x80, 0x8f],
  [0xa0, 0xa2],
  [0xa8, 0xaa],
  [0xc8, 0xcf],
];

function hasModRm(map: number, opcode: number): boolean {
  if (map > 1) return true;
  if (map === 1) return !PLAIN_0F.some(([first, last]) => opcode >= first && opcode <= last);
  if (opcode < 0x40) return (opcode & 7) < 4;
  return opcode === 0x63 || opcode === 0x69 || opcode === 0x6b || opcode >= 0x80 && opcode <= 0x8f ||
    opcode === 0xc0 || opcode === 0xc1 || opcode === 0xc6 || opcode === 0xc7 ||
    opcode >= 0xd0 && opcode <= 0xd3 || opcode >= 0xd8 && opcode <= 0xdf ||
    opcode === 0xf6 || opcode === 0xf7 || opcode === 0xfe || opcode === 0xff;
}

/** The facts on which the size of an immediate operand depends. */
interface Encoding {
  readonly map: number;
  readonly opcode: number;
  readonly vector: boolean;
  readonly isNarrow: boolean;
  readonly hasShortAddress: boolean;
  readonly rex: number;
}

/** Opcodes of the map 0F with an immediate byte. */
const BYTE_0F: ReadonlySet<number> = new Set([
  0x0f,
  0x70,
  0x71,
  0x72,
  0x73,
  0xa4,
  0xac,
  0xba,
  0xc2,
  0xc4,
  0xc5,
  0xc6,
]);
/** Opcodes that 64-bit mode does not have, or that begin an encoding that is not read here. */
const UNKNOWN: ReadonlySet<number> = new Set([
  0x06,
  0x07,
  0x0e,
  0x16,
  0x17,
  0x1e,
  0x1f,
  0x27,
  0x2f,
  0x37,
  0x3f,
  0x60,
  0x61,
  0x82,
  0x9a,
  0xce,
  0xd4,
  0xd5,
  0xd6,
  0xea,
]);

/** The size of the immediate operand, which may be the distance of a branch; -1 for an unknown opcode. */
function immediateSize(encoding: Encoding, reg: number): number {
  const { map, opcode, vector, isNarrow, hasShortAddress, rex } = encoding;
  if (map === 3) return 1;
  if (map === 1) {
    if (!vector && opcode >= 0x80 && opcode <= 0x8f) return 4;
    return BYTE_0F.has(opcode) && !(vector && (opcode === 0xa4 || opcode === 0xac)) ? 1 : 0;
  }
  if (map !== 0) return 0;
  // POP has /0; other numbers are XOP's.
  if (vector || UNKNOWN.has(opcode) || (opcode === 0x8f && reg !== 0)) return -1;
  const isWide = (rex & Rex.W) !== 0;
  const word = isNarrow && !isWide ? 2 : 4;
  if (opcode < 0x40) return (opcode & 7) === 4 ? 1 : (opcode & 7) === 5 ? word : 0;
  if (opcode >= 0x70 && opcode <= 0x7f || opcode >= 0xb0 && opcode <= 0xb7) return 1;
  if (opcode >= 0xb8 && opcode <= 0xbf) return isWide ? 8 : word;
  if (opcode >= 0xa0 && opcode <= 0xa3) return hasShortAddress ? 4 : 8;
  if (opcode >= 0xe0 && opcode <= 0xe7) return 1;
  switch (opcode) {
    case 0x6a:
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xa8:
    case 0xc0:
    case 0xc1:
    case 0xc6:
    case 0xcd:
    case 0xeb:
      return 1;
    case 0x68:
    case 0x69:
    case 0x81:
    case 0xa9:
    case 0xc7:
      return word;
    case 0xe8:
    case 0xe9:
      return 4;
    case 0xc2:
    case 0xca:
      return 2;
    case 0xc8:
      return 3;
    case 0xf6:
      return reg < 2 ? 1 : 0;
    case 0xf7:
      return reg < 2 ? word : 0;
    default:
      return 0;
  }
}
