/**
 * The least that a load can do by functions of Deno and of the system: it looks
 * at the file, opens it, reads it into fresh memory between guards, and makes
 * it executable. It checks nothing and links nothing, so what it takes is what
 * no way of checking and linking can save.
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
const MADV_POPULATE_WRITE = 23;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
/** From this size on, pages at once cost less than one by one. */
const MANY_BYTES = 65_536;

/** Loads nothing, as directly as JavaScript can. */
export class BareLoader implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", FUNCTIONS);

  /** Reads a file into memory that can be executed. */
  load(path: string): Disposable {
    const { mmap, mprotect, madvise, munmap } = this.#library.symbols;
    const { size } = Deno.statSync(path);
    using file = Deno.openSync(path);
    const length = (BigInt(size) + PAGE - 1n) & -PAGE;
    const base = mmap(0n, length + 2n * PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
    if (base === MAP_FAILED) throw new Error("mmap failed");
    const address = base + PAGE;
    mprotect(address, length, PROT_READ_WRITE);
    if (size >= MANY_BYTES) madvise(address, length, MADV_POPULATE_WRITE);
    const pointer = Deno.UnsafePointer.create(address)!;
    const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size));
    for (let filled = 0; filled < size;) filled += file.readSync(bytes.subarray(filled)) ?? size;
    bytes.buffer.transfer();
    mprotect(address, length, PROT_READ_EXECUTE);
    return { [Symbol.dispose]: () => void munmap(base, length + 2n * PAGE) };
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
