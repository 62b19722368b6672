/**
 * Memory that reports what a module takes of it.
 */
import {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  type Protection,
} from "../../src/os/memory/allocator.ts";
import { Finding } from "./outcome.ts";

/** The largest range of any image, however it is aligned. */
const MAX_MEMORY = 2 ** 30 + 2 ** 26;
/** The platform's memory, with a count of live ranges and a limit of their size. */
export class CountingAllocator implements MemoryAllocator {
  live = 0;
  readonly #inner = platformAllocator();

  get pageSize(): number {
    return this.#inner.pageSize;
  }

  allocate(size: number, alignment: number, near?: bigint, below?: bigint): ExecutableMemory {
    if (size > MAX_MEMORY) throw new Finding(`${size} bytes of memory for one module`);
    const memory = this.#inner.allocate(size, alignment, near, below);
    this.live++;
    return memory;
  }

  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    this.#inner.protect(memory, protection, offset, length);
  }

  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    return this.#inner.view(memory, offset, length);
  }

  free(memory: ExecutableMemory): void {
    this.#inner.free(memory);
    this.live--;
  }

  retain(): Disposable {
    return this.#inner.retain?.() ?? { [Symbol.dispose]: () => {} };
  }
}
