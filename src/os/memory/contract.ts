/**
 * The contract of allocators of executable memory.
 */

import { kindOf, type OptionKind } from "../../errors/options.ts";

/**
 * The permissions of a page, in the letters of `/proc/self/maps`. No value is
 * both writable and executable, so nothing can ask for such a page.
 */
export const Protection = {
  /** Every access faults. */
  NONE: "---",
  /** Constants. */
  READ_ONLY: "r--",
  /** Variables, and all pages while they are filled. */
  READ_WRITE: "rw-",
  /** Code. */
  READ_EXECUTE: "r-x",
} as const;

/** A value of {@linkcode Protection}. */
export type Protection = (typeof Protection)[keyof typeof Protection];

/** A range of whole pages that an allocator has given out. */
export interface ExecutableMemory {
  /** The address of the first byte, a multiple of the alignment that was asked for. */
  readonly address: bigint;
  /** Its length in bytes; a multiple of the page size. */
  readonly size: number;
}

/**
 * Gets pages from the operating system. An allocator belongs to one isolate, and
 * memory is freed through the allocator that it came from.
 *
 * ## Errors
 *
 * If the operating system refuses a call, the error is a `LoadError` of kind
 * `OutOfMemory` that names the call, its error number and the size. Memory that
 * is not live is kind `Closed`, a missing permission `PermissionDenied`.
 * Arguments that make no sense are a `RangeError`.
 *
 * ## Safety
 *
 * A view aliases raw memory. Writing through it after its pages became
 * read-only would end the process, so the allocators of this package detach
 * every view that touches such pages first: a late write then does nothing, a
 * late `set` throws.
 *
 * Addresses are not guarded: code that runs, or reads or writes, at an address in
 * memory that was freed or protected ends the process.
 */
export interface MemoryAllocator {
  /** Bytes in a page: the unit of every protection. */
  readonly pageSize: number;

  /**
   * Reserves zeroed pages, readable and writable, with an inaccessible page
   * before and after.
   *
   * @param size In bytes, at least 1; rounded up to whole pages.
   * @param alignment The alignment of the address, a power of two; may exceed the page size.
   * @param near An address that the range should lie within 1 GiB of; it lies
   * elsewhere if the operating system has no room there.
   * @param below An address that the range must not reach, if there is one; `near` does not count then.
   */
  allocate(size: number, alignment: number, near?: bigint, below?: bigint): ExecutableMemory;

  /**
   * Changes the protection of pages. Views that touch pages which stop being
   * writable are detached before that. Making pages executable includes whatever
   * the processor needs to see freshly written instructions.
   *
   * ## Safety
   *
   * Pages that lose a permission must not be in use by it: a thread that runs
   * code in pages which stop being executable ends the process.
   *
   * @param offset The offset of the first page, in bytes; default 0.
   * @param length The length in bytes, a multiple of the page size; default all the rest.
   */
  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void;

  /**
   * The bytes themselves, not a copy, of pages that are `READ_WRITE`. The view
   * is detached when they stop being so.
   *
   * @param offset The offset of the first byte; default 0.
   * @param length The length in bytes; default all the rest.
   */
  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer>;

  /**
   * Gives the pages back and detaches their views. If the operating system
   * refuses, the memory stays live and can be freed again.
   *
   * ## Safety
   *
   * Nothing may use an address in the memory afterwards: no thread may run code
   * in it, and no pointer into it may be followed.
   */
  free(memory: ExecutableMemory): void;

  /**
   * Gives the memory of some pages back, and detaches their views. The pages are
   * inaccessible from then on, and their addresses stay reserved until the whole
   * memory is freed. Without it memory is only given back as a whole.
   *
   * ## Safety
   *
   * Nothing may use an address in these pages afterwards.
   *
   * @param offset The offset of the first page, in bytes.
   * @param length The length in bytes, a multiple of the page size.
   */
  discard?(memory: ExecutableMemory, offset: number, length: number): void;

  /**
   * Stores the bytes of read-only pages once that hold what other read-only pages of this allocator hold. Whoever
   * reads them meanwhile sees the same bytes all the time.
   *
   * ## Safety
   *
   * Once such pages are writable again, a write into one memory is a write into the other.
   *
   * ## Platforms
   *
   * Linux on x86-64 does this; elsewhere nothing happens.
   *
   * @param offset The offset of the first page, in bytes.
   * @param length The length in bytes, a multiple of the page size.
   * @param source The memory that has the same bytes.
   * @param sourceOffset The offset of its first page, in bytes.
   * @returns Whether they are stored once now; else nothing has changed.
   */
  share?(
    memory: ExecutableMemory,
    offset: number,
    length: number,
    source: ExecutableMemory,
    sourceOffset: number,
  ): boolean;

  /**
   * Announces that these writable bytes are about to be filled. If it can, the
   * operating system then provides all their pages at once, which costs less than
   * page by page as they are touched; as large pages, where the bytes fill at least
   * half of one. This is a hint: nothing depends on it.
   *
   * ## Platforms
   *
   * Linux 5.14 and later do this; earlier ones know large pages only. Elsewhere nothing happens.
   */
  prefault?(memory: ExecutableMemory, offset?: number, length?: number): void;

  /**
   * Flushes the instruction cache, so that no processor runs instructions that it
   * read from these bytes before they were written.
   * {@linkcode MemoryAllocator.protect} does this by itself.
   *
   * ## Platforms
   *
   * Does nothing on x86-64 Linux, where the processor keeps caches coherent.
   */
  flushInstructionCache?(memory: ExecutableMemory, offset?: number, length?: number): void;

  /**
   * Keeps the operating system's library open, which allocations need, until
   * disposed. Without a holder it is closed whenever no memory is live, so that a
   * program leaves nothing open when it is done.
   */
  retain?(): Disposable;
}

/** Stretches of at least so many bytes get all their pages at once, which costs less than one by one. */
export const PREFAULT_SIZE = 65_536;

/** Announces bytes that are about to be filled, if they are enough to gain by it. */
export function prefault(
  allocator: MemoryAllocator,
  memory: ExecutableMemory,
  offset: number,
  length: number,
): void {
  if (length >= PREFAULT_SIZE) allocator.prefault?.(memory, offset, length);
}

/**
 * Ends a view: its length becomes 0 and its memory can no longer be reached
 * through it. Costs no copy. Does nothing if the view has ended already.
 */
export function detach(view: Uint8Array<ArrayBuffer>): void {
  if (!view.buffer.detached) view.buffer.transfer();
}

const METHODS = ["allocate", "protect", "view", "free"] as const;

/** The values of the option `allocator`. */
export const ALLOCATOR: OptionKind = kindOf(
  `a MemoryAllocator, with the methods ${METHODS.join(", ")}`,
  (value) =>
    typeof value === "object" && value !== null &&
    METHODS.every((name) => typeof (value as Partial<MemoryAllocator>)[name] === "function"),
);
