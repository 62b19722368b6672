/**
 * A number that every isolate of this process can find out, and hardly any other
 * program: a token that contains it proves where it comes from. It guards
 * against mistakes, not against code that may use FFI and thus do anything.
 */

import { openLibrary } from "./library.ts";

/** Functions whose results are random and the same throughout the process: its address space is randomised once, at its start. */
const WITNESSES = {
  linux: {
    names: ["libc.so.6"],
    call: "getauxval",
    // unsigned long getauxval(unsigned long type); 0. For AT_RANDOM: the address of 16 random bytes.
    definition: { parameters: ["usize"], result: "usize" },
  },
  windows: {
    names: ["kernel32.dll"],
    call: "GetProcessHeap",
    // HANDLE GetProcessHeap(void); NULL. The address of the process's heap.
    definition: { parameters: [], result: "usize" },
  },
  darwin: {
    names: ["libSystem.B.dylib"],
    call: "_NSGetEnviron",
    // char ***_NSGetEnviron(void); cannot fail. The address of the environment.
    definition: { parameters: [], result: "usize" },
  },
} as const;

const AT_RANDOM = 25n;

let secret: bigint | undefined;

/**
 * A secret of 64 bits, equal in all isolates of a process.
 *
 * Platforms: random bytes of the kernel on Linux; a randomised address elsewhere,
 * which has less than 64 bits of chance.
 */
export function processSecret(): bigint {
  return secret ??= witness() * 0x9e37_79b9_7f4a_7c15n + BigInt(Deno.pid) & 0xffff_ffff_ffff_ffffn;
}

function witness(): bigint {
  switch (Deno.build.os) {
    case "windows":
      return callOnce(WITNESSES.windows, []);
    case "darwin":
      return callOnce(WITNESSES.darwin, []);
    default: {
      const address = callOnce(WITNESSES.linux, [AT_RANDOM]);
      const pointer = Deno.UnsafePointer.create(address);
      return pointer === null ? address : new Deno.UnsafePointerView(pointer).getBigUint64();
    }
  }
}

function callOnce(
  { names, call, definition }: (typeof WITNESSES)[keyof typeof WITNESSES],
  parameters: readonly bigint[],
): bigint {
  using library = openLibrary(names, { [call]: definition });
  return (library.symbols[call] as (...parameters: readonly bigint[]) => bigint)(...parameters);
}
