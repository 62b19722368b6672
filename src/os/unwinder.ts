/**
 * The unwinder of the process, which finds the frames of functions that throw,
 * catch and are passed through.
 */

import { openLibrary, type SystemLibrary } from "./library.ts";

/**
 * Of libgcc, whose unwinder the C++ and Rust runtimes of GNU systems use:
 *
 * | C declaration | failure |
 * |---|---|
 * | `void __register_frame(void *begin)` | aborts if memory is exhausted |
 * | `void __deregister_frame(void *begin)` | aborts if it was not registered |
 *
 * `begin` is a whole table that ends with a zero. LLVM's libunwind has functions
 * of the same names that take a single record; systems that use it are not
 * served.
 */
const LIBGCC = {
  __register_frame: { parameters: ["usize"], result: "void" },
  __deregister_frame: { parameters: ["usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libgcc = SystemLibrary<Deno.StaticForeignLibraryInterface<typeof LIBGCC>>;

let libgcc: Libgcc | undefined;
/** How many tables are registered; libgcc stays open for them. */
let registered = 0;

/** Whether modules can tell the unwinder about themselves here. */
export const HAS_UNWINDER: boolean = Deno.build.os === "linux";

/**
 * Makes a table known until the result is disposed of, which must happen while
 * it can still be read.
 *
 * @param address Of a sound table that ends with a zero and describes something.
 * @throws {LoadError} `Unsupported`, `PermissionDenied` if the unwinder cannot be opened.
 */
export function registerEhFrame(address: bigint): Disposable {
  const { symbols } = libgcc ??= openLibrary(["libgcc_s.so.1"], LIBGCC);
  registered++;
  symbols.__register_frame(address);
  return {
    [Symbol.dispose](): void {
      symbols.__deregister_frame(address);
      if (--registered > 0) return;
      libgcc?.close();
      libgcc = undefined;
    },
  };
}
