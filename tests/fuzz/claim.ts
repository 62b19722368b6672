/**
 * The loader's account of a loaded image, which the oracle judges.
 */
import { must } from "./format.ts";

/** A range of bytes, from the beginning of the image's range. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** The loader's account of an image that it has loaded. */
export interface Claim {
  readonly layout: string;
  /** The address of the range. */
  readonly base: bigint;
  /** The length of the range. */
  readonly size: number;
  readonly pageSize: number;
  /** The offsets of sections in the range, by index. */
  readonly places: ReadonlyMap<number, number>;
  /** The groups, each with a protection of its own. */
  readonly code: Stretch;
  readonly rodata: Stretch;
  readonly data: Stretch;
  /** The GOT, which is read-only. */
  readonly gotRegion: Stretch;
  /** The bytes that are in memory now. */
  read(offset: number, length: number): Uint8Array;
  /** Whether the system has filled the words of thread-local variables. */
  readonly hasThreads: boolean;
  /** The address that an undefined name was resolved to. */
  addressOf(name: string): bigint;
}

/** Refuses regions that are not whole pages, overlap, or leave the range. */
export function checkRegions({ size, pageSize, base, gotRegion, ...claim }: Claim): void {
  let end = 0;
  if (gotRegion.offset !== claim.rodata.offset) {
    must(gotRegion.offset % pageSize === 0 && gotRegion.length % pageSize === 0, "a GOT on part of a page");
    end = gotRegion.offset + gotRegion.length;
  }
  for (const { offset, length } of [claim.code, claim.rodata, claim.data]) {
    must(offset % pageSize === 0 && length % pageSize === 0, "a region that is not whole pages");
    must(offset >= end, "regions that overlap");
    end = offset + length;
  }
  must(end <= size && size % pageSize === 0 && base % BigInt(pageSize) === 0n, "a region outside the range");
}
