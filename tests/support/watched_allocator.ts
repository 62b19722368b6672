/** An allocator whose memory and calls tests can watch. */
import {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  type Protection,
} from "../../src/os/memory/allocator.ts";
import { type Mapping, mappings } from "./process_state.ts";

/** Counts live ranges, and places them where nothing else of this process is mapped. */
export class WatchedAllocator implements MemoryAllocator {
  /** The ranges that are allocated and not freed. */
  readonly live = new Set<ExecutableMemory>();
  /** Every protection that was set, in order. */
  readonly protections: Protection[] = [];
  /** The `near` argument of every allocation, in order. */
  readonly nearby: (bigint | undefined)[] = [];
  /** Offset and length of every announcement of bytes to fill, in order. */
  readonly prefaults: (readonly [offset: number | undefined, length: number | undefined])[] = [];
  readonly #inner = platformAllocator();
  readonly #place: bigint = emptyPlace();
  /** The bounds of all ranges so far, guard pages included: of those in low memory, and of all others. */
  readonly #bounds: Map<boolean, { first: bigint; last: bigint }> = new Map();

  get pageSize(): number {
    return this.#inner.pageSize;
  }

  allocate(size: number, alignment: number, near?: bigint, below?: bigint): ExecutableMemory {
    this.nearby.push(near);
    const memory = this.#inner.allocate(size, alignment, this.#place, below);
    this.live.add(memory);
    const page = BigInt(this.pageSize);
    const [first, last] = [memory.address - page, memory.address + BigInt(memory.size) + page];
    const bounds = this.#bounds.get(below !== undefined);
    if (bounds === undefined) this.#bounds.set(below !== undefined, { first, last });
    else {
      if (first < bounds.first) bounds.first = first;
      if (last > bounds.last) bounds.last = last;
    }
    return memory;
  }

  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    this.protections.push(protection);
    this.#inner.protect(memory, protection, offset, length);
  }

  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    return this.#inner.view(memory, offset, length);
  }

  prefault(memory: ExecutableMemory, offset?: number, length?: number): void {
    this.prefaults.push([offset, length]);
    this.#inner.prefault?.(memory, offset, length);
  }

  free(memory: ExecutableMemory): void {
    this.#inner.free(memory);
    this.live.delete(memory);
  }

  retain(): Disposable {
    return this.#inner.retain?.() ?? { [Symbol.dispose]: () => {} };
  }

  /** The system's own mappings within these bounds; empty where the system does not tell. */
  mappings(): Mapping[] {
    const bounds = [...this.#bounds.values()];
    return mappings().filter(({ start, end }) =>
      bounds.some(({ first, last }) => end > first && start < last)
    );
  }
}

/** An address far from every mapping. V8 reserves address space at random, so no fixed address will do. */
function emptyPlace(): bigint {
  const reach = 1n << 30n; // the distance from `near` that an allocator may go
  const taken = mappings();
  for (let place = 0x1000_0000_0000n;; place += 8n * reach) {
    if (!taken.some(({ start, end }) => end > place - reach && start < place + reach)) return place;
  }
}
