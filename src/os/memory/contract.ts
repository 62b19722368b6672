/**
 * What executable memory is, and what an allocator of it promises.
 */

/**
 * What may be done with a page, in the letters of `/proc/self/maps`. There is
 * no value that is writable and executable, so nothing can ask for it.
 */
export const Protection = {
  /** Every access faults. */
  NONE: "---",
  /** Constants. */
  READ_ONLY: "r--",
  /** Variables, and everything while it is filled. */
  READ_WRITE: "rw-",
  /** Code. */
  READ_EXECUTE: "r-x",
} as const;

/** One of the values of {@linkcode Protection}. */
export type Protection = (typeof Protection)[keyof typeof Protection];

/** A range of whole pages that an allocator has handed out. */
export interface ExecutableMemory {
  /** Where it begins; a multiple of the alignment that was asked for. */
  readonly address: bigint;
  /** Its length in bytes; a multiple of the page size. */
  readonly size: number;
}

/**
 * Gets pages from the operating system. One allocator belongs to one isolate:
 * what it handed out is freed through it.
 *
 * ## Errors
 *
 * What the operating system refuses is a `LoadError` of kind `OutOfMemory` that
 * names the call, its error number and the size. Memory that is not, or no
 * longer, live is kind `Closed`. A missing permission is `PermissionDenied`.
 * Arguments that no caller can mean are a `RangeError`.
 *
 * ## Safety
 *
 * A view aliases raw memory. Writing through it after its pages became
 * read-only would end the process, so the allocators of this package detach
 * every view that touches such pages first: a late write then does nothing, a
 * late `set` throws.
 */
export interface MemoryAllocator {
  /** Bytes in a page: the unit of every protection. */
  readonly pageSize: number;

  /**
   * Reserves zeroed pages, readable and writable, with an inaccessible page
   * before and after.
   *
   * @param size In bytes, at least 1; rounded up to whole pages.
   * @param alignment Of the address, a power of two; may exceed the page size.
   * @param near An address that the range should lie within 1 GiB of, if the
   * operating system can; else it lies anywhere.
   */
  allocate(size: number, alignment: number, near?: bigint): ExecutableMemory;

  /**
   * Changes what may be done with pages. Views that touch pages which stop
   * being writable are detached before that. Making pages executable includes
   * whatever the processor needs to see freshly written instructions.
   *
   * @param offset Of the first page, in bytes from the beginning; default 0.
   * @param length In bytes, a multiple of the page size; default all the rest.
   */
  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void;

  /**
   * The bytes themselves, not a copy. Valid while the pages are
   * `READ_WRITE`, for which it can be asked only.
   *
   * @param offset Of the first byte; default 0.
   * @param length In bytes; default all the rest.
   */
  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer>;

  /**
   * Gives the pages back and detaches their views. If the operating system
   * refuses, the memory stays live and can be freed again.
   */
  free(memory: ExecutableMemory): void;

  /**
   * Says that these writable bytes are about to be filled. Where the operating
   * system can, it then gives all their pages at once, which costs less than
   * one by one as they are touched. A hint: nothing else depends on it.
   */
  prefault?(memory: ExecutableMemory, offset?: number, length?: number): void;

  /**
   * Makes the processor forget instructions that it may have read from these
   * bytes before they were written. {@linkcode MemoryAllocator.protect} does
   * this by itself.
   */
  flushInstructionCache?(memory: ExecutableMemory, offset?: number, length?: number): void;

  /**
   * Keeps what allocations need (the operating system's library) open until
   * disposed. Without a holder it is closed whenever no memory is live, so that
   * nothing is left open behind a program that is done.
   */
  retain?(): Disposable;
}

/**
 * Ends a view: its length becomes 0 and its memory can no longer be reached
 * through it. Costs no copy. Does nothing if the view has ended already.
 */
export function detach(view: Uint8Array<ArrayBuffer>): void {
  if (!view.buffer.detached) view.buffer.transfer();
}
