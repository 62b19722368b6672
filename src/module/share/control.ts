/**
 * The owner's side of a shared module: tells the attached isolates to leave, or
 * that a version was committed, and learns when all of them have done so.
 */

import { Atomics, clearTimeout, queueMicrotask, setTimeout, whenSettled } from "../../os/intrinsics.ts";
import {
  addIsolates,
  attachedBases,
  basesNotSeen,
  BEAT,
  calling,
  callsInFlight,
  CHANGES,
  EPOCH,
  FIRST_PAUSE,
  ID,
  ISOLATE,
  type Isolates,
  LAST_PAUSE,
  LOST,
  OPEN,
  REVOKED,
  ring,
  seenByAll,
  STATE,
  STOP,
  WORDS,
  type Words,
} from "./words.ts";

/** Owns the control block of one module. */
export class ControlOwner {
  /** The control block, which tokens carry to other isolates. */
  readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * WORDS);
  readonly #words: Words = new Int32Array(this.buffer);
  /** Listeners, each with the epoch that every isolate has to see first. */
  readonly #pending = new Map<() => void, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = FIRST_PAUSE;
  #keepsProcessAlive = false;
  #isWatching = false;

  constructor() {
    this.#words[STATE] = OPEN;
    this.#words.set(crypto.getRandomValues(new Int32Array(2)), ID);
  }

  /** The number of isolates that may still run in the module or call it. */
  attachments(): number {
    return attachedBases(this.#words).length;
  }

  /**
   * The number of nonblocking calls that are in flight in other isolates. Asks
   * whether these isolates still exist: nobody else may, and a call of a dead one
   * does not count.
   */
  callsInFlight(): number {
    for (const base of calling(this.#words)) ring(this.#words, base);
    return callsInFlight(this.#words);
  }

  /** Whether an isolate died while its nonblocking calls were in flight: they may be running for ever. */
  get hasLostCalls(): boolean {
    return Atomics.load(this.#words, LOST) !== 0;
  }

  /**
   * Settles once no call that is running in any other isolate now is running
   * there any more; undefined if there is none.
   */
  callsDrained(): Promise<boolean> | undefined {
    if (this.attachments() === 0) return this.hasLostCalls ? Promise.resolve(false) : undefined;
    return new Promise((resolve) => this.advance(() => resolve(!this.hasLostCalls)));
  }

  /**
   * Tells every isolate to leave.
   *
   * @param allLeft Called in the event loop, once all have left.
   */
  revoke(allLeft: () => void): void {
    if (Atomics.exchange(this.#words, STATE, REVOKED) === REVOKED) return;
    this.#await(allLeft, Infinity);
  }

  /**
   * Begins a new epoch: a version was committed.
   *
   * @param drained Called in the event loop, once no call that began before is
   * running in any other isolate.
   */
  advance(drained: () => void): void {
    this.#await(drained, Atomics.add(this.#words, EPOCH, 1) + 1);
  }

  /** Calls `listener` once no isolate is attached, without telling any to leave. */
  whenEmpty(listener: () => void): void {
    this.#await(listener, Infinity);
  }

  /** Asks every isolate to stay in its event loop, and says that this one still wants that; to be repeated. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1);
    Atomics.add(this.#words, BEAT, 1);
    for (const base of attachedBases(this.#words)) {
      if (Atomics.load(this.#words, base + ISOLATE) > 0) ring(this.#words, base);
    }
  }

  /** Tells the isolates that are stopped to stay so until {@linkcode ControlOwner.resume}, however long it takes. */
  hold(): void {
    Atomics.store(this.#words, STOP, 2);
  }

  /** Lets all isolates go on. */
  resume(): void {
    Atomics.store(this.#words, STOP, 0);
    Atomics.notify(this.#words, STOP);
  }

  /** Adds the isolates that are attached to those of other modules. */
  addIsolates(isolates: Isolates): void {
    addIsolates(this.#words, isolates);
  }

  /** Lets pending listeners keep the process alive from now on: somebody awaits them. */
  keepProcessAlive(): void {
    this.#keepsProcessAlive = true;
    if (this.#timer !== undefined) Deno.refTimer(this.#timer);
  }

  #await(listener: () => void, epoch: number): void {
    this.#pending.set(listener, epoch);
    this.#pause = FIRST_PAUSE;
    // Without isolates that have to see the epoch nothing starts a timer.
    this.#settle();
    if (this.#pending.size === 0) return;
    this.#ringAll();
    this.#watch();
  }

  /** Calls the listeners whose epoch every isolate has seen. */
  #settle(): void {
    const seen = seenByAll(this.#words);
    for (const [listener, epoch] of this.#pending) {
      if (seen < epoch) continue;
      this.#pending.delete(listener);
      queueMicrotask(listener);
    }
    if (this.#pending.size > 0 || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Settles whenever an isolate answers or leaves. */
  #watch(): void {
    if (this.#isWatching || this.#pending.size === 0) return;
    const before = Atomics.load(this.#words, CHANGES);
    this.#settle();
    if (this.#pending.size === 0) return;
    this.#isWatching = true;
    const again = (): void => {
      this.#isWatching = false;
      this.#settle();
      this.#watch();
    };
    const waiting = Atomics.waitAsync(this.#words, CHANGES, before);
    if (waiting.async) whenSettled(waiting.value, again);
    else queueMicrotask(again);
  }

  /** Rings the bells, and again after a pause for isolates that are busy or gone. */
  #ringAll(): void {
    clearTimeout(this.#timer);
    const epoch = Math.max(...this.#pending.values());
    for (const base of basesNotSeen(this.#words, epoch)) ring(this.#words, base);
    const timer = setTimeout(() => {
      this.#ringAll();
      this.#settle();
    }, this.#pause);
    if (!this.#keepsProcessAlive) Deno.unrefTimer(timer);
    this.#timer = timer;
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
  }
}
