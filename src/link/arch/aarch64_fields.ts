/**
 * The fields of AArch64's instructions that relocations fill ("ELF for the Arm 64-bit Architecture",
 * section 5.7 "Relocation").
 */
import { type GotUse, INT64, type RelocationRule } from "./arch.ts";

/** Makes a writer of distances in words, for a field of `bits` bits from bit `low` up. */
export function words(bits: number, low: number): Required<Pick<RelocationRule, "write" | "range">> {
  const limit = 2 ** (bits + 1);
  return {
    range: [-limit, limit],
    write(view: DataView, at: number, value: number): boolean {
      if (!(value >= -limit && value < limit) || value % 4 !== 0) return false;
      const mask = ((2 ** bits - 1) << low) >>> 0;
      view.setUint32(at, (view.getUint32(at, true) & ~mask) | (((value / 4) << low) & mask), true);
      return true;
    },
  };
}

/** Writes the byte distance of ADR: its low two bits to bits 29 and 30, the rest from bit 5 up. */
export function writeAdr(view: DataView, at: number, value: number): boolean {
  if (!(value >= -(2 ** 20) && value < 2 ** 20)) return false;
  const fields = ((value & 3) << 29) | (((value >> 2) & 0x7ffff) << 5);
  view.setUint32(at, ((view.getUint32(at, true) & 0x9f00001f) | fields) >>> 0, true);
  return true;
}

/**
 * 16 bits of a value, in the immediate of MOVZ, MOVN or MOVK.
 *
 * @param part Which 16 bits, from 0 for the lowest.
 * @param check `unsigned` and `signed` refuse values that need higher bits; signed ones choose between
 * MOVZ and MOVN. `none` takes the bits as they are.
 */
export function moveWide(
  use: "absolute" | "relative",
  part: number,
  check: "unsigned" | "signed" | "none",
): Omit<RelocationRule, "name"> {
  const end = Math.min(2 ** (16 * (part + 1)), 2 ** 53);
  const low = check === "unsigned" ? 0 : -end;
  return {
    use,
    width: 4,
    smf: undefined,
    range: check === "none" ? INT64 : [low, end],
    write(view: DataView, at: number, value: number): boolean {
      if (check === "none" ? !Number.isSafeInteger(value) : !(value >= low && value < end)) return false;
      const isNegative = check === "signed" && value < 0;
      let instruction = view.getUint32(at, true) & ~(0xffff << 5);
      // Bit 30 tells MOVZ from MOVN, which takes the complement.
      if (check === "signed") instruction = isNegative ? instruction & ~(1 << 30) : instruction | 1 << 30;
      const bits = Math.floor((isNegative ? -1 - value : value) / 2 ** (16 * part)) & 0xffff;
      view.setUint32(at, (instruction | bits << 5) >>> 0, true);
      return true;
    },
  };
}

/** The rules of MOVZ, MOVN and MOVK. The types count from `first` up: checked, then without a check. */
export function movesWide(
  first: number,
  name: string,
  use: "absolute" | "relative",
  check: "unsigned" | "signed",
): [number, RelocationRule][] {
  return [0, 1, 2].flatMap((part): [number, RelocationRule][] => [
    [first + 2 * part, { name: `${name}_G${part}`, ...moveWide(use, part, check) }],
    [first + 2 * part + 1, { name: `${name}_G${part}_NC`, ...moveWide(use, part, "none") }],
  ]);
}

/**
 * 12 bits of the offset of a thread-local variable, in a field from bit 10 up.
 *
 * @param shift The lowest bit of the offset that goes into the field.
 * @param scale The unit of the instruction's field, as a power of two.
 * @param limit The first offset that is too large; undefined for types without an overflow check.
 */
export function blockOffset(shift: number, scale: number, limit?: number): Omit<RelocationRule, "name"> {
  return {
    use: "tls-offset",
    width: 4,
    smf: undefined,
    range: limit === undefined ? INT64 : [0, limit],
    write(view: DataView, at: number, value: number): boolean {
      if (limit !== undefined && !(value >= 0 && value < limit)) return false;
      const field = Math.floor(value / 2 ** shift) % 4096;
      if (field % 2 ** scale !== 0) return false;
      const instruction = view.getUint32(at, true) & ~(0xfff << 10);
      view.setUint32(at, (instruction | ((field >> scale) << 10)) >>> 0, true);
      return true;
    },
  };
}

/** 15 bits of the distance from the start of the linker's own GOT, or its page, to a slot. */
export function slotOffset(got: GotUse): Omit<RelocationRule, "name"> {
  return {
    use: "own-got",
    got,
    width: 4,
    smf: undefined,
    range: [0, 2 ** 15],
    write(view: DataView, at: number, value: number): boolean {
      if (!(value >= 0 && value < 2 ** 15) || value % 8 !== 0) return false;
      const instruction = view.getUint32(at, true) & ~(0xfff << 10);
      view.setUint32(at, (instruction | ((value / 8) << 10)) >>> 0, true);
      return true;
    },
  };
}
