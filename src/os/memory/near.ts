/**
 * Where to ask for memory that should lie near something: pure arithmetic.
 */

/** How far apart two addresses may be that are "near": half of what a 32-bit displacement reaches. */
export const NEAR: bigint = 1n << 30n;

/** User space of every supported system begins above this and ends below 2^47. */
const LOWEST = 1n << 20n;
const HIGHEST = 1n << 47n;

/** From close, where module and neighbour share page tables, to the edge of what is near. */
const DISTANCES_MIB = [16n, 64n, 160n, 288n, 448n, 640n, 832n, 960n];

/** The least multiple of `alignment`, a power of two, that is not below `value`. */
export function alignUp(value: bigint, alignment: bigint): bigint {
  return (value + alignment - 1n) & -alignment;
}

/** Whether every byte of the range can reach `near`, and the other way round. */
export function isNear(address: bigint, size: number, near: bigint): boolean {
  const end = address + BigInt(size);
  return address >= near - NEAR && end <= near + NEAR;
}

/** Addresses to ask for, closest first, alternating below and above. */
export function* hintsNear(near: bigint, length: number, granularity: bigint): Generator<bigint, void> {
  for (const distance of DISTANCES_MIB) {
    for (const hint of [near - (distance << 20n) - BigInt(length), near + (distance << 20n)]) {
      if (hint >= LOWEST && hint + BigInt(length) < HIGHEST) yield hint & -granularity;
    }
  }
}

/** How a system reserves address space. */
export interface Reserving {
  /** Reserves `length` bytes, at `hint` if that is free; 0 means anywhere. `undefined` if refused. */
  reserve(hint: bigint): bigint | undefined;
  /** Gives a reservation back. */
  release(base: bigint): void;
  /** Whether a reservation that begins there serves. */
  accept(base: bigint): boolean;
}

/**
 * Reserves near an address. What the system chooses by itself usually is near
 * its own libraries, so that is tried before any hint, and kept if no hint
 * does better.
 */
export function reserveNear(
  near: bigint,
  length: number,
  granularity: bigint,
  system: Reserving,
): bigint | undefined {
  const anywhere = system.reserve(0n);
  if (anywhere === undefined || system.accept(anywhere)) return anywhere;
  for (const hint of hintsNear(near, length, granularity)) {
    const base = system.reserve(hint);
    if (base === undefined) continue;
    if (system.accept(base)) {
      system.release(anywhere);
      return base;
    }
    system.release(base);
  }
  return anywhere;
}
