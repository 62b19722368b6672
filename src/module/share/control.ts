/**
 * The owner's side of what isolates using one module have in common: it tells
 * them to leave or that a version was committed, and learns when all have done so.
 */

import {
  callsInFlight,
  CHANGES,
  EPOCH,
  FIRST_PAUSE,
  ID,
  laggards,
  LAST_PAUSE,
  OPEN,
  REVOKED,
  ring,
  seenByAll,
  STATE,
  taken,
  WORDS,
  type Words,
} from "./words.ts";

/** The owner's side. */
export class ControlOwner {
  /** What the other isolates are given. */
  readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * WORDS);
  readonly #words: Words = new Int32Array(this.buffer);
  /** What waits until every isolate has seen an epoch. */
  readonly #pending = new Map<() => void, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = FIRST_PAUSE;
  #keepAlive = false;
  #watching = false;

  constructor() {
    this.#words[STATE] = OPEN;
    this.#words.set(crypto.getRandomValues(new Int32Array(2)), ID);
  }

  /** How many isolates may still run in the module or call it. */
  attachments(): number {
    return taken(this.#words).length;
  }

  /** Nonblocking calls of other isolates that have not come back. */
  callsInFlight(): number {
    return callsInFlight(this.#words);
  }

  /**
   * Tells every isolate to leave.
   *
   * @param left Called, in the event loop, when all have.
   */
  revoke(left: () => void): void {
    if (Atomics.exchange(this.#words, STATE, REVOKED) === REVOKED) return;
    this.#await(left, Infinity);
  }

  /**
   * Begins a new epoch: a version was committed.
   *
   * @param passed Called, in the event loop, when no call that began before is
   * running in any other isolate.
   */
  advance(passed: () => void): void {
    this.#await(passed, Atomics.add(this.#words, EPOCH, 1) + 1);
  }

  /** Waits until no isolate is attached, without telling any to leave. */
  whenEmpty(empty: () => void): void {
    this.#await(empty, Infinity);
  }

  /** From now on the questions keep the process alive: somebody waits for the answers. */
  keepAlive(): void {
    this.#keepAlive = true;
    if (this.#timer !== undefined) Deno.refTimer(this.#timer);
  }

  #await(done: () => void, epoch: number): void {
    this.#pending.set(done, epoch);
    this.#pause = FIRST_PAUSE;
    this.#ask();
    this.#settle();
    this.#watch();
  }

  /** Tells those whose condition has come true. */
  #settle(): void {
    const seen = seenByAll(this.#words);
    for (const [done, epoch] of this.#pending) {
      if (seen < epoch) continue;
      this.#pending.delete(done);
      queueMicrotask(done);
    }
    if (this.#pending.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Looks again whenever an isolate answers or leaves. */
  #watch(): void {
    if (this.#watching || this.#pending.size === 0) return;
    const before = Atomics.load(this.#words, CHANGES);
    this.#settle();
    if (this.#pending.size === 0) return;
    this.#watching = true;
    const again = (): void => {
      this.#watching = false;
      this.#settle();
      this.#watch();
    };
    const waiting = Atomics.waitAsync(this.#words, CHANGES, before);
    if (waiting.async) waiting.value.then(again);
    else queueMicrotask(again);
  }

  /** Rings the bells, and again after a while for those who are busy or gone. */
  #ask(): void {
    clearTimeout(this.#timer);
    for (const base of laggards(this.#words, Math.max(...this.#pending.values()))) ring(this.#words, base);
    const timer = setTimeout(() => {
      this.#ask();
      this.#settle();
    }, this.#pause);
    if (!this.#keepAlive) Deno.unrefTimer(timer);
    this.#timer = timer;
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
  }
}
