/**
 * `memory/`: executable memory from the operating system. This file chooses the
 * allocator of this system.
 */
import { LoadError } from "../../errors/load_error.ts";
import type { MemoryAllocator } from "./contract.ts";
import { LinuxAllocator } from "./linux.ts";
import { MacosAllocator } from "./macos.ts";
import { WindowsAllocator } from "./windows.ts";

export { LinuxAllocator, MacosAllocator, WindowsAllocator };
export { noRoomBelow, PagedAllocator, type Pages } from "./paged.ts";
export type { SystemLibrary } from "../library.ts";
export type { PosixSystem } from "./posix.ts";
export type { WindowsSystem } from "./windows.ts";
export {
  ALLOCATOR,
  detach,
  type ExecutableMemory,
  type MemoryAllocator,
  prefault,
  PREFAULT_SIZE,
  Protection,
} from "./contract.ts";

let shared: MemoryAllocator | undefined;

/**
 * The allocator of this operating system, shared by all users in this isolate.
 * Getting it opens nothing and needs no permission.
 *
 * ## Platforms
 *
 * mmap on Linux and macOS, VirtualAlloc on Windows. macOS is untested on
 * hardware.
 *
 * @throws {LoadError} `Unsupported` on other systems than Linux, Windows and macOS.
 *
 * @example Pages that are written, then only read
 * ```ts
 * import { platformAllocator, Protection } from "@simple/loader";
 * import { assert } from "@std/assert";
 *
 * const allocator = platformAllocator();
 * const memory = allocator.allocate(100, allocator.pageSize);
 * allocator.view(memory).fill(7);
 * allocator.protect(memory, Protection.READ_ONLY);
 * assert(memory.size >= 100 && memory.address > 0n);
 * allocator.free(memory);
 * ```
 */
export function platformAllocator(): MemoryAllocator {
  return shared ??= chooseAllocator(Deno.build.os);
}

/** The allocator that {@linkcode platformAllocator} chooses on a system. */
export function chooseAllocator(os: typeof Deno.build.os): MemoryAllocator {
  switch (os) {
    case "linux":
      return new LinuxAllocator();
    case "windows":
      return new WindowsAllocator();
    case "darwin":
      return new MacosAllocator();
    default:
      throw new LoadError("Unsupported", `Cannot allocate executable memory: ${os} has no allocator`, {
        hint:
          "run on Linux, Windows or macOS, or pass a MemoryAllocator of your own as the option `allocator`",
      });
  }
}
