/**
 * The books of an allocator: which memory is live, which views alias it, and for
 * how long the system's library has to stay open.
 *
 * | word | meaning |
 * |---|---|
 * | reservation | address space taken from the system: memory with its guards |
 * | live | given out, and not freed since |
 * | guard | an inaccessible page before and after memory |
 * | orphan | a reservation without a user, which the system has refused to take back |
 * | holder | keeps the system's library open: a running call, or a user of `retain` |
 */
import { LoadError } from "../../errors/load_error.ts";
import { detach, type ExecutableMemory, Protection } from "./contract.ts";
import { largeAlignment, roomForLarge } from "./large_pages.ts";
import { PageProtections } from "./page_protections.ts";
import { permitted, type SystemLibrary } from "../library.ts";

/** Address space taken from the system, guards included. */
export interface Reservation {
  readonly base: bigint;
  readonly length: number;
}

/** The record of live memory. */
interface LiveMemory {
  readonly reservation: Reservation;
  readonly pageSize: number;
  readonly protections: PageProtections;
  readonly shareable: Stretches;
  views: { readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

/** The parts of some memory each of which is one mapping that can be shared. */
class Stretches {
  #all: readonly Pick<Range, "offset" | "length">[] = [];

  /** Whether one of them has the whole range. */
  has({ offset, length }: Range): boolean {
    return this.#all.some((each) => each.offset <= offset && offset + length <= each.offset + each.length);
  }

  /** Adds a range, which replaces those that it overlaps. */
  add({ offset, length }: Range): void {
    const apart = this.#all.filter((each) =>
      each.offset + each.length <= offset || offset + length <= each.offset
    );
    this.#all = [...apart, { offset, length }];
  }
}

/** A part of live memory that was checked to lie inside it. */
export interface Range {
  readonly address: bigint;
  readonly offset: number;
  readonly length: number;
}

const PROTECTIONS: ReadonlySet<Protection> = new Set(Object.values(Protection));

/** A reservation for memory, before the system is asked for it. All in bytes. */
interface ReservationPlan {
  /** The size of the memory: whole pages. */
  readonly size: number;
  /** The size of the memory with what is reserved behind it, up to the guard. */
  readonly room: number;
  readonly alignment: number;
  /** The size of the reservation. */
  readonly length: number;
}

/**
 * The size of a reservation for memory: whole pages, two guards, and room for the alignment and for large pages.
 *
 * @param largePage Bytes in a large page, if the system has such.
 */
export function planReservation(
  size: number,
  alignment: number,
  pageSize: number,
  largePage?: number,
): ReservationPlan {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RangeError(`Cannot allocate memory: size ${size} is not a positive number of bytes`);
  }
  if (!Number.isSafeInteger(alignment) || !Number.isInteger(Math.log2(alignment))) {
    throw new RangeError(`Cannot allocate memory: alignment ${alignment} is not a power of two`);
  }
  const whole = Math.ceil(size / pageSize) * pageSize;
  const room = roomForLarge(whole, largePage);
  const aligned = Math.max(alignment, pageSize, largeAlignment(whole, largePage));
  const length = pageSize + room + pageSize + (aligned - pageSize);
  if (!Number.isSafeInteger(length)) {
    throw new RangeError(`Cannot allocate memory: size ${size} is too large`);
  }
  return { size: whole, room, alignment: aligned, length };
}

/** The books of one allocator, which also open and close its library. */
export class Ledger<Functions> {
  #open: () => SystemLibrary<Functions>;
  #library: SystemLibrary<Functions> | undefined;
  #live = new Map<ExecutableMemory, LiveMemory>();
  #orphans: Reservation[] = [];
  #holders = 0;

  constructor(open: () => SystemLibrary<Functions>) {
    this.#open = open;
  }

  /** Runs `work` with the system's functions, opening their library if needed. */
  run<T>(work: (system: Functions) => T): T {
    using _open = this.retain();
    return work(this.#library!.symbols);
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
        this.#closeIfUnused();
      },
    };
  }

  #closeIfUnused(): void {
    if (this.#holders + this.#live.size + this.#orphans.length > 0) return;
    this.#library?.close();
    this.#library = undefined;
  }

  /** Records memory that the system has provided, readable and writable. */
  add(address: bigint, size: number, reservation: Reservation, pageSize: number): ExecutableMemory {
    const memory = Object.freeze({ address, size });
    const protections = new PageProtections(size, Protection.READ_WRITE);
    this.#live.set(memory, { reservation, pageSize, protections, shareable: new Stretches(), views: [] });
    return memory;
  }

  /** The part of live memory from `offset` on; throws if it does not lie inside. */
  range(memory: ExecutableMemory, offset = 0, length = memory.size - offset): Range {
    this.#record(memory);
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
    if (!whole || offset < 0 || length < 0 || offset + length > memory.size) {
      throw new RangeError(
        `Cannot use memory: offset ${offset} and length ${length} exceed its ${memory.size} bytes`,
      );
    }
    return { address: memory.address + BigInt(offset), offset, length };
  }

  /** A part of live memory that is whole pages, all of which are read-only; and which of its pages can be shared. */
  constants(memory: ExecutableMemory, offset: number, length: number): Range & Pick<LiveMemory, "shareable"> {
    const range = this.range(memory, offset, length);
    const { pageSize, protections, shareable } = this.#record(memory);
    if (offset % pageSize !== 0 || length % pageSize !== 0) throw notWholePages("share", range, pageSize);
    if (!protections.are(offset, offset + length, Protection.READ_ONLY)) {
      throw new RangeError("Cannot share memory: it is not read-only throughout");
    }
    return { ...range, shareable };
  }

  /** Bytes from the start of live memory to the guard behind it. */
  room(memory: ExecutableMemory): number {
    const { reservation: { base, length }, pageSize } = this.#record(memory);
    return Number(base + BigInt(length) - memory.address) - pageSize;
  }

  /**
   * Changes protections in the system by `apply`, then in the books. Views are
   * detached before: not even a failed call leaves a view that could write to
   * pages which are not writable.
   */
  protect(memory: ExecutableMemory, protection: Protection, range: Range, apply: () => void): void {
    const record = this.#record(memory);
    const { pageSize, protections } = record;
    const { offset, length } = range;
    if (!PROTECTIONS.has(protection)) {
      throw new RangeError(`Cannot protect memory: '${protection}' is not a protection`);
    }
    if (offset % pageSize !== 0 || length % pageSize !== 0) {
      throw notWholePages("protect", range, pageSize);
    }
    if (length === 0) return;
    if (protection !== Protection.READ_WRITE) {
      record.views = record.views.filter((view) => {
        const apart = view.offset >= offset + length || view.offset + view.bytes.length <= offset;
        if (!apart) detach(view.bytes);
        return apart;
      });
    }
    apply();
    protections.set(offset, offset + length, protection);
  }

  /** A view of bytes whose pages are all writable. */
  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    const record = this.#record(memory);
    const range = this.range(memory, offset, length);
    if (range.length === 0) return new Uint8Array(0);
    if (!record.protections.are(range.offset, range.offset + range.length, Protection.READ_WRITE)) {
      throw new RangeError("Cannot view memory: it is not writable throughout");
    }
    const bytes = permitted(() =>
      new Uint8Array(
        Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(range.address)!, range.length),
      )
    );
    record.views = [...record.views.filter((view) => view.bytes.length > 0), { offset: range.offset, bytes }];
    return bytes;
  }

  /** Detaches all views, passes the reservation to `release`, and forgets the memory unless that throws. */
  free(memory: ExecutableMemory, release: (reservation: Reservation) => void): void {
    const record = this.#record(memory);
    for (const view of record.views) detach(view.bytes);
    record.views = [];
    release(record.reservation);
    this.#live.delete(memory);
  }

  /** Keeps a reservation without a user that the system has refused to take back. */
  orphan(reservation: Reservation): void {
    this.#orphans.push(reservation);
  }

  /** Offers all orphans to the system again; `release` answers whether it took one back. */
  retryOrphans(release: (reservation: Reservation) => boolean): void {
    if (this.#orphans.length > 0) this.#orphans = this.#orphans.filter((orphan) => !release(orphan));
  }

  #record(memory: ExecutableMemory): LiveMemory {
    const record = this.#live.get(memory);
    if (record === undefined) {
      throw new LoadError("Closed", "Cannot use memory: it is not live memory of this allocator", {
        hint: "use memory with the allocator that it came from, and not after it was freed",
      });
    }
    return record;
  }
}

function notWholePages(verb: string, { offset, length }: Range, pageSize: number): RangeError {
  return new RangeError(
    `Cannot ${verb} memory: offset ${offset} and length ${length} are not whole pages of ${pageSize} bytes`,
  );
}
