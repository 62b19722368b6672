/**
 * The features of this processor: from CPUID and XGETBV on x86-64, from the kernel's
 * hardware capabilities on aarch64. Asked at most once in each isolate.
 */

import { openLibrary } from "./library.ts";
import { detach, type MemoryAllocator, platformAllocator, Protection } from "./memory/allocator.ts";
import { pointerCall } from "./pointer.ts";

/** The words of a processor that say which features it has; 0 where it has no such word. */
export interface ProcessorWords {
  /** CPUID, leaf 1, ECX. */
  readonly leaf1: number;
  /** CPUID, leaf 7, subleaf 0, EBX. */
  readonly leaf7: number;
  /** CPUID, leaf 0x80000001, ECX. */
  readonly extended: number;
  /** XCR0: the registers that the operating system saves when it switches threads. */
  readonly xcr0: number;
  /** AT_HWCAP of Linux on aarch64. */
  readonly hwcap: number;
}

const NOTHING: ProcessorWords = { leaf1: 0, leaf7: 0, extended: 0, xcr0: 0, hwcap: 0 };

let known: ProcessorWords | undefined;

/**
 * Asks the processor.
 *
 * Platforms: on aarch64, Linux tells its capabilities, and all processors of Macs
 * have those of Armv8.4; of others nothing is known, so every word is 0.
 *
 * @throws {LoadError} `PermissionDenied`, `OutOfMemory`.
 */
export function processorWords(): ProcessorWords {
  return known ??= askProcessor(platformAllocator());
}

/** Asks again: {@linkcode processorWords} without its memory. */
export function askProcessor(allocator: MemoryAllocator): ProcessorWords {
  return Deno.build.arch === "x86_64" ? askX86(allocator) : askArm();
}

// Both functions get the address of five words as all four of their parameters, so that RCX has it under every
// calling convention: they read EAX and ECX from the first two, and write their results.
// deno-fmt-ignore
const CODE = new Uint8Array([
  0x53, //                   push rbx
  0x49, 0x89, 0xc8, //       mov r8, rcx
  0x41, 0x8b, 0x00, //       mov eax, [r8]
  0x41, 0x8b, 0x48, 0x04, // mov ecx, [r8 + 4]
  0x0f, 0xa2, //             cpuid
  0x41, 0x89, 0x00, //       mov [r8], eax
  0x41, 0x89, 0x58, 0x04, // mov [r8 + 4], ebx
  0x41, 0x89, 0x48, 0x08, // mov [r8 + 8], ecx
  0x41, 0x89, 0x50, 0x0c, // mov [r8 + 12], edx
  0x5b, //                   pop rbx
  0xc3, //                   ret
  0x49, 0x89, 0xc8, //       mov r8, rcx
  0x31, 0xc9, //             xor ecx, ecx
  0x0f, 0x01, 0xd0, //       xgetbv
  0x41, 0x89, 0x00, //       mov [r8], eax
  0xc3, //                   ret
]);
/** The offset of the second function. */
const XGETBV = 30n;

const DEFINITION = {
  parameters: ["buffer", "buffer", "buffer", "buffer"],
  result: "void",
} as const satisfies Deno.ForeignFunction;

const OSXSAVE = 1 << 27;

function askX86(allocator: MemoryAllocator): ProcessorWords {
  using undo = new DisposableStack();
  const memory = undo.adopt(allocator.allocate(CODE.length, 16), (memory) => allocator.free(memory));
  const bytes = allocator.view(memory);
  bytes.set(CODE);
  detach(bytes);
  allocator.protect(memory, Protection.READ_EXECUTE);

  const words = new Uint32Array(4);
  const cpuidAt = pointerCall(memory.address, DEFINITION);
  const cpuid = (leaf: number): Uint32Array => {
    words[0] = leaf;
    words[1] = 0;
    cpuidAt(words, words, words, words);
    return words;
  };
  const [highest] = cpuid(0);
  const [highestExtended] = cpuid(0x8000_0000);
  const leaf1 = cpuid(1)[2];
  const leaf7 = highest >= 7 ? cpuid(7)[1] : 0;
  const extended = highestExtended >= 0x8000_0001 ? cpuid(0x8000_0001)[2] : 0;
  let xcr0 = 0;
  // Without OSXSAVE the instruction does not exist.
  if ((leaf1 & OSXSAVE) !== 0) {
    pointerCall(memory.address + XGETBV, DEFINITION)(words, words, words, words);
    xcr0 = words[0];
  }
  return { ...NOTHING, leaf1, leaf7, extended, xcr0 };
}

const LIBC = {
  // unsigned long getauxval(unsigned long type); 0
  getauxval: { parameters: ["usize"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

const AT_HWCAP = 16n;

function askArm(): ProcessorWords {
  if (Deno.build.os === "darwin") return { ...NOTHING, hwcap: 0xffff_ffff };
  if (Deno.build.os !== "linux") return NOTHING;
  using library = openLibrary(["libc.so.6"], LIBC);
  return { ...NOTHING, hwcap: Number(library.symbols.getauxval(AT_HWCAP) & 0xffff_ffffn) };
}
