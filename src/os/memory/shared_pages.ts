/**
 * Pages that hold the same bytes, stored once: each is a mapping of the same shared memory. Linux only, since other
 * systems cannot exchange the memory behind an address in one step.
 */
import { bytesAt } from "../native_memory.ts";

/** The functions that only this needs, with addresses as integers. */
export interface Remapping {
  /** Moves or, with an old length of 0, duplicates a mapping. Returns its address; 2^64 - 1 on failure. */
  mremap(
    address: bigint,
    oldLength: bigint,
    newLength: bigint,
    flags: number,
    newAddress: bigint,
  ): bigint;
  /** Compares bytes. Returns 0 if they are equal. */
  memcmp(left: bigint, right: bigint, length: bigint): number;
}

/** The functions of Linux that are used. */
export interface SharingSystem extends Remapping {
  mmap(
    address: bigint,
    length: bigint,
    protection: number,
    flags: number,
    file: number,
    offset: bigint,
  ): bigint;
  mprotect(address: bigint, length: bigint, protection: number): number;
  munmap(address: bigint, length: bigint): number;
}

/** `(void *) -1` */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const PROT_READ = 1, PROT_WRITE = 2;
const MAP_SHARED_ANONYMOUS = 0x01 | 0x20;
const MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2;

/**
 * Exchanges read-only private pages for a mapping of shared memory with the same bytes, of which further mappings can
 * be made.
 *
 * @returns false if the system refuses: then nothing has changed.
 */
export function makeShareable(system: SharingSystem, address: bigint, length: number): boolean {
  const size = BigInt(length);
  const copy = system.mmap(0n, size, PROT_READ | PROT_WRITE, MAP_SHARED_ANONYMOUS, -1, 0n);
  if (copy === MAP_FAILED) return false;
  bytesAt(copy, length).set(bytesAt(address, length));
  return system.mprotect(copy, size, PROT_READ) === 0
    ? moveTo(system, copy, size, address)
    : abandon(system, copy, size);
}

/**
 * Exchanges read-only pages for another mapping of pages that {@linkcode makeShareable} has made.
 *
 * @returns false if the bytes differ, or the system refuses: then nothing has changed.
 */
export function sharePages(
  system: SharingSystem,
  address: bigint,
  length: number,
  source: bigint,
): boolean {
  const size = BigInt(length);
  const other = system.mremap(source, 0n, size, MREMAP_MAYMOVE, 0n);
  if (other === MAP_FAILED) return false;
  // This also holds where a kernel makes new pages instead of another mapping.
  return system.memcmp(other, address, size) === 0
    ? moveTo(system, other, size, address)
    : abandon(system, other, size);
}

/** The kernel replaces the pages in one step, so nobody who reads them finds others, or none. */
function moveTo(system: SharingSystem, from: bigint, size: bigint, to: bigint): boolean {
  const moved = system.mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  return moved === to || abandon(system, from, size);
}

function abandon(system: SharingSystem, address: bigint, size: bigint): false {
  system.munmap(address, size);
  return false;
}
