/**
 * The unwinder of the process, which finds the frames of functions that throw,
 * catch or are passed through.
 */

import { HeldLibrary } from "./library.ts";
import { pointerCall } from "./pointer.ts";

/**
 * Functions of libgcc, whose unwinder the C++ and Rust runtimes of GNU systems
 * use. `begin` is a whole table that ends with a zero. LLVM's libunwind has
 * functions of the same names that take a single record; systems that use it are
 * not supported.
 */
const LIBGCC = {
  // void __register_frame(void *begin); aborts if memory is exhausted
  __register_frame: { parameters: ["usize"], result: "void" },
  // void __deregister_frame(void *begin); aborts if it was not registered
  __deregister_frame: { parameters: ["usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Held by each registered table. */
const libgcc = new HeldLibrary("libgcc_s.so.1", LIBGCC);

/** Whether unwind tables can be registered on this system. */
export const HAS_UNWINDER: boolean = Deno.build.os === "linux";

/**
 * Registers an unwind table until the result is disposed of.
 *
 * Safety: the table must be well-formed, end with a zero, describe something, and
 * be readable until the result is disposed of; else a throw ends the process.
 *
 * Platforms: Linux only ({@linkcode HAS_UNWINDER}).
 *
 * @param address The address of the table.
 * @throws {LoadError} `Unsupported`, `PermissionDenied` if the unwinder cannot be opened.
 */
export function registerEhFrame(address: bigint): Disposable {
  const { symbols, close } = libgcc.hold();
  symbols.__register_frame(address);
  return {
    [Symbol.dispose](): void {
      symbols.__deregister_frame(address);
      close();
    },
  };
}

/**
 * Registers an unwind table with an unwinder that is linked into a module.
 *
 * Safety: as for {@linkcode registerEhFrame}; the addresses must be those of the
 * unwinder's own functions, and stay so until the result is disposed of.
 *
 * @param functions The addresses of `__register_frame` and `__deregister_frame`.
 */
export function registerWithOwnUnwinder(
  address: bigint,
  [register, deregister]: readonly [bigint, bigint],
): Disposable {
  pointerCall(register, LIBGCC.__register_frame)(address);
  const end = pointerCall(deregister, LIBGCC.__deregister_frame);
  return { [Symbol.dispose]: () => void end(address) };
}
