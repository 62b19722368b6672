/**
 * Machine code of the loader's own that a process has once, for all of its isolates, and
 * for as long as it runs.
 *
 * Isolates find it without any help: it is at an address that follows from the process's
 * secret. The first isolate that reserves the address fills it in; only one can.
 *
 * Platforms: Windows. Linux has shared libraries in memory for this.
 */

import { type DynamicLinker, openDynamicLinker } from "./dynamic_linker.ts";
import { Protection } from "./memory/contract.ts";
import { CURRENT_PROCESS, KERNEL32, MEM_COMMIT, MEM_RESERVE, PAGE } from "./memory/windows.ts";
import { bytesAt } from "./native_memory.ts";
import { pointerCall } from "./pointer.ts";
import { processSecret } from "./process.ts";

/** An image as it is in memory. */
export interface SharedImage {
  /** A number that no other image has. */
  readonly identity: bigint;
  /** Its size in memory in bytes; zeros follow `bytes`. */
  readonly size: number;
  readonly bytes: () => Uint8Array<ArrayBuffer>;
  /** The size of the code in front, in whole pages. */
  readonly code: number;
  /** The offset of 8 zeros that get the identity once the image is complete; addresses of `imports` follow. */
  readonly table: number;
  /** The functions of kernel32.dll that the code calls. */
  readonly imports: readonly string[];
}

const FUNCTIONS = {
  VirtualAlloc: KERNEL32.VirtualAlloc,
  VirtualProtect: KERNEL32.VirtualProtect,
  FlushInstructionCache: KERNEL32.FlushInstructionCache,
  // SIZE_T VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength); 0
  VirtualQuery: { parameters: ["usize", "buffer", "usize"], result: "usize" },
  // void Sleep(DWORD dwMilliseconds); cannot fail
  Sleep: { parameters: ["u32"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** Addresses that are tried: multiples of the granularity of reservations, above those of programs and libraries. */
const FIRST = 1n << 40n, GRANULARITY = 1n << 16n, COUNT = 1n << 29n;
/** How many addresses are tried. Hardly any of them is ever in use. */
const ATTEMPTS = 8n;
/** How long another isolate is given for filling the image in, in milliseconds. */
const PATIENCE = 1000;

type Functions = Record<keyof typeof FUNCTIONS, (...parameters: unknown[]) => unknown>;

/**
 * The address of the image, which is made unless an isolate of this process has made it.
 *
 * Safety: the image's code must be sound, and must call its imports as they are declared.
 *
 * Platforms: Windows only.
 *
 * @returns null if the system refuses the memory, or lacks one of the imports.
 */
export function findOrMakeImage(image: SharedImage): bigint | null {
  using linker = openDynamicLinker();
  const kernel = linker.open("kernel32.dll");
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, definition]) => [
      name,
      pointerCall(linker.find(kernel, name), definition),
    ]),
  ) as Functions;
  const secret = processSecret() ^ image.identity;
  for (let attempt = 1n; attempt <= ATTEMPTS; attempt++) {
    const chance = BigInt.asUintN(64, secret * (2n * attempt + 0x9e37_79b9_7f4a_7c15n)) >> 35n;
    const address = FIRST + GRANULARITY * (chance % COUNT);
    const base = functions.VirtualAlloc(
      address,
      BigInt(image.size),
      MEM_RESERVE | MEM_COMMIT,
      PAGE[Protection.READ_WRITE],
    );
    if (base === address) return fillIn(image, address, functions, linker, kernel) ? address : null;
    if (isThere(image, address, functions)) return address;
  }
  return null;
}

/** Fills the memory in. If that fails, the memory stays, and says so to isolates that look at it. */
function fillIn(
  { bytes, size, code, table, imports, identity }: SharedImage,
  address: bigint,
  { VirtualProtect, FlushInstructionCache }: Functions,
  linker: DynamicLinker,
  kernel: Deno.PointerValue,
): boolean {
  const memory = bytesAt(address, size);
  memory.set(bytes());
  const words = new DataView(memory.buffer);
  const addresses = imports.map((name) => linker.find(kernel, name));
  addresses.forEach((each, index) => words.setBigUint64(table + 8 * (index + 1), each, true));
  const isComplete = !addresses.includes(0n) &&
    VirtualProtect(address, BigInt(code), PAGE[Protection.READ_EXECUTE], new Uint8Array(4)) !== 0 &&
    FlushInstructionCache(CURRENT_PROCESS, address, BigInt(code)) !== 0;
  words.setBigUint64(table, isComplete ? identity : ~identity, true);
  return isComplete;
}

/** Whether the image is at an address, or will be there in a moment. */
function isThere(
  { table, identity }: SharedImage,
  address: bigint,
  { VirtualQuery, Sleep }: Functions,
): boolean {
  const place = address + BigInt(table);
  const region = new BigUint64Array(6);
  if (VirtualQuery(place, region, 48n) === 0n) return false;
  // MEMORY_BASIC_INFORMATION: AllocationBase @8, State @32, Protect @36. Memory of anybody else begins elsewhere.
  const committed = BigInt(MEM_COMMIT) + (BigInt(PAGE[Protection.READ_WRITE]) << 32n);
  if (region[1] !== address || region[4] !== committed) return false;
  for (let waited = 0; waited < PATIENCE; waited++) {
    const found = new BigUint64Array(bytesAt(place, 8).buffer)[0];
    if (found !== 0n) return found === identity;
    Sleep(1);
  }
  return false;
}
