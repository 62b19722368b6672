/**
 * The side of an isolate that uses a module which another one owns.
 */

import {
  ARRIVING,
  ATTACHED,
  BELL,
  change,
  claim,
  EPOCH,
  IN_FLIGHT,
  OPEN,
  type Place,
  release,
  RUNG,
  SEEN,
  STATE,
  TAKEN,
  WAITERS,
  type Words,
} from "./words.ts";

/** What an isolate hears through its bell. */
export interface AttachmentEvents {
  /** Once: the owner has revoked the module. */
  revoked(): void;
  /** The nonblocking calls that are out now, if there are any. */
  callsOut(): Promise<unknown> | undefined;
}

/** The side of an isolate that attached itself. */
export class Attachment {
  readonly #words: Words;
  readonly #base: number;
  readonly #events: AttachmentEvents;
  #taken: number;
  #left = false;
  #toldRevoked = false;

  /**
   * Attaches this isolate.
   *
   * @returns `"revoked"` if the owner has revoked, `"full"` if too many are attached.
   */
  static attach(buffer: SharedArrayBuffer, events: AttachmentEvents): Attachment | "revoked" | "full" {
    const words: Words = new Int32Array(buffer);
    for (let place = claim(words); place !== undefined; place = claim(words)) {
      const attachment = new Attachment(words, place, events);
      if (!attachment.#attach()) continue;
      if (Atomics.load(words, STATE) === OPEN) return attachment;
      attachment.leave();
      return "revoked";
    }
    return "full";
  }

  private constructor(words: Words, { base, taken }: Place, events: AttachmentEvents) {
    this.#words = words;
    this.#base = base;
    this.#taken = taken;
    this.#events = events;
  }

  /** Whether it is attached: not if it was so slow that it was taken for dead. */
  #attach(): boolean {
    const words = this.#words;
    const base = this.#base;
    Atomics.store(words, base + RUNG, 0);
    Atomics.store(words, base + IN_FLIGHT, 0);
    Atomics.store(words, base + SEEN, Atomics.load(words, EPOCH));
    for (let count = 0; count < WAITERS; count++) this.#wait();
    // From now on silence means death.
    const arriving = this.#taken;
    this.#taken += ATTACHED - ARRIVING;
    this.#left = Atomics.compareExchange(words, base + TAKEN, arriving, this.#taken) !== arriving;
    return !this.#left;
  }

  /** Says how many nonblocking calls are out. */
  setInFlight(count: number): void {
    // The place may be another isolate's by now.
    if (!this.#left) Atomics.store(this.#words, this.#base + IN_FLIGHT, count);
  }

  /** Says that this isolate can neither run in the module nor call it any more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    Atomics.notify(this.#words, this.#base + BELL);
    release(this.#words, this.#base, this.#taken);
  }

  #wait(): void {
    const waiting = Atomics.waitAsync(this.#words, this.#base + BELL, 0);
    if (waiting.async) waiting.value.then(() => this.#heard());
  }

  #heard(): void {
    if (this.#left) return;
    this.#wait();
    Atomics.sub(this.#words, this.#base + RUNG, 1);
    if (Atomics.load(this.#words, STATE) === OPEN) this.#answer();
    else if (!this.#toldRevoked) {
      // Whoever does not leave at once is rung again.
      this.#toldRevoked = true;
      this.#events.revoked();
    }
  }

  #answer(): void {
    const epoch = Atomics.load(this.#words, EPOCH);
    if (Atomics.load(this.#words, this.#base + SEEN) >= epoch) return;
    const seen = (): void => {
      if (this.#left || Atomics.load(this.#words, this.#base + SEEN) >= epoch) return;
      Atomics.store(this.#words, this.#base + SEEN, epoch);
      change(this.#words);
    };
    const out = this.#events.callsOut();
    if (out === undefined) seen();
    else out.then(seen, seen);
  }
}
