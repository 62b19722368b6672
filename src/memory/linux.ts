/**
 * Executable memory on Linux.
 */
import { openLibrary, type SystemLibrary } from "./library.ts";
import { PagedAllocator } from "./paged.ts";
import { type PosixConstants, posixPages, type PosixSystem } from "./posix.ts";

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

/** The compiler's support library; the `deno` program depends on it, so it is there. */
const LIBGCC_NAMES = ["libgcc_s.so.1"];

const LIBGCC = {
  // void __clear_cache(void *begin, void *end); cannot fail
  __clear_cache: { parameters: ["usize", "usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const LINUX: PosixConstants = {
  mapFlags: 0x02 | 0x20, // MAP_PRIVATE | MAP_ANONYMOUS
  pageSizeName: 30, // _SC_PAGESIZE
  refusal:
    "the kernel forbids turning writable memory executable here (PR_SET_MDWE, SELinux execmem or the like)",
};

/** Opens libc and, for processors that do not keep instructions and data coherent, the cache clearing. */
function openSystem(): SystemLibrary<PosixSystem> {
  const libc = openLibrary(LIBC_NAMES, LIBC);
  const { mmap, mprotect, munmap, sysconf, __errno_location } = libc.symbols;
  const errno = (): number => new Deno.UnsafePointerView(__errno_location()!).getInt32();
  const system: PosixSystem = { mmap, mprotect, munmap, sysconf, errno };
  if (Deno.build.arch === "x86_64") return { symbols: system, close: () => libc.close() };
  try {
    const libgcc = openLibrary(LIBGCC_NAMES, LIBGCC);
    const { __clear_cache } = libgcc.symbols;
    const flush = (address: bigint, length: bigint): void => __clear_cache(address, address + length);
    const close = (): void => {
      libgcc.close();
      libc.close();
    };
    return { symbols: { ...system, flush }, close };
  } catch (error) {
    libc.close();
    throw error;
  }
}

/**
 * The allocator over mmap, mprotect and munmap.
 *
 * A range is mapped inaccessible, guards included, and its middle is then made
 * readable and writable, so guards cost address space only. libc is opened at
 * the first need and closed when nothing needs it any more.
 */
export class LinuxAllocator extends PagedAllocator {
  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param system Stands in for the operating system, in tests.
   */
  constructor(system?: PosixSystem) {
    super(() => {
      const { symbols, close } = system === undefined ? openSystem() : { symbols: system, close: () => {} };
      return { symbols: posixPages(symbols, LINUX), close };
    });
  }
}
