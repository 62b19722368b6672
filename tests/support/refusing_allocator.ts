/** An allocator of real memory that refuses one of its calls, for faults at any step. */
import { type ExecutableMemory, LoadError, type MemoryAllocator } from "../../mod.ts";
import { FailingAllocator } from "./failing_allocator.ts";

/** An allocator that refuses one of its calls. */
export class RefusingAllocator extends FailingAllocator {
  /** Counts the calls that can fail. */
  calls = 0;
  /** The call that is refused; 0 for none. */
  refused = 0;

  #count(call: string): void {
    if (++this.calls !== this.refused) return;
    throw new LoadError("OutOfMemory", "Cannot do this: the test refuses", { call, errno: 12 });
  }

  override allocate(...parameters: Parameters<MemoryAllocator["allocate"]>): ExecutableMemory {
    this.#count("mmap");
    return super.allocate(...parameters);
  }

  override protect(...parameters: Parameters<MemoryAllocator["protect"]>): void {
    this.#count("mprotect");
    super.protect(...parameters);
  }
}
