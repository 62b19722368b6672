/**
 * Anonymous files in memory (Linux): a shared library can be opened from one
 * without a disk, a directory or a permission beyond `--allow-ffi`.
 */

import { LoadError } from "../errors.ts";
import { openLibrary } from "../system/library.ts";

/**
 * The functions that are used.
 *
 * | C declaration | failure |
 * |---|---|
 * | `int memfd_create(const char *name, unsigned flags)` | −1 |
 * | `ssize_t write(int fd, const void *buffer, size_t count)` | −1, or fewer than `count` |
 * | `int close(int fd)` | −1 |
 * | `int *__errno_location(void)` | never |
 */
const FUNCTIONS = {
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const MFD_CLOEXEC = 1;
/** Never executable; kernels before 6.3 do not know it. The library holds no code, so it need not be. */
const MFD_NOEXEC_SEAL = 8;

const NAME = new TextEncoder().encode("smf-stub\0");

type Functions = Deno.StaticForeignLibraryInterface<typeof FUNCTIONS>;

/** Makes files in memory; keeps the C library open until it is disposed. */
export class MemoryFiles implements Disposable {
  readonly #library = openLibrary(["libc.so.6"], FUNCTIONS);

  /**
   * Runs `use` with a path of a file that holds `bytes`. The file is gone
   * afterwards, but for what `use` has mapped of it.
   *
   * @throws {LoadError} `OutOfMemory` naming the call that was refused.
   */
  withFile<T>(bytes: Uint8Array<ArrayBuffer>, use: (path: string) => T): T {
    const { symbols } = this.#library;
    let file = symbols.memfd_create(NAME, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (file < 0) file = symbols.memfd_create(NAME, MFD_CLOEXEC);
    if (file < 0) throw refused(symbols, "memfd_create", bytes.length);
    try {
      const written = symbols.write(file, bytes, BigInt(bytes.length));
      if (Number(written) !== bytes.length) throw refused(symbols, "write", bytes.length);
      return use(uniquePath(file));
    } finally {
      symbols.close(file);
    }
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

function refused(symbols: Functions, call: string, size: number): LoadError {
  const location = symbols.__errno_location();
  const errno = location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
  return new LoadError("OutOfMemory", "Cannot make stub library: the system refused a file in memory", {
    call,
    errno,
    size,
  });
}

/**
 * A path of an open file that no other stub library in this process had.
 *
 * The C library takes an equal path for the same library, and file numbers are
 * used again: by this isolate, by others, by other copies of this package. So
 * 64 random bits are spelled into the path, `./` for 0 and `.//` for 1, which
 * lead to the same file.
 */
function uniquePath(file: number): string {
  let token = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(8))) {
    for (let bit = 0; bit < 8; bit++) token += (byte >> bit) & 1 ? ".//" : "./";
  }
  return `/proc/self/fd/${token}${file}`;
}
