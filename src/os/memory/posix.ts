/**
 * Pages by mmap, mprotect and munmap (POSIX.1-2024). A table of constants has
 * the differences between systems.
 */
import { LoadError } from "../../errors/load_error.ts";
import { Protection } from "./contract.ts";
import type { Pages } from "./paged.ts";
import { makeShareable, type Remapping, sharePages } from "./shared_pages.ts";

/** The functions of a POSIX system that are used, with addresses as integers. */
export interface PosixSystem {
  /** Maps pages. Returns their address; 2^64 - 1 on failure. */
  mmap(
    address: bigint,
    length: bigint,
    protection: number,
    flags: number,
    file: number,
    offset: bigint,
  ): bigint;
  /** Changes protections. Returns 0; -1 on failure. */
  mprotect(address: bigint, length: bigint, protection: number): number;
  /** Unmaps pages. Returns 0; -1 on failure. */
  munmap(address: bigint, length: bigint): number;
  /** A limit of the system. Returns -1 if the number is unknown. */
  sysconf(name: number): bigint;
  /** Advises the system about the use of pages. Returns 0; -1 on failure. Absent where no advice is used. */
  madvise?(address: bigint, length: bigint, advice: number): number;
  /** Absent where pages are not shared. */
  readonly remapping?: Remapping;
  /** The error number of the last call that failed. */
  errno(): number;
  /** Makes written instructions visible. Absent where the processor keeps caches coherent. */
  flush?(address: bigint, length: bigint): void;
}

/** The constants that differ between POSIX systems. */
export interface PosixConstants {
  /** `MAP_PRIVATE | MAP_ANONYMOUS` */
  readonly mapFlags: number;
  /** `MAP_FIXED` */
  readonly mapFixed: number;
  /** `_SC_PAGESIZE` */
  readonly pageSizeName: number;
  /** `MADV_POPULATE_WRITE`; absent on systems without it. */
  readonly populateWrite?: number;
  /** `MADV_HUGEPAGE`; absent on systems without it. */
  readonly hugePage?: number;
  /** The usual cause if mprotect refuses to make pages executable. */
  readonly executableRefused: string;
  /** The next step after that. */
  readonly executableHint: string;
}

/** `(void *) -1` */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

const PROT: Record<Protection, number> = {
  [Protection.NONE]: 0,
  [Protection.READ_ONLY]: PROT_READ,
  [Protection.READ_WRITE]: PROT_READ | PROT_WRITE,
  [Protection.READ_EXECUTE]: PROT_READ | PROT_EXEC,
};

/**
 * Bytes that one entry of a page directory maps, where pages have 4096 bytes. Kernels with larger pages ignore advice
 * for less than they need.
 */
const LARGE_PAGE = 1 << 21;

const EPERM = 1;
const EACCES = 13;

/** The names of these calls' error numbers, which are the same on all POSIX systems here. */
const NAMES: Record<number, string> = { [EPERM]: "EPERM", 12: "ENOMEM", [EACCES]: "EACCES", 22: "EINVAL" };

/** The pages of a POSIX system. */
export function posixPages(system: PosixSystem, constants: PosixConstants): Pages {
  const failed = (problem: string, call: string, size: number): LoadError => {
    const errno = system.errno();
    const name = NAMES[errno] ?? "an unexpected error";
    return new LoadError("OutOfMemory", `Cannot ${problem}: ${call} fails with ${name}`, {
      call,
      errno,
      size,
    });
  };
  const pageSize = (): number => {
    const size = Number(system.sysconf(constants.pageSizeName));
    if (size < 1) throw failed("find the page size", "sysconf", 0);
    return size;
  };
  const sharing = system.remapping && { ...system, ...system.remapping };
  return {
    pageSize,
    granularity: pageSize,
    largePage: constants.hugePage === undefined ? undefined : LARGE_PAGE,
    preferLarge: (address, length) => void system.madvise?.(address, BigInt(length), constants.hugePage!),
    reserve(hint, length) {
      const base = system.mmap(hint, BigInt(length), PROT[Protection.NONE], constants.mapFlags, -1, 0n);
      return base === MAP_FAILED ? undefined : base;
    },
    refusal: (length) => failed("reserve memory", "mmap", length),
    commit(address, length) {
      if (system.mprotect(address, BigInt(length), PROT[Protection.READ_WRITE]) === 0) return;
      return failed("commit memory", "mprotect", length);
    },
    protect(address, length, protection) {
      if (system.mprotect(address, BigInt(length), PROT[protection]) === 0) return;
      const failure = failed(`make memory ${protection}`, "mprotect", length);
      const { errno } = failure.data;
      if (protection !== Protection.READ_EXECUTE || (errno !== EPERM && errno !== EACCES)) return failure;
      return new LoadError(
        "OutOfMemory",
        `Cannot make memory executable: ${constants.executableRefused}`,
        { ...failure.data, hint: constants.executableHint },
      );
    },
    // One call replaces the pages, so that no other mapping can come between.
    discard(address, length) {
      const { mapFlags, mapFixed } = constants;
      const base = system.mmap(address, BigInt(length), PROT[Protection.NONE], mapFlags | mapFixed, -1, 0n);
      return base === MAP_FAILED ? failed("give memory back", "mmap", length) : undefined;
    },
    // Kernels before 5.14 refuse the advice, and provide pages as they are touched.
    prefault(address, length) {
      const { populateWrite } = constants;
      if (populateWrite !== undefined) system.madvise?.(address, BigInt(length), populateWrite);
    },
    ...sharing && {
      makeShareable: (address, length) => makeShareable(sharing, address, length),
      share: (address, length, source) => sharePages(sharing, address, length, source),
    },
    release(base, length) {
      if (system.munmap(base, BigInt(length)) === 0) return;
      return failed("free memory", "munmap", length);
    },
    trim: (base, length) => system.munmap(base, BigInt(length)) === 0,
    flush: system.flush && ((address, length) => system.flush?.(address, BigInt(length))),
  };
}
