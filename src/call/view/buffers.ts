/**
 * Buffers over a module's memory that JavaScript gets, and their end: all of them
 * are detached before the memory may go.
 *
 * ```text
 * typed array, accessor ─→ ArrayBuffer ─(owners)─→ version ─→ the same ArrayBuffer
 *                              ↑
 *                     weak: ViewBuffers, in the version's body
 * ```
 *
 * So a view keeps its version, and garbage collection still ends a version that
 * nothing but its own views refers to. While the version lives its buffers do, and
 * a buffer that the program has moved elsewhere, by `postMessage` or `transfer`, is
 * found detached: the memory then stays mapped.
 */

import { LazySet } from "../../os/lazy_collections.ts";
import { detachBuffer, isDetached } from "../../os/intrinsics.ts";
import { bufferAt } from "../../os/native_memory.ts";

/** Keeps the owner of a buffer's memory reachable for as long as the buffer is. */
const owners = new WeakMap<ArrayBuffer, object>();

/** A buffer over a module's memory. */
export interface TrackedBuffer {
  /** The buffer. Whoever opens it keeps it for as long as the owner lives. */
  readonly buffer: ArrayBuffer;
  /** Detaches the buffer; refers to it weakly, and not at all to its owner. */
  readonly end: () => void;
}

/** All buffers over the memory of one version, in one isolate. */
export class ViewBuffers {
  readonly #ends = new LazySet<() => void>();
  #areLost = false;
  readonly #onLost: () => void;

  /** @param onLost Called when a buffer is found that the program has moved elsewhere. */
  constructor(onLost: () => void = () => {}) {
    this.#onLost = onLost;
  }

  /** Whether the program has moved a buffer elsewhere, where it reads the memory for an unknown time. */
  get areLost(): boolean {
    return this.#areLost;
  }

  /**
   * Makes a buffer over memory.
   *
   * Safety: the memory must stay mapped until {@linkcode ViewBuffers.endAll} has
   * returned. Writing to pages that are read-only ends the process.
   *
   * @param owner Stays reachable for as long as the buffer is.
   */
  open(address: bigint, length: number, owner: object): TrackedBuffer {
    const buffer = bufferAt(address, length);
    owners.set(buffer, owner);
    const weak = new WeakRef(buffer);
    const end = (): void => {
      const buffer = weak.deref();
      if (buffer !== undefined) {
        if (isDetached(buffer)) this.#lose();
        else detachBuffer(buffer);
      }
      // Only now: if detaching fails, the end of the version tries again.
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    return {
      buffer,
      end: () => {
        if (this.#ends.has(end)) end();
      },
    };
  }

  /** Detaches all buffers that are left. */
  endAll(): void {
    for (const end of [...this.#ends]) end();
  }

  #lose(): void {
    if (this.#areLost) return;
    this.#areLost = true;
    this.#onLost();
  }
}
