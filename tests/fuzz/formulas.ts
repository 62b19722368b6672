/**
 * The relocation formulas in BigInt, written from the processors' psABIs. The
 * oracle judges a place by its bytes afterwards: they must be the bytes that
 * storing the formula's value gives.
 */

/** The calculation and the field of a relocation type. */
export interface Formula {
  readonly width: 4 | 8 | 16;
  /** The value of S: the symbol's address, that of its GOT slot, or the system's value for a TLS block. */
  readonly of: "symbol" | "slot" | "thread";
  readonly minus?: "place" | "page";
  /** Whether a stub may take the place of an import: always, or only if its symbol type is function. */
  readonly stub?: "always" | "function";
  /** The range of values that can be stored, from `from` up to `to`. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** The bytes as a number, after storing; `undefined` if the instruction cannot take the value. */
  store(value: bigint, before: bigint): bigint | undefined;
  /** The value that was stored, as far as the field has it. */
  load(after: bigint): bigint;
}

const signed = (bits: number) => ({ from: -(1n << BigInt(bits - 1)), to: 1n << BigInt(bits - 1) });

/** A whole word of 4 or 8 bytes. */
function word<const W extends 4 | 8 | 16>(width: W) {
  const bits = width * 8;
  return {
    width,
    store: (value: bigint) => BigInt.asUintN(bits, value),
    load: (after: bigint) => BigInt.asIntN(bits, after),
  };
}

/** Thread-local variables: module, offset, distance from the thread pointer, descriptor. */
const THREAD: Record<number, Formula> = {
  38: { ...word(8), of: "thread" },
  39: { ...word(8), of: "thread" },
  40: { ...word(8), of: "thread" },
  41: { ...word(16), of: "thread" },
};

/** The address of an ifunc's resolver, which is in the place until the resolver has run. */
const INDIRECT: Record<number, Formula> = { 42: { ...word(8), of: "symbol" } };

const X86_64: Record<number, Formula> = {
  ...THREAD,
  ...INDIRECT,
  1: { ...word(8), of: "symbol" },
  2: { ...word(4), of: "symbol", minus: "place", stub: "function", ...signed(32) },
  3: { ...word(4), of: "symbol", minus: "place", stub: "always", ...signed(32) },
  4: { ...word(4), of: "slot", minus: "place", ...signed(32) },
  5: { ...word(4), of: "symbol", from: 0n, to: 1n << 32n },
  32: { ...word(8), of: "symbol", minus: "place" },
  33: { ...word(4), of: "symbol", ...signed(32) },
  48: { ...word(4), of: "thread", ...signed(32) },
};

/** A distance in words, in `bits` bits from bit `shift` up, of instructions that `isOne` knows. */
function distance(bits: number, shift: number, isOne: (instruction: bigint) => boolean) {
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
  return {
    width: 4 as const,
    ...signed(bits + 2),
    store: (value: bigint, before: bigint) =>
      !isOne(before) || value % 4n !== 0n
        ? undefined
        : (before & ~mask) | (((value / 4n) << BigInt(shift)) & mask),
    load: (after: bigint) => BigInt.asIntN(bits, (after & mask) >> BigInt(shift)) * 4n,
  };
}

/** ADR, ADRP: immlo in bits 29 and 30, immhi in 5 to 23. */
function adr(unit: bigint, opcode: bigint) {
  const bits = unit === 1n ? 21 : 33;
  return {
    width: 4 as const,
    ...signed(bits),
    store: (value: bigint, before: bigint) => {
      if ((before & 0x9f000000n) !== opcode) return undefined;
      const pages = BigInt.asUintN(21, value / unit);
      return (before & 0x9f00001fn) | ((pages & 3n) << 29n) | ((pages >> 2n) << 5n);
    },
    load: (after: bigint) =>
      BigInt.asIntN(21, ((after >> 29n) & 3n) | (((after >> 5n) & 0x7ffffn) << 2n)) * unit,
  };
}

/** The unit of the offset of an ADD, SUB, load or store; `undefined` for other instructions. */
function unitOf(instruction: bigint): bigint | undefined {
  if ((instruction & 0x1fc00000n) === 0x11000000n) return 1n;
  if ((instruction & 0x3b000000n) !== 0x39000000n) return undefined;
  const size = instruction >> 30n, vector = (instruction >> 26n) & 1n, opc = (instruction >> 22n) & 3n;
  return vector === 1n && size === 0n && opc >= 2n ? 16n : 1n << size;
}

const pageOffset = {
  width: 4 as const,
  store: (value: bigint, before: bigint) => {
    const unit = unitOf(before), offset = BigInt.asUintN(12, value);
    if (unit === undefined || offset % unit !== 0n) return undefined;
    return (before & ~(0xfffn << 10n)) | ((offset / unit) << 10n);
  },
  load: (after: bigint) => ((after >> 10n) & 0xfffn) * (unitOf(after) ?? 1n),
};

/** ADD (immediate) with its shift of 12: bits 12 to 23 of an offset. */
const highOffset = {
  width: 4 as const,
  from: 0n,
  to: 1n << 24n,
  store: (value: bigint, before: bigint) =>
    (before & 0x1fc00000n) !== 0x11400000n
      ? undefined
      : (before & ~(0xfffn << 10n)) | (((value >> 12n) & 0xfffn) << 10n),
  load: (after: bigint) => ((after >> 10n) & 0xfffn) << 12n,
};

const isBranch = (i: bigint) => (i & 0x7c000000n) === 0x14000000n;
const isConditional = (i: bigint) => (i & 0xff000000n) === 0x54000000n || (i & 0x7e000000n) === 0x34000000n;
const isTest = (i: bigint) => (i & 0x7e000000n) === 0x36000000n;
const isLiteral = (i: bigint) => (i & 0x3b000000n) === 0x18000000n;

const AARCH64: Record<number, Formula> = {
  ...THREAD,
  ...INDIRECT,
  1: { ...word(8), of: "symbol" },
  2: { ...word(4), of: "symbol", minus: "place", ...signed(32) },
  3: { ...word(4), of: "symbol", minus: "place", stub: "always", ...signed(32) },
  4: { ...word(4), of: "slot", minus: "place", ...signed(32) },
  5: { ...distance(26, 0, isBranch), of: "symbol", minus: "place", stub: "always" },
  6: { ...adr(4096n, 0x90000000n), of: "symbol", minus: "page" },
  7: { ...pageOffset, of: "symbol" },
  8: { ...adr(4096n, 0x90000000n), of: "slot", minus: "page" },
  9: { ...pageOffset, of: "slot" },
  32: { ...word(8), of: "symbol", minus: "place" },
  34: { ...distance(19, 5, isConditional), of: "symbol", minus: "place", stub: "always" },
  35: { ...distance(14, 5, isTest), of: "symbol", minus: "place", stub: "always" },
  36: { ...distance(19, 5, isLiteral), of: "symbol", minus: "place" },
  37: { ...adr(1n, 0x10000000n), of: "symbol", minus: "place" },
  49: { ...highOffset, of: "thread" },
  50: { ...pageOffset, of: "thread" },
};

/** The formulas of a processor, by the format's number for it. */
export const FORMULAS: Readonly<Record<number, Readonly<Record<number, Formula>>>> = {
  0: X86_64,
  1: AARCH64,
};

/** The addend of a call: on x86-64 the distance counts from the end of the instruction. */
export const CALL_ADDEND: Readonly<Record<number, bigint>> = { 0: -4n, 1: 0n };

/** The address without its low 12 bits. */
export const pageOf = (address: bigint): bigint => address - BigInt.asUintN(12, address);

/** The address of the slot that a stub jumps through; `undefined` if the bytes are not a stub. */
export function slotOfStub(arch: number, stub: DataView, address: bigint): bigint | undefined {
  if (arch === 0) {
    // jmp *[rip + disp32]
    if (stub.getUint16(0, true) !== 0x25ff) return undefined;
    return address + 6n + BigInt(stub.getInt32(2, true));
  }
  const [adrp, load, jump] = [0, 4, 8].map((at) => BigInt(stub.getUint32(at, true)));
  // adrp x16; ldr x17, [x16, …]; br x17
  if ((adrp & 0x9f00001fn) !== 0x90000010n || (load & 0xffc003ffn) !== 0xf9400211n) return undefined;
  if (jump !== 0xd61f0220n) return undefined;
  return pageOf(address) + AARCH64[6].load(adrp) + AARCH64[7].load(load);
}
