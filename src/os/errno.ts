/**
 * `errno` of the C library: a variable of each thread, at an address that a function of the library returns.
 */

import { openDynamicLinker } from "./dynamic_linker.ts";
import { LoadError } from "../errors/load_error.ts";

/** The library and the function, on each system. */
const FUNCTIONS: Partial<Record<typeof Deno.build.os, readonly [library: string, name: string]>> = {
  // int *__errno_location(void); cannot fail (LSB Core, "Base Libraries")
  linux: ["libc.so.6", "__errno_location"],
  // int *_errno(void); cannot fail (Universal CRT)
  windows: ["ucrtbase.dll", "_errno"],
};

let known: bigint | undefined;

/**
 * The address of the function that returns the address of the calling thread's `errno`.
 *
 * Platforms: glibc on Linux; on Windows, the universal C runtime, whose `errno` other C runtimes do not set.
 *
 * @throws {LoadError} `Unsupported` where there is no such function.
 */
export function errnoLocation(): bigint {
  return known ??= findErrno();
}

function findErrno(): bigint {
  const names = FUNCTIONS[Deno.build.os];
  if (names === undefined) throw noErrno();
  using linker = openDynamicLinker();
  // Never closed: code has its address.
  const library = linker.open(names[0]);
  const address = library === null ? 0n : linker.find(library, names[1]);
  if (address === 0n) throw noErrno();
  return address;
}

function noErrno(): LoadError {
  return new LoadError("Unsupported", "Cannot capture errno: the C library of this system is not known", {
    hint: "leave out captureErrno, and let a function of the module return errno",
  });
}
