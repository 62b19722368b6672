/**
 * The words that isolates using one module have in common, and how they tell
 * each other what must be known before memory may go.
 *
 * ```text
 * word               what
 * 0  STATE           OPEN, or REVOKED for ever after
 * 1  CHANGES         counts what the owner waits for: isolates that answered or left
 * 2  EPOCH           counts the versions that were committed since
 * 3  ID              64 random bits, which tokens repeat
 * 5 + 8·i            attachment i:
 *    + 0 TAKEN       0 free, 1 an isolate is about to attach, 2 it is attached; plus 4 for each one before it
 *    + 1 IN_FLIGHT   its nonblocking calls that have not come back
 *    + 2 BELL        what it waits on, always 0
 *    + 3 RUNG        rings that it has not heard yet
 *    + 4 SEEN        the epoch before which none of its calls began
 *    + 5 RUNG_AT     when it was rung last, in milliseconds
 *    + 6 DOUBTS      how often it was found about to attach
 * ```
 *
 * - Whoever wants something sets STATE or EPOCH, then rings the bells.
 *   `Atomics.waitAsync` ends in the event loop of the isolate that waits, where
 *   none of its synchronous calls is on the stack: there it leaves, or notes
 *   the epoch as SEEN once its nonblocking calls from before have come back.
 * - How many waiters a ring found tells whether the isolate still exists: all
 *   its waiters go with it, however it ended. So an isolate waits
 *   {@linkcode WAITERS} times over, each ring wakes one, and a ring that finds
 *   none is a death certificate. Who has not heard the last ring is rung again
 *   only after as long a silence as it had before, so waiters last for ever.
 * - Whoever finds an attachment dead frees the TAKEN that it had looked at, so
 *   never the place of an isolate that has come since. An isolate that died
 *   while it was attaching has no bell yet: it is given {@linkcode MAX_DOUBTS}.
 * - An isolate that died while a nonblocking call was out counts for ever: the
 *   thread that runs the call goes on, and nobody can tell when it ends.
 */

export const STATE = 0;
export const CHANGES = 1;
export const EPOCH = 2;
export const ID = 3;
const FIRST_ATTACHMENT = 5;
const ATTACHMENT_WORDS = 8;
export const TAKEN = 0;
export const IN_FLIGHT = 1;
export const BELL = 2;
export const RUNG = 3;
export const SEEN = 4;
const RUNG_AT = 5;
const DOUBTS = 6;

export const OPEN = 1;
export const REVOKED = 2;

const FREE = 0;
export const ARRIVING = 1;
export const ATTACHED = 2;
/** What one occupation of an attachment adds to TAKEN. */
const ROUND = 4;

/** How many isolates can be attached to one module at a time. */
export const MAX_ATTACHMENTS = 1024;

/** How often an isolate can be rung while it is busy. */
export const WAITERS = 64;

/** Looks at an isolate that is about to attach, at doubling pauses, before it counts as dead: two seconds in all. */
const MAX_DOUBTS = 7;

/** Milliseconds between questions to those who have not answered: doubling, from the first to the last. */
export const FIRST_PAUSE = 8;
export const LAST_PAUSE = 8192;

export const WORDS = FIRST_ATTACHMENT + ATTACHMENT_WORDS * MAX_ATTACHMENTS;

/** A control block. */
export type Words = Int32Array<SharedArrayBuffer>;

/** Whether a buffer may be a control block. */
export function isControl(buffer: unknown): buffer is SharedArrayBuffer {
  return buffer instanceof SharedArrayBuffer && buffer.byteLength === Int32Array.BYTES_PER_ELEMENT * WORDS;
}

/** What tells a control block from all others. */
export function controlId(buffer: SharedArrayBuffer): bigint {
  return new BigUint64Array(new Uint32Array(buffer).slice(ID, ID + 2).buffer)[0];
}

/** An attachment, and its TAKEN while it is this isolate's. */
export interface Place {
  readonly base: number;
  readonly taken: number;
}

/** Takes a free attachment, if need be one whose isolate has died. */
export function claim(words: Words): Place | undefined {
  const take = (base: number): Place | undefined => {
    const free = Atomics.load(words, base + TAKEN);
    if (stateOf(free) !== FREE) return undefined;
    const taken = free + ARRIVING;
    if (Atomics.compareExchange(words, base + TAKEN, free, taken) !== free) return undefined;
    Atomics.store(words, base + DOUBTS, 0);
    return { base, taken };
  };
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const place = take(FIRST_ATTACHMENT + ATTACHMENT_WORDS * index);
    if (place !== undefined) return place;
  }
  for (const base of taken(words)) {
    ring(words, base);
    const place = take(base);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** Rings a bell, and frees the attachment if neither its isolate nor a call that it left behind needs it. */
export function ring(words: Words, base: number): void {
  const taken = Atomics.load(words, base + TAKEN);
  const state = stateOf(taken);
  if (state === FREE) return;
  // In one that is attached, only the rings that it has not heard count.
  const counter = base + (state === ATTACHED ? RUNG : DOUBTS);
  const unheard = Atomics.load(words, counter);
  if (unheard > 0) {
    // It will hear the last one; another only asks whether it still exists.
    const silence = (Date.now() - Atomics.load(words, base + RUNG_AT)) >>> 0;
    if (silence < FIRST_PAUSE * 2 ** unheard || unheard >= WAITERS - 1) return;
  }
  Atomics.store(words, base + RUNG_AT, Date.now() | 0);
  Atomics.add(words, counter, 1);
  const isAlive = state === ATTACHED
    ? Atomics.notify(words, base + BELL, 1) > 0 || Atomics.load(words, base + IN_FLIGHT) > 0
    : unheard < MAX_DOUBTS;
  if (!isAlive) release(words, base, taken);
}

/** Frees an attachment, unless that has happened already. */
export function release(words: Words, base: number, taken: number): void {
  const free = (taken - stateOf(taken) + ROUND) | 0;
  if (Atomics.compareExchange(words, base + TAKEN, taken, free) === taken) change(words);
}

function stateOf(taken: number): number {
  return taken & (ROUND - 1);
}

/** Tells the owner that it may look again. */
export function change(words: Words): void {
  Atomics.add(words, CHANGES, 1);
  Atomics.notify(words, CHANGES);
}

/** Nonblocking calls of all that are attached. */
export function callsInFlight(words: Words): number {
  return taken(words).filter((base) => stateOf(Atomics.load(words, base + TAKEN)) === ATTACHED)
    .reduce((sum, base) => sum + Atomics.load(words, base + IN_FLIGHT), 0);
}

/** Every attachment that is not free. */
export function taken(words: Words): number[] {
  const bases: number[] = [];
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_ATTACHMENT + ATTACHMENT_WORDS * index;
    if (stateOf(Atomics.load(words, base + TAKEN)) !== FREE) bases.push(base);
  }
  return bases;
}

/** The newest epoch that every attachment has seen; Infinity if there is none. */
export function seenByAll(words: Words): number {
  return taken(words).reduce((seen, base) => Math.min(seen, Atomics.load(words, base + SEEN)), Infinity);
}

/** The attachments that have not seen an epoch; all, for Infinity. */
export function laggards(words: Words, epoch: number): number[] {
  return taken(words).filter((base) => Atomics.load(words, base + SEEN) < epoch);
}
