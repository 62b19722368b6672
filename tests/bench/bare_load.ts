/**
 * The minimum of a load with functions of Deno and of the system: stats and opens
 * the file, reads it into fresh memory between guard pages, and makes that
 * executable. It neither checks nor links, so no implementation of checking and
 * linking can make a load faster than this.
 */

const FUNCTIONS = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset); MAP_FAILED, which is -1
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  // int mprotect(void *addr, size_t len, int prot); -1
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int madvise(void *addr, size_t length, int advice); -1
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int munmap(void *addr, size_t length); -1
  munmap: { parameters: ["usize", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const PAGE = 4096n;
const [PROT_NONE, PROT_READ_WRITE, PROT_READ_EXECUTE] = [0, 3, 5];
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MADV_HUGEPAGE = 14;
const MADV_POPULATE_WRITE = 23;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
/** Bytes in a large page; a file of half of that gets one, as the loader's images do. */
const LARGE_PAGE = 1n << 21n;
/** From this size on, populating all pages at once is faster than faulting them in. */
const MANY_BYTES = 65_536;

/** Loads files without checking or linking, as directly as JavaScript can. */
export class BareLoader implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", FUNCTIONS);

  /** Reads a file into executable memory. */
  load(path: string): Disposable {
    const { mmap, mprotect, madvise, munmap } = this.#library.symbols;
    const { size } = Deno.statSync(path);
    using file = Deno.openSync(path);
    const length = (BigInt(size) + PAGE - 1n) & -PAGE;
    const isLarge = length >= LARGE_PAGE / 2n;
    const room = isLarge ? (length + LARGE_PAGE - 1n) & -LARGE_PAGE : length;
    const alignment = isLarge ? LARGE_PAGE : PAGE;
    const reserved = PAGE + room + alignment;
    const base = mmap(0n, reserved, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
    if (base === MAP_FAILED) throw new Error("mmap failed");
    const address = (base + PAGE + alignment - 1n) & -alignment;
    mprotect(address, room, PROT_READ_WRITE);
    if (isLarge) madvise(address, room, MADV_HUGEPAGE);
    if (size >= MANY_BYTES) madvise(address, length, MADV_POPULATE_WRITE);
    const pointer = Deno.UnsafePointer.create(address)!;
    const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size));
    for (let filled = 0; filled < size;) filled += file.readSync(bytes.subarray(filled)) ?? size;
    bytes.buffer.transfer();
    mprotect(address, length, PROT_READ_EXECUTE);
    if (room > length) mprotect(address + length, room - length, PROT_NONE);
    return { [Symbol.dispose]: () => void munmap(base, reserved) };
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
