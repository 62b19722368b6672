/**
 * The part of an allocator that is the same everywhere: guards, alignment,
 * nearness, and the order in which things are undone when a call fails.
 */
import type { LoadError } from "../../errors.ts";
import { type ExecutableMemory, type MemoryAllocator, Protection } from "./contract.ts";
import { layOut, Ledger, type Reservation } from "./ledger.ts";
import type { SystemLibrary } from "../library.ts";
import { alignUp, isNear, reserveNear } from "./near.ts";

/** What a system does with pages. Addresses are multiples of the page size, lengths in bytes. */
export interface Pages {
  /** Bytes in a page. */
  pageSize(): number;
  /** What the address of a reservation is a multiple of. */
  granularity(): number;
  /** Takes inaccessible address space, at `hint` if that is free; 0n means anywhere. `undefined` if refused. */
  reserve(hint: bigint, length: number): bigint | undefined;
  /** Why {@linkcode Pages.reserve} was refused; asked right after it. */
  refusal(length: number): LoadError;
  /** Backs reserved pages with zeroed memory, readable and writable; the error if refused. */
  commit(address: bigint, length: number): LoadError | undefined;
  /** Changes protections; the error if refused. */
  protect(address: bigint, length: number, protection: Protection): LoadError | undefined;
  /** Gives writable pages their memory before they are touched, if it can; absent where there is no such thing. */
  prefault?(address: bigint, length: number): void;
  /** Gives a whole reservation back; the error if refused. */
  release(base: bigint, length: number): LoadError | undefined;
  /** Gives a part of a reservation back, and answers whether that worked; absent where there is no such thing. */
  trim?(base: bigint, length: number): boolean;
  /** Makes written instructions visible; absent where the processor does that itself. */
  flush?(address: bigint, length: number): void;
}

/**
 * What the allocators of this package share. Not made directly: use
 * {@linkcode LinuxAllocator}, {@linkcode WindowsAllocator},
 * {@linkcode MacosAllocator} or {@linkcode platformAllocator}.
 */
export class PagedAllocator implements MemoryAllocator {
  #ledger: Ledger<Pages>;
  #pageSize: number | undefined;

  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param open Opens what the system's calls need: at the first need, and again after it was closed.
   */
  protected constructor(open: () => SystemLibrary<Pages>) {
    this.#ledger = new Ledger(open);
  }

  /** Bytes in a page: the unit of every protection. */
  get pageSize(): number {
    return this.#pageSize ??= this.#ledger.run((pages) => pages.pageSize());
  }

  /** Reserves zeroed pages between guards; see {@linkcode MemoryAllocator.allocate}. */
  allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    return this.#ledger.run((pages) => {
      const page = this.pageSize;
      const layout = layOut(size, alignment, page);
      this.#ledger.retryOrphans((orphan) => pages.release(orphan.base, orphan.length) === undefined);

      // The alignment may leave a gap between the first guard and the memory.
      const addressOf = (base: bigint): bigint => alignUp(base + BigInt(page), BigInt(layout.alignment));
      const release = (base: bigint): void => {
        const reservation = { base, length: layout.length };
        if (pages.release(base, layout.length) !== undefined) this.#ledger.orphan(reservation);
      };
      const base = near === undefined
        ? pages.reserve(0n, layout.length)
        : reserveNear(near, layout.length, BigInt(pages.granularity()), {
          reserve: (hint) => pages.reserve(hint, layout.length),
          release,
          accept: (base) => isNear(addressOf(base), layout.size, near),
        });
      if (base === undefined) throw pages.refusal(layout.length);

      const address = addressOf(base);
      const failure = pages.commit(address, layout.size);
      if (failure !== undefined) {
        release(base);
        throw failure;
      }
      const guarded = { base: address - BigInt(page), length: page + layout.size + page };
      const reservation = trim(pages, { base, length: layout.length }, guarded);
      return this.#ledger.add(address, layout.size, reservation, page);
    });
  }

  /** Changes what may be done with pages; see {@linkcode MemoryAllocator.protect}. */
  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    const range = this.#ledger.range(memory, offset, length);
    this.#ledger.run((pages) =>
      this.#ledger.protect(memory, protection, range, () => {
        // Before, not after: once the pages are executable, another thread may run them.
        if (protection === Protection.READ_EXECUTE) pages.flush?.(range.address, range.length);
        const failure = pages.protect(range.address, range.length, protection);
        if (failure !== undefined) throw failure;
      })
    );
  }

  /** Gives pages that are about to be filled their memory; see {@linkcode MemoryAllocator.prefault}. */
  prefault(memory: ExecutableMemory, offset?: number, length?: number): void {
    const range = this.#ledger.range(memory, offset, length);
    const page = this.pageSize;
    const first = range.offset - range.offset % page;
    const end = Math.ceil((range.offset + range.length) / page) * page;
    if (first === end) return;
    this.#ledger.run((pages) => pages.prefault?.(memory.address + BigInt(first), end - first));
  }

  /** The bytes themselves; see {@linkcode MemoryAllocator.view}. */
  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    return this.#ledger.view(memory, offset, length);
  }

  /** Gives the pages back; see {@linkcode MemoryAllocator.free}. */
  free(memory: ExecutableMemory): void {
    this.#ledger.run((pages) => {
      this.#ledger.free(memory, ({ base, length }) => {
        const failure = pages.release(base, length);
        if (failure !== undefined) throw failure;
      });
      this.#ledger.retryOrphans((orphan) => pages.release(orphan.base, orphan.length) === undefined);
    });
  }

  /** Makes written instructions visible; see {@linkcode MemoryAllocator.flushInstructionCache}. */
  flushInstructionCache(memory: ExecutableMemory, offset?: number, length?: number): void {
    const range = this.#ledger.range(memory, offset, length);
    this.#ledger.run((pages) => pages.flush?.(range.address, range.length));
  }

  /** Keeps the system's library open until disposed; see {@linkcode MemoryAllocator.retain}. */
  retain(): Disposable {
    return this.#ledger.retain();
  }
}

/** Gives back what lies outside the guards; what the system does not take stays part of the reservation. */
function trim(pages: Pages, whole: Reservation, guarded: Reservation): Reservation {
  let begin = whole.base;
  let end = whole.base + BigInt(whole.length);
  const guardedEnd = guarded.base + BigInt(guarded.length);
  if (begin < guarded.base && pages.trim?.(begin, Number(guarded.base - begin))) begin = guarded.base;
  if (guardedEnd < end && pages.trim?.(guardedEnd, Number(end - guardedEnd))) end = guardedEnd;
  return { base: begin, length: Number(end - begin) };
}
