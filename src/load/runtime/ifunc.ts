/**
 * Functions that are chosen when a module is loaded, for the processor that it
 * runs on (IRELATIVE: psABI x86-64, 4.4; "System V ABI for the Arm 64-bit
 * Architecture", GNU_IFUNC).
 */

import { pointerCall } from "../../os/pointer.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { openLibrary } from "../../os/library.ts";

/**
 * `void *resolve(uint64_t hwcap, const uint64_t *more)`: what the processor can
 * do, on aarch64. On x86-64 resolvers take nothing and ask the processor.
 */
const RESOLVER = { parameters: ["u64", "buffer"], result: "usize" } as const;

/** `unsigned long getauxval(unsigned long type)`: 0 if it is unknown. */
const AUXILIARY = { getauxval: { parameters: ["usize"], result: "usize" } } as const;

const [AT_HWCAP, AT_HWCAP2] = [16n, 26n];
/** In the first parameter: there is a second. */
const IFUNC_ARG_HWCAP = 1n << 62n;

/** What resolvers are told, found out once. */
let told: readonly [bigint, BigUint64Array<ArrayBuffer>] | undefined;

function capabilities(): readonly [bigint, BigUint64Array<ArrayBuffer>] {
  if (HOST_ARCH !== Arch.Aarch64 || HOST_PLATFORM !== Platform.Linux) return [0n, new BigUint64Array(3)];
  const library = openLibrary(["libc.so.6"], AUXILIARY);
  const [first, second] = [AT_HWCAP, AT_HWCAP2].map((type) => library.symbols.getauxval(type));
  library.close();
  // Its own size in bytes comes first.
  return [first | IFUNC_ARG_HWCAP, BigUint64Array.of(24n, first, second)];
}

/** The address that a resolver answers. */
export function askResolver(address: bigint): bigint {
  told ??= capabilities();
  return pointerCall(address, RESOLVER)(...told) as bigint;
}
