/**
 * The side of an isolate that uses a module which another isolate owns.
 */

import { Atomics, whenSettled } from "../../os/intrinsics.ts";
import { stayAwake } from "../../os/wakefulness.ts";
import {
  ARRIVING,
  ATTACHED,
  BEAT,
  BELL,
  claim,
  EPOCH,
  IN_FLIGHT,
  ISOLATE,
  LOST,
  notifyOwner,
  OCCUPANCY,
  type Occupation,
  OPEN,
  release,
  RUNG,
  SEEN,
  STATE,
  STOP,
  WAITERS,
  type Words,
} from "./words.ts";

/** The number of this isolate. */
const OWN_NUMBER = 1 + crypto.getRandomValues(new Uint32Array(1))[0] % (2 ** 31 - 1);

/** How long an isolate that is stopped waits for a sign of the owner's life, in milliseconds. */
const OWNER_TIMEOUT = 5000;

/** The events that reach an isolate through its bell, and the question that one of them asks. */
export interface AttachmentEvents {
  /** Called once: the owner has revoked the module. */
  revoked(): void;
  /** Settles when the nonblocking calls that are in flight now have returned; undefined if there are none. */
  callsInFlight(): Promise<unknown> | undefined;
}

/** One isolate's occupation of a record in the control block. */
export class Attachment {
  readonly #words: Words;
  readonly #base: number;
  readonly #events: AttachmentEvents;
  #occupancy: number;
  #hasLeft = false;
  #isRevoked = false;
  readonly #sleep: () => void;

  /**
   * Attaches this isolate.
   *
   * @returns `"revoked"` if the owner has revoked the module, `"full"` if too many isolates are attached.
   */
  static attach(buffer: SharedArrayBuffer, events: AttachmentEvents): Attachment | "revoked" | "full" {
    const words: Words = new Int32Array(buffer);
    for (let claimed = claim(words); claimed !== undefined; claimed = claim(words)) {
      const attachment = new Attachment(words, claimed, events);
      if (!attachment.#attach()) continue;
      if (Atomics.load(words, STATE) === OPEN) return attachment;
      attachment.leave();
      return "revoked";
    }
    return "full";
  }

  private constructor(words: Words, { base, occupancy }: Occupation, events: AttachmentEvents) {
    this.#words = words;
    this.#base = base;
    this.#occupancy = occupancy;
    this.#events = events;
    this.#sleep = stayAwake();
  }

  /** Goes from arriving to attached; false if that took so long that the isolate was taken for dead. */
  #attach(): boolean {
    const words = this.#words;
    const base = this.#base;
    Atomics.store(words, base + RUNG, 0);
    Atomics.store(words, base + IN_FLIGHT, 0);
    Atomics.store(words, base + SEEN, Atomics.load(words, EPOCH));
    Atomics.store(words, base + ISOLATE, OWN_NUMBER);
    for (let count = 0; count < WAITERS; count++) this.#wait();
    // From now on an isolate without waiters counts as dead.
    const arriving = this.#occupancy;
    this.#occupancy += ATTACHED - ARRIVING;
    const found = Atomics.compareExchange(words, base + OCCUPANCY, arriving, this.#occupancy);
    this.#hasLeft = found !== arriving;
    if (this.#hasLeft) this.#sleep();
    else this.#stopIfAsked();
    return !this.#hasLeft;
  }

  /**
   * Stays here while the owner reloads at a safe point: no synchronous call of this isolate is on the stack, since it
   * was called from the event loop or by an attach.
   */
  #stopIfAsked(): void {
    const words = this.#words, base = this.#base;
    if (Atomics.load(words, STOP) === 0) return;
    Atomics.store(words, base + ISOLATE, -OWN_NUMBER);
    notifyOwner(words);
    for (let stop = Atomics.load(words, STOP); stop !== 0; stop = Atomics.load(words, STOP)) {
      const beat = Atomics.load(words, BEAT);
      const ended = Atomics.wait(words, STOP, stop, OWNER_TIMEOUT);
      // An owner that reloads is not to be left; one that only waits counts.
      if (ended === "timed-out" && stop === 1 && Atomics.load(words, BEAT) === beat) break;
    }
    Atomics.store(words, base + ISOLATE, OWN_NUMBER);
  }

  /** Publishes the number of nonblocking calls in flight. */
  setInFlight(count: number): void {
    // After leaving, the record may be another isolate's.
    if (!this.#hasLeft) Atomics.store(this.#words, this.#base + IN_FLIGHT, count);
  }

  /** Has the memory stay mapped: something of this isolate may use it for ever. */
  lose(): void {
    Atomics.store(this.#words, LOST, 1);
  }

  /** Leaves: this isolate can neither run in the module nor call it any more. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#sleep();
    Atomics.notify(this.#words, this.#base + BELL);
    release(this.#words, this.#base, this.#occupancy);
  }

  #wait(): void {
    const waiting = Atomics.waitAsync(this.#words, this.#base + BELL, 0);
    if (waiting.async) whenSettled(waiting.value, () => this.#onRing());
  }

  #onRing(): void {
    if (this.#hasLeft) return;
    this.#wait();
    Atomics.sub(this.#words, this.#base + RUNG, 1);
    this.#stopIfAsked();
    if (Atomics.load(this.#words, STATE) === OPEN) this.#acknowledgeEpoch();
    else if (!this.#isRevoked) {
      // An isolate that does not leave at once is rung again, but told once.
      this.#isRevoked = true;
      this.#events.revoked();
    }
  }

  /** Notes the epoch as seen once the calls that began before it have returned. */
  #acknowledgeEpoch(): void {
    const epoch = Atomics.load(this.#words, EPOCH);
    if (Atomics.load(this.#words, this.#base + SEEN) >= epoch) return;
    const acknowledge = (): void => {
      if (this.#hasLeft || Atomics.load(this.#words, this.#base + SEEN) >= epoch) return;
      Atomics.store(this.#words, this.#base + SEEN, epoch);
      notifyOwner(this.#words);
    };
    const calls = this.#events.callsInFlight();
    if (calls === undefined) acknowledge();
    else whenSettled(calls, acknowledge);
  }
}
