/**
 * Executable memory on Linux.
 */
import { openLibrary, type SystemLibrary } from "../library.ts";
import { PagedAllocator } from "./paged.ts";
import { type PosixConstants, posixPages, type PosixSystem } from "./posix.ts";
import type { Remapping } from "./shared_pages.ts";

/** glibc's name, then musl's. */
const LIBC_NAMES = ["libc.so.6", "libc.so"];

const LIBC = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset); MAP_FAILED, which is -1
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  // int mprotect(void *addr, size_t len, int prot); -1
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int munmap(void *addr, size_t length); -1
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  // long sysconf(int name); -1
  sysconf: { parameters: ["i32"], result: "i64" },
  // int *__errno_location(void); cannot fail
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bound only when a large module needs it: each function that is bound costs time. */
const ADVICE = {
  // int madvise(void *addr, size_t length, int advice); -1
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bound only when a reload finds constants that are as before. */
const REMAPPING = {
  // void *mremap(void *old, size_t old_size, size_t new_size, int flags, void *new); MAP_FAILED, which is -1
  mremap: { parameters: ["usize", "usize", "usize", "i32", "usize"], result: "usize" },
  // int memcmp(const void *left, const void *right, size_t length); cannot fail
  memcmp: { parameters: ["usize", "usize", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The compiler's support library; the `deno` program depends on it, so it is there. */
const LIBGCC_NAMES = ["libgcc_s.so.1"];

const LIBGCC = {
  // void __clear_cache(void *begin, void *end); cannot fail
  __clear_cache: { parameters: ["usize", "usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const KERNEL = {
  // long syscall(long number, ...), here membarrier(int cmd, unsigned flags, int cpu); -1
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

/** `__NR_membarrier` of aarch64. */
const MEMBARRIER = 283n;
/** Commands of membarrier; their C names begin with `MEMBARRIER_CMD_`. */
const PRIVATE_EXPEDITED_SYNC_CORE = 1n << 5n;
const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 1n << 6n;

const LINUX: PosixConstants = {
  mapFlags: 0x02 | 0x20, // MAP_PRIVATE | MAP_ANONYMOUS
  mapFixed: 0x10,
  pageSizeName: 30, // _SC_PAGESIZE
  populateWrite: 23, // MADV_POPULATE_WRITE, since Linux 5.14
  hugePage: 14, // MADV_HUGEPAGE
  executableRefused:
    "the kernel forbids turning writable memory executable here (PR_SET_MDWE, SELinux execmem or the like)",
  executableHint:
    "allow this process to make memory executable: run it without PR_SET_MDWE or such a filter, " +
    "and with execmem in SELinux",
};

/**
 * Opens libc and, for processors that do not keep instruction and data caches
 * coherent, the functions that make new code visible (Arm Architecture Reference
 * Manual, B2.2.5, "Concurrent modification and execution of instructions"):
 *
 * 1. `__clear_cache` writes the data cache back and drops the lines from every
 *    core's instruction cache.
 * 2. `membarrier` makes every running thread of the process discard the
 *    instructions that its pipeline has fetched, before the new code's address is
 *    published. On kernels without it only the change of protection has such an
 *    effect.
 */
function openSystem(): SystemLibrary<PosixSystem> {
  using opening = new DisposableStack();
  const { mmap, mprotect, munmap, sysconf, __errno_location } =
    opening.use(openLibrary(LIBC_NAMES, LIBC)).symbols;
  const errno = (): number => new Deno.UnsafePointerView(__errno_location()!).getInt32();
  const flush = Deno.build.arch === "x86_64" ? undefined : openFlush(opening);
  const opened = opening.move();
  let advise: typeof system.madvise;
  const openAdvice = () => opened.use(openLibrary(LIBC_NAMES, ADVICE)).symbols.madvise;
  let remapping: Remapping | undefined;
  const openRemapping = () => remapping ??= opened.use(openLibrary(LIBC_NAMES, REMAPPING)).symbols;
  const system: PosixSystem = {
    mmap,
    mprotect,
    munmap,
    sysconf,
    errno,
    madvise: (address, length, advice) => (advise ??= openAdvice())(address, length, advice),
    flush,
    // Tested on this processor only; emulators do not know such calls.
    ...Deno.build.arch === "x86_64" && {
      remapping: {
        mremap: (...moved) => openRemapping().mremap(...moved),
        memcmp: (...compared) => openRemapping().memcmp(...compared),
      },
    },
  };
  return { symbols: system, close: () => opened.dispose() };
}

/** The function that makes new code visible; `opening` owns its libraries. */
function openFlush(opening: DisposableStack): PosixSystem["flush"] {
  const { __clear_cache } = opening.use(openLibrary(LIBGCC_NAMES, LIBGCC)).symbols;
  const { syscall } = opening.use(openLibrary(LIBC_NAMES, KERNEL)).symbols;
  const membarrier = (command: bigint): bigint => syscall(MEMBARRIER, command, 0n, 0n);
  // A process must register before it may use this command.
  const hasBarrier = membarrier(REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) === 0n;
  return (address, length) => {
    __clear_cache(address, address + length);
    if (hasBarrier) membarrier(PRIVATE_EXPEDITED_SYNC_CORE);
  };
}

/**
 * The allocator over mmap, mprotect and munmap.
 *
 * A range is mapped inaccessible, guards included, and its middle is then made
 * readable and writable, so guards cost address space only. libc is opened when
 * it is first needed and closed when nothing needs it any more.
 *
 * ## Platforms
 *
 * Linux only.
 */
export class LinuxAllocator extends PagedAllocator {
  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param system Replaces the operating system, in tests.
   */
  constructor(system?: PosixSystem) {
    super(() => {
      const { symbols, close } = system === undefined ? openSystem() : { symbols: system, close: () => {} };
      return { symbols: posixPages(symbols, LINUX), close };
    });
  }
}
