/**
 * Constants of a module that are writable for a while.
 */

import type { Region } from "../image/arrange.ts";
import { type ExecutableMemory, type MemoryAllocator, Protection } from "../os/memory/allocator.ts";

/**
 * Makes a region of constants writable, not executable, until the result is disposed.
 *
 * @throws {LoadError} `OutOfMemory` if the system refuses that.
 */
export function openConstants(
  allocator: MemoryAllocator,
  memory: ExecutableMemory,
  { offset, length }: Region,
): Disposable {
  allocator.protect(memory, Protection.READ_WRITE, offset, length);
  return {
    [Symbol.dispose]() {
      try {
        allocator.protect(memory, Protection.READ_ONLY, offset, length);
      } catch {
        // They stay writable, never executable.
      }
    },
  };
}
