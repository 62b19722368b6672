/**
 * What every allocator must remember: which memory is live, which views alias
 * it, and for how long the system's library has to stay open.
 */
import { LoadError } from "../../errors.ts";
import { detach, type ExecutableMemory, Protection } from "./contract.ts";
import { PageProtections } from "./page_protections.ts";
import { permitted, type SystemLibrary } from "../library.ts";

/** Address space taken from the system: the memory with its guards. */
export interface Reservation {
  readonly base: bigint;
  readonly length: number;
}

interface Entry {
  readonly reservation: Reservation;
  readonly pageSize: number;
  readonly protections: PageProtections;
  views: { readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

/** A checked part of some memory. */
export interface Range {
  readonly address: bigint;
  readonly offset: number;
  readonly length: number;
}

const PROTECTIONS: ReadonlySet<Protection> = new Set(Object.values(Protection));

/** Rounds what was asked for to whole pages and adds the guards. */
export function layOut(
  size: number,
  alignment: number,
  pageSize: number,
): { size: number; alignment: number; length: number } {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RangeError(`Cannot allocate memory: size is ${size}`);
  }
  if (!Number.isSafeInteger(alignment) || !Number.isInteger(Math.log2(alignment))) {
    throw new RangeError(`Cannot allocate memory: alignment ${alignment} is not a power of two`);
  }
  const whole = Math.ceil(size / pageSize) * pageSize;
  const aligned = Math.max(alignment, pageSize);
  const length = pageSize + whole + pageSize + (aligned - pageSize);
  if (!Number.isSafeInteger(length)) throw new RangeError(`Cannot allocate memory: size is ${size}`);
  return { size: whole, alignment: aligned, length };
}

/** The books of one allocator. */
export class Ledger<Functions> {
  #open: () => SystemLibrary<Functions>;
  #library: SystemLibrary<Functions> | undefined;
  #live = new Map<ExecutableMemory, Entry>();
  #orphans: Reservation[] = [];
  #holders = 0;

  constructor(open: () => SystemLibrary<Functions>) {
    this.#open = open;
  }

  /** Runs `work` with the system's functions, opening their library if it is not. */
  run<T>(work: (system: Functions) => T): T {
    this.#library ??= this.#open();
    this.#holders++;
    try {
      return work(this.#library.symbols);
    } finally {
      this.#holders--;
      this.#settle();
    }
  }

  /** Keeps the library open until disposed; disposing twice does nothing. */
  retain(): Disposable {
    this.#library ??= this.#open();
    this.#holders++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holders--;
        this.#settle();
      },
    };
  }

  #settle(): void {
    if (this.#holders + this.#live.size + this.#orphans.length > 0) return;
    this.#library?.close();
    this.#library = undefined;
  }

  /** Enters readable and writable memory that the system has given. */
  add(address: bigint, size: number, reservation: Reservation, pageSize: number): ExecutableMemory {
    const memory = Object.freeze({ address, size });
    const protections = new PageProtections(size, Protection.READ_WRITE);
    this.#live.set(memory, { reservation, pageSize, protections, views: [] });
    return memory;
  }

  /** The part of live memory that `offset` and `length` mean. */
  range(memory: ExecutableMemory, offset = 0, length = memory.size - offset): Range {
    this.#entry(memory);
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
    if (!whole || offset < 0 || length < 0 || offset + length > memory.size) {
      throw new RangeError(
        `Cannot use memory: offset ${offset} and length ${length} leave the ${memory.size} bytes that there are`,
      );
    }
    return { address: memory.address + BigInt(offset), offset, length };
  }

  /**
   * Changes protections in the books around `apply`, which changes them in the
   * system. Views end before: not even a failed call leaves one that could
   * write to pages which are not writable.
   */
  protect(memory: ExecutableMemory, protection: Protection, range: Range, apply: () => void): void {
    const entry = this.#entry(memory);
    const { pageSize, protections } = entry;
    const { offset, length } = range;
    if (!PROTECTIONS.has(protection)) {
      throw new RangeError(`Cannot protect memory: no protection is called '${protection}'`);
    }
    if (offset % pageSize !== 0 || length % pageSize !== 0) {
      throw new RangeError(
        `Cannot protect memory: offset ${offset} and length ${length} are not whole pages of ${pageSize} bytes`,
      );
    }
    if (length === 0) return;
    if (protection !== Protection.READ_WRITE) {
      entry.views = entry.views.filter((view) => {
        const apart = view.offset >= offset + length || view.offset + view.bytes.length <= offset;
        if (!apart) detach(view.bytes);
        return apart;
      });
    }
    apply();
    protections.set(offset, offset + length, protection);
  }

  /** A view of pages that are all writable. */
  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    const entry = this.#entry(memory);
    const range = this.range(memory, offset, length);
    if (range.length === 0) return new Uint8Array(0);
    if (!entry.protections.are(range.offset, range.offset + range.length, Protection.READ_WRITE)) {
      throw new RangeError("Cannot view memory: a part of it is not writable");
    }
    const bytes = permitted(() =>
      new Uint8Array(
        Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(range.address)!, range.length),
      )
    );
    entry.views = entry.views.filter((view) => view.bytes.length > 0);
    entry.views.push({ offset: range.offset, bytes });
    return bytes;
  }

  /** Ends all views, gives the reservation to `release`, and forgets the memory if that returns. */
  free(memory: ExecutableMemory, release: (reservation: Reservation) => void): void {
    const entry = this.#entry(memory);
    for (const view of entry.views) detach(view.bytes);
    entry.views = [];
    release(entry.reservation);
    this.#live.delete(memory);
  }

  /** Keeps a reservation that nobody uses and that the system would not take back. */
  orphan(reservation: Reservation): void {
    this.#orphans.push(reservation);
  }

  /** Offers the orphans to the system once more; `release` answers whether it took one. */
  retryOrphans(release: (reservation: Reservation) => boolean): void {
    if (this.#orphans.length > 0) this.#orphans = this.#orphans.filter((orphan) => !release(orphan));
  }

  #entry(memory: ExecutableMemory): Entry {
    const entry = this.#live.get(memory);
    if (entry === undefined) {
      throw new LoadError("Closed", "Cannot use memory: it is no live memory of this allocator");
    }
    return entry;
  }
}
