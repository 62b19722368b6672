/**
 * Reserves memory near an address. Chooses the hints by pure arithmetic.
 */

import type { Reservation } from "./ledger.ts";

/** The largest distance of two addresses that are "near": half of the reach of a 32-bit displacement. */
export const NEAR: bigint = 1n << 30n;

/** The bounds within which every supported system has user space. */
const LOWEST = 1n << 20n;
const HIGHEST = 1n << 47n;

/** Distances of hints: from close, where module and neighbour share page tables, to the edge of near. */
const DISTANCES_MIB = [16n, 64n, 160n, 288n, 448n, 640n, 832n, 960n];
/** The last distance that is tried, MiB by MiB, once those above are taken: by earlier versions of a module. */
const LAST_MIB = 1023n;

/** The least multiple of `alignment`, a power of two, that is not below `address`. */
export function alignAddressUp(address: bigint, alignment: bigint): bigint {
  return (address + alignment - 1n) & -alignment;
}

/** Whether every byte of the range can reach `near`, and `near` can reach every byte. */
export function isNear(address: bigint, size: number, near: bigint): boolean {
  const end = address + BigInt(size);
  return address >= near - NEAR && end <= near + NEAR;
}

function* distances(): Generator<bigint, void> {
  yield* DISTANCES_MIB;
  for (let distance = 1n; distance <= LAST_MIB; distance++) yield distance;
}

/** Addresses to try, those of few distances first, alternately below and above. */
export function* hintsNear(near: bigint, length: number, granularity: bigint): Generator<bigint, void> {
  for (const distance of distances()) {
    for (const hint of [near - (distance << 20n) - BigInt(length), near + (distance << 20n)]) {
      const start = hint & -granularity;
      const isInside = hint >= LOWEST && hint + BigInt(length) < HIGHEST;
      if (isInside && isNear(start, length, near)) yield start;
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
 * @param beside A reservation that was made near the same address: what lies next to it is tried first, so that a
 * thousand versions of a module do not try a thousand hints each.
 * @returns `undefined` if the system refuses any reservation.
 */
export function reserveNear(
  near: bigint,
  length: number,
  granularity: bigint,
  system: Reserver,
  beside?: Reservation,
): bigint | undefined {
  const attempt = (hint: bigint): bigint | undefined => {
    const base = system.reserve(hint);
    if (base === undefined || system.accept(base)) return base;
    system.release(base);
    return undefined;
  };
  if (beside !== undefined) {
    const above = alignAddressUp(beside.base + BigInt(beside.length), granularity);
    const below = (beside.base - BigInt(length)) & -granularity;
    for (const hint of [above, below]) {
      const base = isNear(hint, length, near) ? attempt(hint) : undefined;
      if (base !== undefined) return base;
    }
  }
  const anywhere = system.reserve(0n);
  if (anywhere === undefined || system.accept(anywhere)) return anywhere;
  for (const hint of hintsNear(near, length, granularity)) {
    const base = attempt(hint);
    if (base === undefined) continue;
    system.release(anywhere);
    return base;
  }
  return anywhere;
}
