/** An allocator of real memory that refuses one of its calls, for faults at any step. */
import { type ExecutableMemory, LoadError, type MemoryAllocator, platformAllocator } from "../../mod.ts";

/** An allocator that refuses one of its calls. */
export class RefusingAllocator implements MemoryAllocator {
  readonly #real = platformAllocator();
  /** Counts the calls that can fail. */
  calls = 0;
  /** The call that is refused; 0 for none. */
  refused = 0;
  live = new Set<ExecutableMemory>();

  get pageSize(): number {
    return this.#real.pageSize;
  }

  #count(call: string): void {
    if (++this.calls !== this.refused) return;
    throw new LoadError("OutOfMemory", "Cannot do this: the test refuses", { call, errno: 12 });
  }

  allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    this.#count("mmap");
    const memory = this.#real.allocate(size, alignment, near);
    this.live.add(memory);
    return memory;
  }

  protect(...parameters: Parameters<MemoryAllocator["protect"]>): void {
    this.#count("mprotect");
    this.#real.protect(...parameters);
  }

  view(...parameters: Parameters<MemoryAllocator["view"]>): Uint8Array<ArrayBuffer> {
    return this.#real.view(...parameters);
  }

  free(memory: ExecutableMemory): void {
    this.#real.free(memory);
    this.live.delete(memory);
  }

  retain(): Disposable {
    return this.#real.retain!();
  }
}
