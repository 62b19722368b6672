/**
 * A number that every isolate of this process can find out, and hardly anybody
 * else: so a token can prove where it comes from. It guards against mistakes,
 * not against code that may use FFI and thus do anything.
 */

import { openLibrary } from "./library.ts";

/** What the address space of this process looks like is decided at random, once, when it starts. */
const WITNESSES = {
  /** `unsigned long getauxval(unsigned long type)`: the address of 16 random bytes; 0 if unknown. */
  linux: { names: ["libc.so.6"], call: "getauxval", definition: { parameters: ["usize"], result: "usize" } },
  /** `HANDLE GetProcessHeap(void)`: the address of the process's heap. */
  windows: {
    names: ["kernel32.dll"],
    call: "GetProcessHeap",
    definition: { parameters: [], result: "usize" },
  },
  /** `char ***_NSGetEnviron(void)`: the address of the environment. */
  darwin: {
    names: ["libSystem.B.dylib"],
    call: "_NSGetEnviron",
    definition: { parameters: [], result: "usize" },
  },
} as const;

const AT_RANDOM = 25n;

let secret: bigint | undefined;

/** 64 bits; equal in all isolates of a process. */
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
  const library = openLibrary(names, { [call]: definition });
  try {
    return (library.symbols[call] as (...parameters: readonly bigint[]) => bigint)(...parameters);
  } finally {
    library.close();
  }
}
