/** An allocator of real memory that fails to free on demand. */
import { type ExecutableMemory, LoadError, type MemoryAllocator, platformAllocator } from "../../mod.ts";

/** Refuses as many frees, or the range, as a test asks for. */
export class FailingAllocator implements MemoryAllocator {
  readonly #real = platformAllocator();
  /** The number of next frees to refuse. */
  refuse = 0;
  /** A range to refuse to free, once. */
  refuseNext: ExecutableMemory | undefined;
  /** The freed ranges, in order. */
  readonly freed: ExecutableMemory[] = [];
  /** The ranges in use. */
  readonly live = new Set<ExecutableMemory>();

  get pageSize(): number {
    return this.#real.pageSize;
  }

  allocate(size: number, alignment: number, near?: bigint, below?: bigint): ExecutableMemory {
    const memory = this.#real.allocate(size, alignment, near, below);
    this.live.add(memory);
    return memory;
  }

  protect(...parameters: Parameters<MemoryAllocator["protect"]>): void {
    this.#real.protect(...parameters);
  }

  view(...parameters: Parameters<MemoryAllocator["view"]>): Uint8Array<ArrayBuffer> {
    return this.#real.view(...parameters);
  }

  free(memory: ExecutableMemory): void {
    if (this.refuse > 0 || this.refuseNext === memory) {
      if (this.refuseNext === memory) this.refuseNext = undefined;
      else this.refuse--;
      throw new LoadError("OutOfMemory", "Cannot free memory: the test refuses", {
        call: "munmap",
        errno: 12,
      });
    }
    this.#real.free(memory);
    this.live.delete(memory);
    this.freed.push(memory);
  }

  retain(): Disposable {
    return this.#real.retain!();
  }
}
