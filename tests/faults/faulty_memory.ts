/**
 * Allocators of real memory whose system refuses one call: the n-th of its kind,
 * with a given error number.
 */
import { type ExecutableMemory, LoadError, type MemoryAllocator, platformAllocator } from "../../mod.ts";
import { LinuxAllocator } from "../../src/os/memory/linux.ts";
import type { PosixSystem } from "../../src/os/memory/posix.ts";

/** For each kind of call, the error numbers with which it may be refused. */
export type Faults = Readonly<Record<string, readonly number[]>>;

/** The calls to refuse. */
export interface Refusal {
  /** The kind of the first call to refuse. */
  readonly call: string;
  readonly errno: number;
  /** The number of that call among calls of its kind, from 1. */
  readonly n: number;
  /** Whether only that call is refused, or from then on all calls of all kinds. */
  readonly extent: "one" | "all";
}

/** An allocator whose calls can be made to fail. */
export interface FaultyMemory {
  readonly allocator: MemoryAllocator;
  /** Refuses calls from now on. */
  arm(refusal: Refusal): void;
  /** Ends refusing; answers whether a call was refused. */
  disarm(): boolean;
  /** The number of bytes that are allocated. */
  allocated(): bigint;
  /** Closes the system's library. */
  close(): void;
}

/** Decides which calls fail. */
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
 * The system calls of Linux. The error numbers for anonymous private memory are
 * those of mmap(2), mprotect(2) and munmap(2); security modules and filters add
 * EPERM and EACCES.
 */
export const LINUX_FAULTS: Faults = {
  mmap: [ENOMEM, EAGAIN, EPERM, EACCES, EINVAL],
  mprotect: [ENOMEM, EACCES, EPERM, EINVAL],
  munmap: [ENOMEM, EINVAL, EPERM],
  sysconf: [EINVAL],
};

/** An allocator for which the system calls fail. */
export function faultySystem(): FaultyMemory {
  const library = Deno.dlopen("libc.so.6", {
    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset); MAP_FAILED, which is -1
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
    // int mprotect(void *addr, size_t len, int prot); -1
    mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
    // int munmap(void *addr, size_t length); -1
    munmap: { parameters: ["usize", "usize"], result: "i32" },
    // long sysconf(int name); -1
    sysconf: { parameters: ["i32"], result: "i64" },
  });
  const real = library.symbols;
  const trigger = new Trigger();
  let allocated = 0n;
  const system: PosixSystem = {
    mmap(address, length, ...rest) {
      if (trigger.fires("mmap")) return MAP_FAILED;
      const base = real.mmap(address, length, ...rest);
      if (base !== MAP_FAILED) allocated += length;
      return base;
    },
    mprotect: (...parameters) => trigger.fires("mprotect") ? -1 : real.mprotect(...parameters),
    munmap(address, length) {
      if (trigger.fires("munmap") || real.munmap(address, length) !== 0) return -1;
      allocated -= length;
      return 0;
    },
    sysconf: (name) => trigger.fires("sysconf") ? -1n : real.sysconf(name),
    errno: () => trigger.errno,
  };
  return {
    allocator: new LinuxAllocator(system),
    arm: (refusal) => trigger.arm(refusal),
    disarm: () => trigger.disarm(),
    allocated: () => allocated,
    close: () => library.close(),
  };
}

/** The calls of an allocator. */
export const ALLOCATOR_FAULTS: Faults = { allocate: [ENOMEM], protect: [EACCES], free: [ENOMEM] };

/** An allocator whose own calls fail, on any system. */
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
    allocated: () => [...live].reduce((sum, { size }) => sum + BigInt(size), 0n),
    close: () => {},
  };
}
