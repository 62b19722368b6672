/**
 * Calls ifunc resolvers, which choose the variant of a function for the
 * processor when a module is loaded (IRELATIVE: psABI x86-64, 4.4; "System V ABI
 * for the Arm 64-bit Architecture", GNU_IFUNC).
 */

import { pointerCall } from "../../os/pointer.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { openLibrary } from "../../os/library.ts";
import { relocationError } from "../../image/relocation/scan.ts";
import { detach } from "../../os/memory/allocator.ts";
import type { PlacedImage } from "../image.ts";
import { EH_FRAME } from "./unwind_registration.ts";

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
 * Checks every ifunc of a relocated image, before the first resolver runs.
 *
 * @throws {LoadError} `RelocationFailed` if a resolver is not code of the module,
 * or if its word is in code or in the unwind tables, which were checked already.
 */
export function checkIfuncs({ file, plan, needs }: PlacedImage): void {
  const { relocations, symbols } = file;
  const tables = plan.sections.filter(({ section }) => section.name === EH_FRAME);
  for (const index of needs.ifuncs) {
    const symbol = relocations.symbol(index);
    const resolver = symbols.value(symbol) + Number(relocations.addend(index));
    if (!symbols.isDefined(symbol) || !plan.isCode(resolver)) {
      throw relocationError(file, index, "Cannot resolve ifunc: its resolver is not code of the module", {
        hint: "link the objects again with smf link, which makes ifuncs as they must be",
      });
    }
    if (plan.isCode(relocations.offset(index))) {
      throw relocationError(file, index, "Cannot resolve ifunc: its word is in code, which is not writable", {
        hint: INTO_THE_GOT,
      });
    }
    const word = plan.place(relocations.offset(index), 8);
    if (tables.some(({ section, offset }) => word + 8 > offset && word < offset + section.virtualSize)) {
      throw relocationError(file, index, "Cannot resolve ifunc: its word is in the unwind tables", {
        hint: INTO_THE_GOT,
      });
    }
  }
}

const INTO_THE_GOT = "link the objects again with smf link, which puts such words into the GOT";

/**
 * Calls the resolvers and stores the chosen addresses. Code can run by now, and
 * the GOT is still writable.
 *
 * Safety: the image's ifuncs must have been checked by {@linkcode checkIfuncs}.
 *
 * Platforms: on aarch64 Linux resolvers get the processor's capabilities.
 *
 * @throws {LoadError} `RelocationFailed` if a resolver returns null.
 */
export function resolveIfuncs({ allocator, memory, file, plan, needs }: PlacedImage): void {
  if (needs.ifuncs.length === 0) return;
  resolverArguments ??= readCapabilities();
  using views = new DisposableStack();
  // Everything behind the code is still writable.
  const start = plan.code.offset + plan.code.length;
  const bytes = views.adopt(allocator.view(memory, start, memory.size - start), detach);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const index of needs.ifuncs) {
    const word = plan.place(file.relocations.offset(index), 8) - start;
    const address = pointerCall(words.getBigUint64(word, true), RESOLVER)(...resolverArguments) as bigint;
    if (address === 0n) {
      throw relocationError(file, index, "Cannot resolve ifunc: its resolver returned null", {
        hint: "give the function a variant that runs on every processor",
      });
    }
    words.setBigUint64(word, address, true);
  }
}
