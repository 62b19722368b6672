/**
 * Real memory from a system that refuses one call: the n-th of its kind, with a
 * given error number.
 */
import { type ExecutableMemory, LoadError, type MemoryAllocator, platformAllocator } from "../../mod.ts";
import { LinuxAllocator } from "../../src/os/memory/linux.ts";
import type { PosixSystem } from "../../src/os/memory/posix.ts";

/** A kind of call, and the error numbers with which it may be refused. */
export type Faults = Readonly<Record<string, readonly number[]>>;

/** Which calls are refused. */
export interface Refusal {
  /** The kind of the first one. */
  readonly call: string;
  readonly errno: number;
  /** Counts the calls of that kind, from 1. */
  readonly n: number;
  /** That one alone, or from then on all calls of all kinds. */
  readonly extent: "one" | "all";
}

/** An allocator whose calls fail when told to. */
export interface FaultyMemory {
  readonly allocator: MemoryAllocator;
  /** Refuses calls from now on. */
  arm(refusal: Refusal): void;
  /** Refuses nothing any more; answers whether something was refused. */
  disarm(): boolean;
  /** Bytes that are taken from the system. */
  taken(): bigint;
  /** Lets go of the system. */
  close(): void;
}

/** Says which calls fail. */
class Trigger {
  #refusal: Refusal | undefined;
  #calls = 0;
  #fired = false;

  get errno(): number {
    return this.#refusal?.errno ?? 0;
  }

  arm(refusal: Refusal): void {
    this.#refusal = refusal;
    this.#calls = 0;
    this.#fired = false;
  }

  fires(call: string): boolean {
    if (this.#refusal === undefined) return false;
    const { n, extent, call: first } = this.#refusal;
    if (this.#fired) return extent === "all";
    return this.#fired = call === first && ++this.#calls === n;
  }

  disarm(): boolean {
    this.#refusal = undefined;
    return this.#fired;
  }
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const [EPERM, EAGAIN, ENOMEM, EACCES, EINVAL] = [1, 11, 12, 13, 22];

/**
 * Linux, call by call. mmap(2), mprotect(2) and munmap(2) say which numbers
 * there are for anonymous private memory; security modules and filters add
 * EPERM and EACCES.
 */
export const LINUX_FAULTS: Faults = {
  mmap: [ENOMEM, EAGAIN, EPERM, EACCES, EINVAL],
  mprotect: [ENOMEM, EACCES, EPERM, EINVAL],
  munmap: [ENOMEM, EINVAL, EPERM],
  sysconf: [EINVAL],
};

/** The system calls themselves fail. */
export function faultySystem(): FaultyMemory {
  const library = Deno.dlopen("libc.so.6", {
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
    mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
    munmap: { parameters: ["usize", "usize"], result: "i32" },
    sysconf: { parameters: ["i32"], result: "i64" },
  });
  const real = library.symbols;
  const trigger = new Trigger();
  let taken = 0n;
  const system: PosixSystem = {
    mmap(address, length, ...rest) {
      if (trigger.fires("mmap")) return MAP_FAILED;
      const base = real.mmap(address, length, ...rest);
      if (base !== MAP_FAILED) taken += length;
      return base;
    },
    mprotect: (...parameters) => trigger.fires("mprotect") ? -1 : real.mprotect(...parameters),
    munmap(address, length) {
      if (trigger.fires("munmap") || real.munmap(address, length) !== 0) return -1;
      taken -= length;
      return 0;
    },
    sysconf: (name) => trigger.fires("sysconf") ? -1n : real.sysconf(name),
    errno: () => trigger.errno,
  };
  return {
    allocator: new LinuxAllocator(system),
    arm: (refusal) => trigger.arm(refusal),
    disarm: () => trigger.disarm(),
    taken: () => taken,
    close: () => library.close(),
  };
}

/** An allocator's own calls. */
export const ALLOCATOR_FAULTS: Faults = { allocate: [ENOMEM], protect: [EACCES], free: [ENOMEM] };

/** Whatever the system, an allocator's own calls fail. */
export function faultyAllocator(): FaultyMemory {
  const real = platformAllocator();
  const trigger = new Trigger();
  const live = new Set<ExecutableMemory>();
  const check = (call: string): void => {
    if (!trigger.fires(call)) return;
    throw new LoadError("OutOfMemory", `Cannot ${call} memory: the test refuses`, {
      call,
      errno: trigger.errno,
    });
  };
  const allocator: MemoryAllocator = {
    get pageSize() {
      return real.pageSize;
    },
    allocate(...parameters) {
      check("allocate");
      const memory = real.allocate(...parameters);
      live.add(memory);
      return memory;
    },
    protect(...parameters) {
      check("protect");
      real.protect(...parameters);
    },
    view: (...parameters) => real.view(...parameters),
    free(memory) {
      check("free");
      real.free(memory);
      live.delete(memory);
    },
    retain: () => real.retain!(),
  };
  return {
    allocator,
    arm: (refusal) => trigger.arm(refusal),
    disarm: () => trigger.disarm(),
    taken: () => [...live].reduce((sum, { size }) => sum + BigInt(size), 0n),
    close: () => {},
  };
}
