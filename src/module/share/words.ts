/**
 * The control block that all isolates using one module share, and the protocol
 * by which they agree when its memory may go.
 *
 * ```text
 * word               meaning
 * 0  STATE           OPEN, or REVOKED for ever after
 * 1  CHANGES         counts the events that the owner waits for: an isolate answered or left
 * 2  EPOCH           counts the versions that were committed since the module was shared
 * 3  ID              64 random bits, which tokens repeat
 * 5  LOST            1 once an isolate died while its nonblocking calls were in flight
 * 6  STOP            1 while the owner waits for all isolates to stop, 2 while it reloads, else 0
 * 7  BEAT            counts while STOP is 1: an owner that has died counts no more
 * 8 + 8·i            record i, of one attachment:
 *    + 0 OCCUPANCY   0 free, 1 an isolate is arriving, 2 it is attached; plus 4 for each occupation before
 *    + 1 IN_FLIGHT   its nonblocking calls that have not returned
 *    + 2 BELL        the word that it waits on, always 0
 *    + 3 RUNG        rings that it has not heard yet
 *    + 4 SEEN        the epoch before which none of its running calls began
 *    + 5 RUNG_AT     when it was rung last, in milliseconds
 *    + 6 DOUBTS      how often it was found arriving
 *    + 7 ISOLATE     the number of the isolate, the same in all its attachments; negative while it is stopped
 * ```
 *
 * - The owner sets STATE or EPOCH, then rings the bells. `Atomics.waitAsync`
 *   ends in the event loop of the isolate that waits, where none of its
 *   synchronous calls is on the stack: there it leaves, or notes the epoch as
 *   SEEN once its nonblocking calls from before have returned.
 * - The number of waiters that a ring finds tells whether the isolate still
 *   exists: all its waiters go with it, however it ended. So an isolate waits
 *   {@linkcode WAITERS} times over, each ring wakes one waiter, and a ring that
 *   finds none is a death certificate. An isolate that has not heard the last
 *   ring is rung again only after as long a silence as it had before, so waiters
 *   never run out.
 * - An isolate that finds an attachment dead frees the OCCUPANCY that it had
 *   looked at, so never the record of an isolate that has come since. An isolate
 *   that died while it was arriving has no bell yet: it is given
 *   {@linkcode MAX_DOUBTS}.
 * - The thread that runs a nonblocking call goes on when the isolate that began
 *   it dies, and nobody can tell when the call ends. Such an isolate counts no
 *   more than any other dead one, but leaves LOST behind: the memory stays mapped.
 * - For a reload at a safe point the owner sets STOP and rings. An isolate that hears
 *   it, or attaches, stays in its event loop until STOP is 0 again.
 */

import { Atomics, now } from "../../os/intrinsics.ts";

export const STATE = 0;
export const CHANGES = 1;
export const EPOCH = 2;
export const ID = 3;
export const LOST = 5;
export const STOP = 6;
export const BEAT = 7;
const FIRST_RECORD = 8;
const RECORD_WORDS = 8;
export const OCCUPANCY = 0;
export const IN_FLIGHT = 1;
export const BELL = 2;
export const RUNG = 3;
export const SEEN = 4;
const RUNG_AT = 5;
const DOUBTS = 6;
export const ISOLATE = 7;

export const OPEN = 1;
export const REVOKED = 2;

const FREE = 0;
export const ARRIVING = 1;
export const ATTACHED = 2;
/** Added to OCCUPANCY by each occupation of a record. */
const ROUND = 4;

/** The number of isolates that can be attached to one module at a time. */
export const MAX_ATTACHMENTS = 1024;

/** The number of times that an isolate can be rung while it is busy. */
export const WAITERS = 64;

/** Looks at an arriving isolate, at doubling pauses, before it counts as dead: two seconds in all. */
const MAX_DOUBTS = 7;

/** Milliseconds between rings of isolates that have not answered: doubling, from the first to the last. */
export const FIRST_PAUSE = 8;
export const LAST_PAUSE = 8192;

export const WORDS = FIRST_RECORD + RECORD_WORDS * MAX_ATTACHMENTS;

/** A control block. */
export type Words = Int32Array<SharedArrayBuffer>;

/** Whether a buffer may be a control block. */
export function isControl(buffer: unknown): buffer is SharedArrayBuffer {
  return buffer instanceof SharedArrayBuffer && buffer.byteLength === Int32Array.BYTES_PER_ELEMENT * WORDS;
}

/** The 64 random bits from the word `first` on, which tell a buffer of shared words from all others. */
export function bufferId(buffer: SharedArrayBuffer, first: number): bigint {
  return new BigUint64Array(new Uint32Array(buffer).slice(first, first + 2).buffer)[0];
}

/** A record that this isolate has claimed, and the OCCUPANCY for as long as that is so. */
export interface Occupation {
  /** The index of the record's first word. */
  readonly base: number;
  readonly occupancy: number;
}

/** Claims a free record; if there is none, the record of an isolate that has died. */
export function claim(words: Words): Occupation | undefined {
  const tryClaim = (base: number): Occupation | undefined => {
    const free = Atomics.load(words, base + OCCUPANCY);
    if (stateOf(free) !== FREE) return undefined;
    const occupancy = free + ARRIVING;
    if (Atomics.compareExchange(words, base + OCCUPANCY, free, occupancy) !== free) return undefined;
    Atomics.store(words, base + DOUBTS, 0);
    return { base, occupancy };
  };
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const claimed = tryClaim(FIRST_RECORD + RECORD_WORDS * index);
    if (claimed !== undefined) return claimed;
  }
  for (const base of attachedBases(words)) {
    ring(words, base);
    const claimed = tryClaim(base);
    if (claimed !== undefined) return claimed;
  }
  return undefined;
}

/** Rings a bell, and frees the record if its isolate is dead. */
export function ring(words: Words, base: number): void {
  const occupancy = Atomics.load(words, base + OCCUPANCY);
  const state = stateOf(occupancy);
  if (state === FREE) return;
  // For an attached isolate only the rings that it has not heard count.
  const counter = base + (state === ATTACHED ? RUNG : DOUBTS);
  const unheard = Atomics.load(words, counter);
  if (unheard > 0) {
    // It will hear the last ring; another one only asks whether it still exists.
    const silence = (now() - Atomics.load(words, base + RUNG_AT)) >>> 0;
    if (silence < FIRST_PAUSE * 2 ** unheard || unheard >= WAITERS - 1) return;
  }
  Atomics.store(words, base + RUNG_AT, now() | 0);
  Atomics.add(words, counter, 1);
  const isAlive = state === ATTACHED ? Atomics.notify(words, base + BELL, 1) > 0 : unheard < MAX_DOUBTS;
  if (isAlive) return;
  // Before the record is free: whoever finds nobody attached must find this.
  if (state === ATTACHED && Atomics.load(words, base + IN_FLIGHT) > 0) Atomics.store(words, LOST, 1);
  release(words, base, occupancy);
}

/** Frees a record, unless that has happened already. */
export function release(words: Words, base: number, occupancy: number): void {
  const free = (occupancy - stateOf(occupancy) + ROUND) | 0;
  if (Atomics.compareExchange(words, base + OCCUPANCY, occupancy, free) === occupancy) notifyOwner(words);
}

function stateOf(occupancy: number): number {
  return occupancy & (ROUND - 1);
}

/** Wakes the owner, which then looks at all records again. */
export function notifyOwner(words: Words): void {
  Atomics.add(words, CHANGES, 1);
  Atomics.notify(words, CHANGES);
}

/** The number of nonblocking calls in flight, of all attached isolates. */
export function callsInFlight(words: Words): number {
  return calling(words).reduce((sum, base) => sum + Atomics.load(words, base + IN_FLIGHT), 0);
}

/** The bases of the records of attached isolates that have nonblocking calls in flight. */
export function calling(words: Words): number[] {
  return attachedBases(words).filter((base) =>
    stateOf(Atomics.load(words, base + OCCUPANCY)) === ATTACHED && Atomics.load(words, base + IN_FLIGHT) > 0
  );
}

/** The isolates that are attached, and those of them that are stopped, by their numbers. */
export interface Isolates {
  readonly attached: Set<number>;
  readonly stopped: Set<number>;
  /** How many are arriving, whose numbers nobody knows yet. */
  arriving: number;
}

/** Adds the isolates of a control block to those of others. */
export function addIsolates(words: Words, isolates: Isolates): void {
  for (const base of attachedBases(words)) {
    if (stateOf(Atomics.load(words, base + OCCUPANCY)) !== ATTACHED) {
      isolates.arriving++;
      continue;
    }
    const number = Atomics.load(words, base + ISOLATE);
    isolates.attached.add(Math.abs(number));
    if (number < 0) isolates.stopped.add(-number);
  }
}

/** The bases of all records of isolates that are attached or arriving. */
export function attachedBases(words: Words): number[] {
  const bases: number[] = [];
  for (let index = 0; index < MAX_ATTACHMENTS; index++) {
    const base = FIRST_RECORD + RECORD_WORDS * index;
    if (stateOf(Atomics.load(words, base + OCCUPANCY)) !== FREE) bases.push(base);
  }
  return bases;
}

/** The newest epoch that every attached isolate has seen; Infinity if none is attached. */
export function seenByAll(words: Words): number {
  return attachedBases(words).reduce(
    (seen, base) => Math.min(seen, Atomics.load(words, base + SEEN)),
    Infinity,
  );
}

/** The bases of the records whose isolates have not seen an epoch; of all records in use, for Infinity. */
export function basesNotSeen(words: Words, epoch: number): number[] {
  return attachedBases(words).filter((base) => Atomics.load(words, base + SEEN) < epoch);
}
