/**
 * Writes the instructions of call frame information (DWARF 5, sections 6.4.2 and 7.24) that the loader's own code and
 * objects without such records need.
 */

/** Instructions by their names in DWARF without `DW_CFA_`; the low bits of the first two hold an operand. */
export const FrameInstruction = {
  ADVANCE_LOC: 0x40,
  OFFSET: 0x80,
  ADVANCE_LOC2: 0x03,
  OFFSET_EXTENDED: 0x05,
  DEF_CFA: 0x0c,
  DEF_CFA_REGISTER: 0x0d,
  DEF_CFA_OFFSET: 0x0e,
} as const;

/** The unit of offsets of 64-bit processors, −8, in signed LEB128: the stack grows downwards. */
export const DATA_ALIGNMENT = 0x78;

/** Says that the frame starts at a register's value plus an offset. */
export function defineCfa(register: number, offset: number): number[] {
  return [FrameInstruction.DEF_CFA, ...uleb128(register), ...uleb128(offset)];
}

/** Says that a register is saved so many words below the frame's start. */
export function savedBelow(register: number, words: number): number[] {
  return register < 64
    ? [FrameInstruction.OFFSET | register, ...uleb128(words)]
    : [FrameInstruction.OFFSET_EXTENDED, ...uleb128(register), ...uleb128(words)];
}

/** The bytes of a number below 2^31 (DWARF 5, section 7.6). */
export function uleb128(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...uleb128(value >>> 7)];
}
