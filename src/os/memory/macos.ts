/**
 * Executable memory on macOS. Its authors have never run it on real hardware:
 * tests check the sequence of calls, with a double in place of the system.
 */
import { openLibrary, type SystemLibrary } from "../library.ts";
import { PagedAllocator } from "./paged.ts";
import { type PosixConstants, posixPages, type PosixSystem } from "./posix.ts";

const LIBSYSTEM_NAMES = ["/usr/lib/libSystem.B.dylib"];

const LIBSYSTEM = {
  // void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset); MAP_FAILED, which is -1
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  // int mprotect(void *addr, size_t len, int prot); -1
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int munmap(void *addr, size_t len); -1
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  // long sysconf(int name); -1
  sysconf: { parameters: ["i32"], result: "i64" },
  // int *__error(void); cannot fail
  __error: { parameters: [], result: "pointer" },
  // void sys_icache_invalidate(void *start, size_t len); cannot fail
  sys_icache_invalidate: { parameters: ["usize", "usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const MACOS: PosixConstants = {
  mapFlags: 0x0002 | 0x1000, // MAP_PRIVATE | MAP_ANON
  mapFixed: 0x10,
  pageSizeName: 29, // _SC_PAGESIZE
  executableRefused:
    "this program lacks the entitlement com.apple.security.cs.allow-unsigned-executable-memory",
  executableHint:
    "sign the program that runs this with com.apple.security.cs.allow-unsigned-executable-memory",
};

/** Opens libSystem. On Intel, sys_icache_invalidate does nothing, so it is called on both processors. */
function openSystem(): SystemLibrary<PosixSystem> {
  const library = openLibrary(LIBSYSTEM_NAMES, LIBSYSTEM);
  const { mmap, mprotect, munmap, sysconf, __error, sys_icache_invalidate: flush } = library.symbols;
  const errno = (): number => new Deno.UnsafePointerView(__error()!).getInt32();
  return { symbols: { mmap, mprotect, munmap, sysconf, errno, flush }, close: () => library.close() };
}

/**
 * The allocator over mmap, mprotect and munmap, **untested on hardware**.
 *
 * Pages are writable first and executable afterwards, by mprotect, on Intel and
 * on Apple silicon alike. Deno itself makes the code that calls native functions
 * in this way, so a program that can call them at all can do this.
 *
 * `MAP_JIT`, Apple's way for just-in-time compilers, does not work here. Its
 * pages are nominally writable and executable at once, and
 * `pthread_jit_write_protect_np` switches the whole thread: while the thread may
 * write, it can run no code that V8 compiled, and JavaScript does the writing.
 *
 * ## Platforms
 *
 * macOS only.
 */
export class MacosAllocator extends PagedAllocator {
  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param system Replaces the operating system, in tests.
   */
  constructor(system?: PosixSystem) {
    super(() => {
      const { symbols, close } = system === undefined ? openSystem() : { symbols: system, close: () => {} };
      return { symbols: posixPages(symbols, MACOS), close };
    });
  }
}
