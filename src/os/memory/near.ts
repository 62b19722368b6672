/**
 * Reserves memory near an address. Chooses the hints by pure arithmetic.
 */

/** The largest distance of two addresses that are "near": half of the reach of a 32-bit displacement. */
export const NEAR: bigint = 1n << 30n;

/** The bounds within which every supported system has user space. */
const LOWEST = 1n << 20n;
const HIGHEST = 1n << 47n;

/** Distances of hints: from close, where module and neighbour share page tables, to the edge of near. */
const DISTANCES_MIB = [16n, 64n, 160n, 288n, 448n, 640n, 832n, 960n];

/** The least multiple of `alignment`, a power of two, that is not below `address`. */
export function alignAddressUp(address: bigint, alignment: bigint): bigint {
  return (address + alignment - 1n) & -alignment;
}

/** Whether every byte of the range can reach `near`, and `near` can reach every byte. */
export function isNear(address: bigint, size: number, near: bigint): boolean {
  const end = address + BigInt(size);
  return address >= near - NEAR && end <= near + NEAR;
}

/** Addresses to try, closest first, alternately below and above. */
export function* hintsNear(near: bigint, length: number, granularity: bigint): Generator<bigint, void> {
  for (const distance of DISTANCES_MIB) {
    for (const hint of [near - (distance << 20n) - BigInt(length), near + (distance << 20n)]) {
      if (hint >= LOWEST && hint + BigInt(length) < HIGHEST) yield hint & -granularity;
    }
  }
}

/** The operations of a system that {@linkcode reserveNear} needs. */
export interface Reserver {
  /** Reserves `length` bytes, at `hint` if that is free; 0 means anywhere. `undefined` if refused. */
  reserve(hint: bigint): bigint | undefined;
  /** Gives a reservation back. */
  release(base: bigint): void;
  /** Whether a reservation at `base` is near enough. */
  accept(base: bigint): boolean;
}

/**
 * Reserves address space near an address, or anywhere if no room is free near it.
 * The place that the system chooses by itself is usually near its own libraries,
 * so it is tried before any hint, and kept if no hint is better.
 *
 * @returns `undefined` if the system refuses any reservation.
 */
export function reserveNear(
  near: bigint,
  length: number,
  granularity: bigint,
  system: Reserver,
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
