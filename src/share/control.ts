/**
 * The words that isolates using one module have in common, and how they tell
 * each other what must be known before memory may go.
 *
 * ```text
 * word               what
 * 0  STATE           OPEN, or REVOKED for ever after
 * 1  CHANGES         counts what the owner waits for: isolates that answered or left
 * 2  EPOCH           counts the versions that were committed since
 * 3 + 8·i            attachment i:
 *    + 0 TAKEN       1 while an isolate is about to attach, 2 while it is attached
 *    + 1 IN_FLIGHT   its nonblocking calls that have not come back
 *    + 2 BELL        what it waits on, always 0
 *    + 3 RUNG        rings that it has not heard yet
 *    + 4 SEEN        the epoch before which none of its calls began
 * ```
 *
 * - Whoever wants something sets STATE or EPOCH, then rings the bells.
 *   `Atomics.waitAsync` ends in the event loop of the isolate that waits, where
 *   none of its synchronous calls is on the stack: there it leaves, or notes
 *   the epoch as SEEN once its nonblocking calls from before have come back.
 * - How many waiters a ring found tells whether the isolate still exists: all
 *   its waiters go with it, however it ended. So an isolate waits
 *   {@linkcode WAITERS} times over, each ring wakes one, and a ring that finds
 *   none is a death certificate. RUNG sees to it that the last waiter of a busy
 *   isolate is never used up.
 * - An isolate that died while a nonblocking call was out counts for ever: the
 *   thread that runs the call goes on, and nobody can tell when it ends.
 */

const STATE = 0;
const CHANGES = 1;
const EPOCH = 2;
const FIRST_ATTACHMENT = 3;
const ATTACHMENT_WORDS = 8;
const TAKEN = 0;
const IN_FLIGHT = 1;
const BELL = 2;
const RUNG = 3;
const SEEN = 4;

const OPEN = 1;
const REVOKED = 2;

const ARRIVING = 1;
const ATTACHED = 2;

/** How many isolates can be attached to one module at a time. */
export const MAX_ATTACHMENTS = 1024;

/** How often an isolate can be rung while it is busy. */
const WAITERS = 64;

/** Milliseconds between questions to those who have not answered: doubling, from the first to the last. */
const FIRST_PAUSE = 8;
const LAST_PAUSE = 8192;

const WORDS = FIRST_ATTACHMENT + ATTACHMENT_WORDS * MAX_ATTACHMENTS;

type Words = Int32Array<SharedArrayBuffer>;

/** Whether a buffer may be a control block. */
export function isControl(buffer: unknown): buffer is SharedArrayBuffer {
  return buffer instanceof SharedArrayBuffer && buffer.byteLength === Int32Array.BYTES_PER_ELEMENT * WORDS;
}

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
  }

  /** How many isolates may still run in the module or call it. */
  attachments(): number {
    return taken(this.#words).length;
  }

  /** Nonblocking calls of other isolates that have not come back. */
  callsInFlight(): number {
    return taken(this.#words).reduce((sum, base) => sum + Atomics.load(this.#words, base + IN_FLIGHT), 0);
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
    for (const [done, epoch] of this.#pending) {
      if (laggards(this.#words, epoch).length > 0) continue;
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
    for (const base of laggards(this.#words, Math.max(...this.#pending.values()))) {
      if (!ring(this.#words, base)) release(this.#words, base);
    }
    const timer = setTimeout(() => {
      this.#ask();
      this.#settle();
    }, this.#pause);
    if (!this.#keepAlive) Deno.unrefTimer(timer);
    this.#timer = timer;
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
  }
}

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
  #left = false;

  /**
   * Attaches this isolate.
   *
   * @returns `"revoked"` if the owner has revoked, `"full"` if too many are attached.
   */
  static attach(buffer: SharedArrayBuffer, events: AttachmentEvents): Attachment | "revoked" | "full" {
    const words: Words = new Int32Array(buffer);
    const base = claim(words);
    if (base === undefined) return "full";
    const attachment = new Attachment(words, base, events);
    if (Atomics.load(words, STATE) === OPEN) return attachment;
    attachment.leave();
    return "revoked";
  }

  private constructor(words: Words, base: number, events: AttachmentEvents) {
    this.#words = words;
    this.#base = base;
    this.#events = events;
    Atomics.store(words, base + RUNG, 0);
    Atomics.store(words, base + SEEN, Atomics.load(words, EPOCH));
    for (let count = 0; count < WAITERS; count++) this.#wait();
    // From now on silence means death.
    Atomics.store(words, base + TAKEN, ATTACHED);
  }

  /** Says how many nonblocking calls are out. */
  setInFlight(count: number): void {
    Atomics.store(this.#words, this.#base + IN_FLIGHT, count);
  }

  /** Says that this isolate can neither run in the module nor call it any more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    Atomics.notify(this.#words, this.#base + BELL);
    release(this.#words, this.#base);
  }

  #wait(): void {
    const waiting = Atomics.waitAsync(this.#words, this.#base + BELL, 0);
    if (waiting.async) waiting.value.then(() => this.#heard());
  }

  #heard(): void {
    if (this.#left) return;
    this.#wait();
    Atomics.sub(this.#words, this.#base + RUNG, 1);
    if (Atomics.load(this.#words, STATE) === REVOKED) this.#events.revoked();
    else this.#answer();
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

/** Takes a free attachment, if need be one whose isolate has died. */
function claim(words: Words): number | undefined {
  const take = (base: number): boolean => Atomics.compareExchange(words, base + TAKEN, 0, ARRIVING) === 0;
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_ATTACHMENT + ATTACHMENT_WORDS * index;
    if (take(base)) return base;
  }
  for (const base of taken(words)) {
    if (ring(words, base)) continue;
    release(words, base);
    if (take(base)) return base;
  }
  return undefined;
}

/** Rings a bell; whether the isolate, or a call that it left behind, still needs the module. */
function ring(words: Words, base: number): boolean {
  if (Atomics.load(words, base + TAKEN) === ARRIVING) return true;
  if (Atomics.add(words, base + RUNG, 1) >= WAITERS - 1) {
    Atomics.sub(words, base + RUNG, 1);
    return true;
  }
  return Atomics.notify(words, base + BELL, 1) > 0 || Atomics.load(words, base + IN_FLIGHT) > 0;
}

function release(words: Words, base: number): void {
  Atomics.store(words, base + IN_FLIGHT, 0);
  Atomics.store(words, base + TAKEN, 0);
  change(words);
}

function change(words: Words): void {
  Atomics.add(words, CHANGES, 1);
  Atomics.notify(words, CHANGES);
}

function taken(words: Words): number[] {
  const bases: number[] = [];
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_ATTACHMENT + ATTACHMENT_WORDS * index;
    if (Atomics.load(words, base + TAKEN) !== 0) bases.push(base);
  }
  return bases;
}

/** The attachments that have not seen an epoch; all, for Infinity. */
function laggards(words: Words, epoch: number): number[] {
  return taken(words).filter((base) => Atomics.load(words, base + SEEN) < epoch);
}
