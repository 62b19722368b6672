/**
 * Anonymous files in memory (Linux): a shared library can be opened from one
 * without a disk, a directory or a permission beyond `--allow-ffi`.
 */

import { LoadError } from "../errors/load_error.ts";
import { cString } from "./c_strings.ts";
import { openLibrary } from "./library.ts";

const FUNCTIONS = {
  // int memfd_create(const char *name, unsigned flags); -1
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  // ssize_t write(int fd, const void *buffer, size_t count); -1, or fewer than count
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // int close(int fd); -1
  close: { parameters: ["i32"], result: "i32" },
  // int *__errno_location(void); cannot fail
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * The functions' addresses. They are called by address, three of them for a
 * library: the fast calls that Deno would compile for them take as long as two
 * hundred such calls.
 */
const ADDRESSES = {
  memfd_create: { type: "pointer" },
  write: { type: "pointer" },
  close: { type: "pointer" },
  __errno_location: { type: "pointer" },
} as const satisfies Record<keyof typeof FUNCTIONS, Deno.ForeignStatic>;

const MFD_CLOEXEC = 1;
/** Never executable, which a library without code need not be; kernels before 6.3 do not know the flag. */
const MFD_NOEXEC_SEAL = 8;

/** Executable, even where the system's default is not; kernels before 6.3 do not know the flag. */
const MFD_EXEC = 16;

type Functions = { readonly [Name in keyof typeof FUNCTIONS]: Deno.UnsafeFnPointer<typeof FUNCTIONS[Name]> };

function functionsAt(addresses: Deno.StaticForeignLibraryInterface<typeof ADDRESSES>): Functions {
  const at = <Name extends keyof Functions>(name: Name) =>
    new Deno.UnsafeFnPointer(addresses[name] as Deno.PointerObject<never>, FUNCTIONS[name]);
  return {
    memfd_create: at("memfd_create"),
    write: at("write"),
    close: at("close"),
    __errno_location: at("__errno_location"),
  };
}

/**
 * Makes files in memory; keeps the C library open until it is disposed.
 *
 * Platforms: Linux only.
 */
export class MemoryFiles implements Disposable {
  readonly #name: Uint8Array<ArrayBuffer>;
  readonly #library = openLibrary(["libc.so.6"], ADDRESSES);
  readonly #functions = functionsAt(this.#library.symbols);

  /** @param name The name of the files in lists of mappings (`/memfd:smf-stub`). */
  constructor(name = "smf-stub") {
    this.#name = cString(name);
  }

  /**
   * Runs `use` with the path of a file that holds `bytes`. The file is gone
   * afterwards, except for mappings of it that `use` has made.
   *
   * @throws {LoadError} `OutOfMemory`, naming the call that was refused.
   */
  withFile<T>(bytes: Uint8Array<ArrayBuffer>, use: (path: string) => T): T {
    using open = this.#open(bytes, MFD_NOEXEC_SEAL);
    return use(uniquePath(open.file));
  }

  /**
   * Makes a file that holds `bytes` and may be mapped executable, and keeps it open until it is disposed of.
   *
   * @returns its path, by which this process and those that debug it can open it.
   * @throws {LoadError} `OutOfMemory`, naming the call that was refused.
   */
  keep(bytes: Uint8Array<ArrayBuffer>): { readonly path: string } & Disposable {
    const { file, [Symbol.dispose]: close } = this.#open(bytes, MFD_EXEC);
    return { path: `/proc/${Deno.pid}/fd/${file}`, [Symbol.dispose]: close };
  }

  /** Makes a file that holds `bytes`, with a flag that the kernel may not know. Disposing closes it. */
  #open(bytes: Uint8Array<ArrayBuffer>, flag: number): { readonly file: number } & Disposable {
    const functions = this.#functions;
    let file = functions.memfd_create.call(this.#name, MFD_CLOEXEC | flag);
    if (file < 0) file = functions.memfd_create.call(this.#name, MFD_CLOEXEC);
    if (file < 0) throw refused(functions, "memfd_create", bytes.length);
    using undo = new DisposableStack();
    undo.defer(() => void functions.close.call(file));
    const written = functions.write.call(file, bytes, BigInt(bytes.length));
    if (Number(written) !== bytes.length) throw refused(functions, "write", bytes.length);
    const close = undo.move();
    return { file, [Symbol.dispose]: () => close.dispose() };
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

function refused(functions: Functions, call: string, size: number): LoadError {
  const location = functions.__errno_location.call();
  const errno = location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
  return new LoadError("OutOfMemory", "Cannot make file in memory: the system refuses it", {
    call,
    errno,
    size,
    hint: "close modules or files, raise the limit of descriptors (ulimit -n), or allow memfd_create",
  });
}

/**
 * A path of an open file that no other file in memory of this process has had.
 *
 * The C library takes libraries with equal paths for one library, and file
 * numbers are reused: by this isolate, by others, by other copies of this
 * package. So the path contains 64 random bits, `./` for 0 and `.//` for 1,
 * which lead to the same file.
 */
function uniquePath(file: number): string {
  let token = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(8))) {
    for (let bit = 0; bit < 8; bit++) token += (byte >> bit) & 1 ? ".//" : "./";
  }
  // Debuggers open the paths of libraries, too: by way of a thread of this process they find nothing, rather than
  // a file of their own with this number, which they would take for the library.
  return `/proc/self/task/${Deno.pid}/fd/${token}${file}`;
}
