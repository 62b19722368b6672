/**
 * Calls ifunc resolvers, which choose the variant of a function for the
 * processor when a module is loaded (IRELATIVE: psABI x86-64, 4.4; "System V ABI
 * for the Arm 64-bit Architecture", GNU_IFUNC).
 */

import { pointerCall } from "../../os/pointer.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { openLibrary } from "../../os/library.ts";

/**
 * `void *resolve(uint64_t hwcap, const uint64_t *more)`: on aarch64 the arguments
 * are the processor's capabilities. On x86-64 resolvers ignore them and use CPUID.
 */
const RESOLVER = { parameters: ["u64", "buffer"], result: "usize" } as const;

/** `unsigned long getauxval(unsigned long type)`: 0 if it is unknown. */
const AUXILIARY = { getauxval: { parameters: ["usize"], result: "usize" } } as const;

const [AT_HWCAP, AT_HWCAP2] = [16n, 26n];
/** Set in the first argument if there is a second. */
const IFUNC_ARG_HWCAP = 1n << 62n;

type ResolverArguments = readonly [hwcap: bigint, more: BigUint64Array<ArrayBuffer>];

/** The same for all resolvers. */
let resolverArguments: ResolverArguments | undefined;

function readCapabilities(): ResolverArguments {
  if (HOST_ARCH !== Arch.Aarch64 || HOST_PLATFORM !== Platform.Linux) return [0n, new BigUint64Array(3)];
  using libraries = new DisposableStack();
  const { symbols } = libraries.adopt(openLibrary(["libc.so.6"], AUXILIARY), (library) => library.close());
  const [first, second] = [AT_HWCAP, AT_HWCAP2].map((type) => symbols.getauxval(type));
  // The structure begins with its own size in bytes.
  return [first | IFUNC_ARG_HWCAP, BigUint64Array.of(24n, first, second)];
}

/**
 * Calls the resolver at an address.
 *
 * Safety: there must be an ifunc resolver, in executable memory.
 *
 * Platforms: on aarch64 Linux the resolver gets the processor's capabilities.
 *
 * @returns the address of the variant; 0 if the resolver found none.
 */
export function callIfuncResolver(address: bigint): bigint {
  resolverArguments ??= readCapabilities();
  return pointerCall(address, RESOLVER)(...resolverArguments) as bigint;
}
