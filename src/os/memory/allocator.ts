/**
 * Executable memory: the contract, and the allocator of this machine.
 */
import { LoadError } from "../../errors.ts";
import type { MemoryAllocator } from "./contract.ts";
import { LinuxAllocator } from "./linux.ts";
import { MacosAllocator } from "./macos.ts";
import { WindowsAllocator } from "./windows.ts";

export { LinuxAllocator, MacosAllocator, WindowsAllocator };
export { PagedAllocator, type Pages } from "./paged.ts";
export type { SystemLibrary } from "../library.ts";
export type { PosixSystem } from "./posix.ts";
export type { WindowsSystem } from "./windows.ts";
export { detach, type ExecutableMemory, type MemoryAllocator, Protection } from "./contract.ts";

let shared: MemoryAllocator | undefined;

/**
 * The allocator for the operating system that this runs on: one for all users
 * in this isolate. Asking for it opens nothing and needs no permission.
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

/** The policy of {@linkcode platformAllocator}, for any system. */
export function chooseAllocator(os: typeof Deno.build.os): MemoryAllocator {
  switch (os) {
    case "linux":
      return new LinuxAllocator();
    case "windows":
      return new WindowsAllocator();
    case "darwin":
      return new MacosAllocator();
    default:
      throw new LoadError("Unsupported", `Cannot allocate executable memory: no allocator for ${os}`);
  }
}
