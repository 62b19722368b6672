/**
 * The words that the isolates of one shared module have in common, and how
 * they tell each other what must be known before its memory may go.
 *
 * ```text
 * word               what
 * 0  STATE           OPEN, or REVOKED for ever after
 * 1  CHANGES         counts the isolates that left; the owner waits on it
 * 2 + 4·i            attachment i:
 *    + 0 TAKEN       1 while an isolate is about to attach, 2 while it is attached
 *    + 1 IN_FLIGHT   its nonblocking calls that have not come back
 *    + 2 BELL        what it waits on, always 0
 *    + 3             unused
 * ```
 *
 * - The owner revokes by STATE, then rings every bell. `Atomics.waitAsync` ends
 *   in the event loop of the isolate that waits, where none of its synchronous
 *   calls is on the stack: there it leaves.
 * - How many waiters a ring found tells whether the isolate still exists: all
 *   its waiters go with it, however it ended. So an isolate waits
 *   {@linkcode WAITERS} times over, a ring wakes one, and a ring that finds
 *   none is a death certificate.
 * - An isolate that died while a nonblocking call was out counts for ever: the
 *   thread that runs the call goes on, and nobody can tell when it ends.
 */

const STATE = 0;
const CHANGES = 1;
const FIRST_ATTACHMENT = 2;
const ATTACHMENT_WORDS = 4;
const TAKEN = 0;
const IN_FLIGHT = 1;
const BELL = 2;

const OPEN = 1;
const REVOKED = 2;

const ARRIVING = 1;
const ATTACHED = 2;

/** How many isolates can be attached to one module at a time. */
export const MAX_ATTACHMENTS = 1024;

/** How often an isolate can be asked for a sign of life while it is busy. */
const WAITERS = 64;

/** Milliseconds between such questions: doubling, from the first to the last. */
const FIRST_PAUSE = 8;
const LAST_PAUSE = 8192;

/** The memory of a new control block. */
export function newControl(): SharedArrayBuffer {
  const words = FIRST_ATTACHMENT + ATTACHMENT_WORDS * MAX_ATTACHMENTS;
  const buffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * words);
  new Int32Array(buffer)[STATE] = OPEN;
  return buffer;
}

/** Whether a buffer may be a control block. */
export function isControl(buffer: unknown): buffer is SharedArrayBuffer {
  return buffer instanceof SharedArrayBuffer &&
    buffer.byteLength ===
      Int32Array.BYTES_PER_ELEMENT * (FIRST_ATTACHMENT + ATTACHMENT_WORDS * MAX_ATTACHMENTS);
}

/** The owner's side. */
export class ControlOwner {
  readonly buffer: SharedArrayBuffer = newControl();
  readonly #words = new Int32Array(this.buffer);
  /** Questions asked of each attachment since it was revoked. */
  readonly #asked = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = FIRST_PAUSE;
  #keepAlive = false;

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
   * @param changed Called, in the event loop, whenever some have left.
   */
  revoke(changed: () => void): void {
    if (Atomics.exchange(this.#words, STATE, REVOKED) === REVOKED) return;
    this.#await(changed);
    this.#ask(changed);
  }

  /** From now on the questions keep the process alive: somebody waits for the answer. */
  keepAlive(): void {
    this.#keepAlive = true;
    if (this.#timer !== undefined) Deno.refTimer(this.#timer);
  }

  #await(changed: () => void): void {
    const before = Atomics.load(this.#words, CHANGES);
    if (this.attachments() === 0) return;
    const waiting = Atomics.waitAsync(this.#words, CHANGES, before);
    const then = (): void => {
      if (this.attachments() === 0) this.#stopAsking();
      changed();
      this.#await(changed);
    };
    if (waiting.async) waiting.value.then(then);
    else queueMicrotask(then);
  }

  /** Rings the bells, and again after a while for those who are busy or gone. */
  #ask(changed: () => void): void {
    const before = this.attachments();
    for (const base of taken(this.#words)) {
      const asked = this.#asked.get(base) ?? 0;
      // Its last waiter is never used up: then nobody could tell a busy isolate from a dead one.
      if (asked >= WAITERS - 1) continue;
      this.#asked.set(base, asked + 1);
      if (!isAlive(this.#words, base)) release(this.#words, base);
    }
    if (this.attachments() === 0) {
      if (before > 0) queueMicrotask(changed);
      return;
    }
    const timer = setTimeout(() => {
      this.#timer = undefined;
      this.#ask(changed);
    }, this.#pause);
    if (!this.#keepAlive) Deno.unrefTimer(timer);
    this.#timer = timer;
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
  }

  #stopAsking(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** The side of an isolate that attached itself. */
export class Attachment {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #base: number;
  readonly #revoked: () => void;
  #left = false;

  /**
   * Attaches this isolate.
   *
   * @param revoked Called once, in the event loop, when the owner revokes.
   * @returns `"revoked"` if it has, `"full"` if too many are attached.
   */
  static attach(buffer: SharedArrayBuffer, revoked: () => void): Attachment | "revoked" | "full" {
    const words = new Int32Array(buffer);
    const base = claim(words);
    if (base === undefined) return "full";
    const attachment = new Attachment(words, base, revoked);
    if (Atomics.load(words, STATE) === OPEN) return attachment;
    attachment.leave();
    return "revoked";
  }

  private constructor(words: Int32Array<SharedArrayBuffer>, base: number, revoked: () => void) {
    this.#words = words;
    this.#base = base;
    this.#revoked = revoked;
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
    if (waiting.async) waiting.value.then(() => this.#rung());
  }

  #rung(): void {
    if (this.#left) return;
    if (Atomics.load(this.#words, STATE) === REVOKED) this.#revoked();
    else this.#wait();
  }
}

/** Takes a free attachment, if need be one whose isolate has died. */
function claim(words: Int32Array<SharedArrayBuffer>): number | undefined {
  const take = (base: number): boolean => Atomics.compareExchange(words, base + TAKEN, 0, ARRIVING) === 0;
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_ATTACHMENT + ATTACHMENT_WORDS * index;
    if (take(base)) return base;
  }
  for (const base of taken(words)) {
    if (isAlive(words, base)) continue;
    release(words, base);
    if (take(base)) return base;
  }
  return undefined;
}

/** Rings a bell; whether it, or a call that it left behind, still needs the module. */
function isAlive(words: Int32Array<SharedArrayBuffer>, base: number): boolean {
  return Atomics.load(words, base + TAKEN) === ARRIVING || Atomics.notify(words, base + BELL, 1) > 0 ||
    Atomics.load(words, base + IN_FLIGHT) > 0;
}

function release(words: Int32Array<SharedArrayBuffer>, base: number): void {
  Atomics.store(words, base + IN_FLIGHT, 0);
  Atomics.store(words, base + TAKEN, 0);
  Atomics.add(words, CHANGES, 1);
  Atomics.notify(words, CHANGES);
}

function taken(words: Int32Array<SharedArrayBuffer>): number[] {
  const bases: number[] = [];
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_ATTACHMENT + ATTACHMENT_WORDS * index;
    if (Atomics.load(words, base + TAKEN) !== 0) bases.push(base);
  }
  return bases;
}
