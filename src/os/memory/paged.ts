/**
 * The part of an allocator that all systems share: guards, alignment, nearness,
 * and undoing when a call fails. The words are those of ledger.ts.
 */
import { LoadError } from "../../errors/load_error.ts";
import { type ExecutableMemory, type MemoryAllocator, Protection } from "./contract.ts";
import { Ledger, planReservation, type Reservation } from "./ledger.ts";
import type { SystemLibrary } from "../library.ts";
import { largeStretch } from "./large_pages.ts";
import { reserveBelow } from "./low.ts";
import { alignAddressUp, isNear, reserveNear, type Reserver } from "./near.ts";

/** The operations of a system on pages. Addresses are multiples of the page size, lengths are in bytes. */
export interface Pages {
  /** Bytes in a page. */
  pageSize(): number;
  /** The unit of a reservation's address, in bytes. */
  granularity(): number;
  /** Reserves inaccessible address space, at `hint` if that is free; 0n means anywhere. `undefined` if refused. */
  reserve(hint: bigint, length: number): bigint | undefined;
  /** The error for a refused {@linkcode Pages.reserve}; called right after it. */
  refusal(length: number): LoadError;
  /** Backs reserved pages with zeroed memory, readable and writable; the error if refused. */
  commit(address: bigint, length: number): LoadError | undefined;
  /** Changes protections; the error if refused. */
  protect(address: bigint, length: number, protection: Protection): LoadError | undefined;
  /** Gives the memory of reserved pages back, which are inaccessible then and stay reserved; the error if refused. */
  discard(address: bigint, length: number): LoadError | undefined;
  /** Makes read-only pages a mapping of which there can be several; answers whether that worked. */
  makeShareable?(address: bigint, length: number): boolean;
  /** Makes read-only pages another such mapping, if that holds the same bytes; answers whether that worked. */
  share?(address: bigint, length: number, source: bigint): boolean;
  /** Provides the memory of writable pages before they are touched, if the system can. Absent where it cannot. */
  prefault?(address: bigint, length: number): void;
  /** Bytes in a large page, which begins at a multiple of that. Absent where the system has none for such memory. */
  readonly largePage?: number | undefined;
  /** Advises the system to provide writable memory, whole large pages, as such. Only a hint. */
  preferLarge?(address: bigint, length: number): void;
  /** Gives a whole reservation back; the error if refused. */
  release(base: bigint, length: number): LoadError | undefined;
  /** Gives a part of a reservation back; answers whether that worked. Absent where the system cannot do that. */
  trim?(base: bigint, length: number): boolean;
  /** Makes written instructions visible. Absent where the processor keeps caches coherent. */
  flush?(address: bigint, length: number): void;
}

/**
 * The base class of the allocators of this package. It is not made directly: use
 * {@linkcode LinuxAllocator}, {@linkcode WindowsAllocator},
 * {@linkcode MacosAllocator} or {@linkcode platformAllocator}.
 *
 * ## Safety
 *
 * The paragraphs of {@linkcode MemoryAllocator} apply: nothing may use an address
 * in memory that was freed, or that lost the permission for the use.
 */
export class PagedAllocator implements MemoryAllocator {
  #ledger: Ledger<Pages>;
  #pageSize: number | undefined;
  /** The latest reservation below each limit, next to which there is room as a rule. */
  readonly #lastBelow: Map<bigint, bigint> = new Map();
  /** The latest reservation near an address, next to which there is room as a rule. */
  #lastNear: Reservation & { readonly near: bigint } | undefined;

  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param open Opens the system's library when it is first needed, and again after it was closed.
   */
  protected constructor(open: () => SystemLibrary<Pages>) {
    this.#ledger = new Ledger(open);
  }

  /** Bytes in a page: the unit of every protection. */
  get pageSize(): number {
    return this.#pageSize ??= this.#ledger.run((pages) => pages.pageSize());
  }

  /** Reserves zeroed pages between guards; see {@linkcode MemoryAllocator.allocate}. */
  allocate(size: number, alignment: number, near?: bigint, below?: bigint): ExecutableMemory {
    return this.#ledger.run((pages) => {
      const page = this.pageSize;
      const plan = planReservation(size, alignment, page, pages.largePage);
      this.#ledger.retryOrphans((orphan) => pages.release(orphan.base, orphan.length) === undefined);

      // The alignment may leave slack between the reservation's start and the first guard.
      const addressOf = (base: bigint): bigint => alignAddressUp(base + BigInt(page), BigInt(plan.alignment));
      const release = (base: bigint): void => {
        const reservation = { base, length: plan.length };
        if (pages.release(base, plan.length) !== undefined) this.#ledger.orphan(reservation);
      };
      const granularity = (): bigint => BigInt(pages.granularity());
      const reserve = (hint: bigint): bigint | undefined => pages.reserve(hint, plan.length);
      const base = below !== undefined
        ? this.#reserveBelow(below, plan, granularity(), { reserve, release })
        : near === undefined
        ? reserve(0n)
        : reserveNear(near, plan.length, granularity(), {
          reserve,
          release,
          accept: (base) => isNear(addressOf(base), plan.size, near),
        }, this.#lastNear?.near === near ? this.#lastNear : undefined);
      if (base === undefined) throw pages.refusal(plan.length);

      using undo = new DisposableStack();
      undo.adopt(base, release);
      const address = addressOf(base);
      const failure = pages.commit(address, plan.size);
      if (failure !== undefined) throw failure;
      const guarded = { base: address - BigInt(page), length: page + plan.room + page };
      const reservation = trim(pages, { base, length: plan.length }, guarded);
      const memory = this.#ledger.add(address, plan.size, reservation, page);
      if (near !== undefined) this.#lastNear = { near, ...reservation };
      undo.move();
      return memory;
    });
  }

  #reserveBelow(
    below: bigint,
    { size, length }: { readonly size: number; readonly length: number },
    granularity: bigint,
    system: Omit<Reserver, "accept">,
  ): bigint {
    const last = this.#lastBelow.get(below);
    const base = reserveBelow(below, length, granularity, last, system);
    if (base === undefined) throw noRoomBelow(below, size);
    this.#lastBelow.set(below, base);
    return base;
  }

  /** Changes the protection of pages; see {@linkcode MemoryAllocator.protect}. */
  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    const range = this.#ledger.range(memory, offset, length);
    this.#ledger.run((pages) =>
      this.#ledger.protect(memory, protection, range, () => {
        // This comes first: once the pages are executable, another thread may run them.
        if (protection === Protection.READ_EXECUTE) pages.flush?.(range.address, range.length);
        const failure = pages.protect(range.address, range.length, protection);
        if (failure !== undefined) throw failure;
      })
    );
  }

  /** Gives the memory of some pages back; see {@linkcode MemoryAllocator.discard}. */
  discard(memory: ExecutableMemory, offset: number, length: number): void {
    const range = this.#ledger.range(memory, offset, length);
    this.#ledger.run((pages) =>
      this.#ledger.protect(memory, Protection.NONE, range, () => {
        const failure = pages.discard(range.address, range.length);
        if (failure !== undefined) throw failure;
      })
    );
  }

  /** Stores pages of equal bytes once; see {@linkcode MemoryAllocator.share}. */
  share(
    memory: ExecutableMemory,
    offset: number,
    length: number,
    source: ExecutableMemory,
    sourceOffset: number,
  ): boolean {
    const target = this.#ledger.constants(memory, offset, length);
    const from = this.#ledger.constants(source, sourceOffset, length);
    if (length === 0) return false;
    return this.#ledger.run((pages) => {
      if (pages.makeShareable === undefined || pages.share === undefined) return false;
      if (!from.shareable.has(from)) {
        if (!pages.makeShareable(from.address, length)) return false;
        from.shareable.add(from);
      }
      if (!pages.share(target.address, length, from.address)) return false;
      target.shareable.add(target);
      return true;
    });
  }

  /** Provides the memory of pages that are about to be filled; see {@linkcode MemoryAllocator.prefault}. */
  prefault(memory: ExecutableMemory, offset?: number, length?: number): void {
    const range = this.#ledger.range(memory, offset, length);
    const page = this.pageSize;
    const first = range.offset - range.offset % page;
    const end = Math.ceil((range.offset + range.length) / page) * page;
    if (first === end) return;
    this.#ledger.run((pages) => {
      const large = largeStretch(first, end, this.#ledger.room(memory), pages.largePage);
      // A large page lies in one mapping: the room behind the memory belongs to it until the page is there.
      const behind = memory.address + BigInt(memory.size);
      const room = large === undefined ? 0 : large.end - memory.size;
      using closing = new DisposableStack();
      if (room > 0 && pages.commit(behind, room) === undefined) {
        closing.defer(() => {
          const failure = pages.protect(behind, room, Protection.NONE);
          if (failure !== undefined) throw failure;
        });
      }
      if (large !== undefined) {
        pages.preferLarge?.(memory.address + BigInt(large.start), large.end - large.start);
      }
      pages.prefault?.(memory.address + BigInt(first), end - first);
    });
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

/** The error of a range for which there is no room below a limit. */
export function noRoomBelow(below: bigint, size: number): LoadError {
  return new LoadError(
    "OutOfMemory",
    `Cannot reserve memory: there is no room for ${size} bytes below address 0x${below.toString(16)}`,
    {
      size,
      range: [0n, below],
      hint:
        "compile the module with -fPIC, so that it may lie anywhere; or close other modules that lie there",
    },
  );
}

/** Gives back the slack outside the guards; whatever the system refuses stays part of the reservation. */
function trim(pages: Pages, whole: Reservation, guarded: Reservation): Reservation {
  let begin = whole.base;
  let end = whole.base + BigInt(whole.length);
  const guardedEnd = guarded.base + BigInt(guarded.length);
  if (begin < guarded.base && pages.trim?.(begin, Number(guarded.base - begin))) begin = guarded.base;
  if (guardedEnd < end && pages.trim?.(guardedEnd, Number(end - guardedEnd))) end = guardedEnd;
  return { base: begin, length: Number(end - begin) };
}
