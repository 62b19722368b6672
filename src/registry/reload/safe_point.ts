/**
 * Reloads at a safe point: none while native code of a module runs anywhere else.
 *
 * The registry's gate is closed, and Workers are asked to stay in their event loops. Then every thread that is in a
 * nonblocking call or in a Worker comes to the gate, returns, or runs on. The reload is made in a turn of the event
 * loop in which none runs on: no synchronous call of this isolate is on the stack there.
 */

import type { Catalog } from "../catalog.ts";
import { LoadError } from "../../errors/load_error.ts";
import { AMOUNT, oneOf, type OptionTable, SIGNAL } from "../../errors/options.ts";
import type { SafePointGate } from "../../load/runtime/safe_point.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { SAFE_POINT } from "../../os/loader_names.ts";
import { now, setTimeout } from "../../os/intrinsics.ts";
import { mayStartThreads } from "../../module/keep/threads.ts";
import type { ControlOwner } from "../../module/share/control.ts";
import type { Isolates } from "../../module/share/words.ts";

/** When a reload is made, and how long it may wait for that. */
export interface SafePointOptions {
  /**
   * `safe point`: when all native code that runs in modules of the registry has come to a call of
   * `void smf_safe_point(void)`, a function that the loader defines, or has returned. Calls that reach it wait there
   * until the reload has been made; nobody sees functions of two versions mixed. The result is a promise.
   *
   * Nonblocking calls count, and those of Workers that have attached; other Workers and synchronous calls of this
   * isolate come to their event loops. So only threads of such calls may call `smf_safe_point`: in a module that
   * starts threads of its own, nobody can tell which of them waits there, calls have to return, and a reload waits
   * 50 ms for threads that come.
   *
   * Safety: code that waits must not hold a lock that an initialiser, `migrate` or `verify` needs.
   *
   * Platforms: Linux on x86-64 and AArch64, Windows on x86-64; elsewhere nobody defines the function, and calls have
   * to return.
   */
  readonly at: "safe point";
  /**
   * Milliseconds to wait; then the promise rejects, and everything is as it was.
   *
   * @default 10_000
   */
  readonly timeout?: number;
  /** Ends the wait: the promise rejects with its reason, and everything is as it was. */
  readonly signal?: AbortSignal;
}

/** The checks of {@linkcode SafePointOptions}. */
export const SAFE_POINT_OPTIONS: OptionTable<SafePointOptions> = {
  at: oneOf("safe point"),
  timeout: AMOUNT,
  signal: SIGNAL,
};

/** @throws {TypeError} If an option is set that only a reload at a safe point has. */
export function requireNoWait(task: string, { timeout, signal }: Partial<SafePointOptions>): void {
  const name = timeout !== undefined ? "timeout" : signal !== undefined ? "signal" : undefined;
  if (name === undefined) return;
  throw new TypeError(`Cannot ${task}: '${name}' is an option of reloads with at: "safe point"`);
}

/** How long a reload waits by default, in milliseconds. */
const TIMEOUT = 10_000;

/**
 * How long the gate is closed at least, in milliseconds, where threads that nobody knows of may come to it: one that
 * calls `smf_safe_point` in a loop would else be taken for none while another process has its processor.
 */
const TIME_TO_COME = 50;

/** How long a reload waits, and what it is called in errors. */
interface Limits {
  readonly task: string;
  /** When `timeout` has passed. */
  readonly deadline: number;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** The threads that may be in modules. */
interface Census {
  /** Nonblocking calls in flight. */
  readonly calls: number;
  /** Threads at the gate. */
  readonly waiting: number;
  readonly isolates: Isolates;
  /** Whether nobody can tell whose threads are at the gate. */
  readonly isUnclear: boolean;
}

/** Makes the reloads of one registry that want a safe point, one after the other. */
export class SafePoints {
  readonly #catalog: Catalog;
  readonly #gate: SafePointGate;
  readonly #ended: AbortSignal;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #starters = new WeakMap<LoadedImage, boolean>();

  /** @param ended Aborts when the registry ends. */
  constructor(catalog: Catalog, gate: SafePointGate, ended: AbortSignal) {
    this.#catalog = catalog;
    this.#gate = gate;
    this.#ended = ended;
  }

  /**
   * Does some work at a safe point.
   *
   * @param task What is done, as a phrase for errors.
   * @throws {LoadError} `Busy` if none has come in time; `Closed` if the registry has ended; the reason of the signal;
   * and what the work throws: the promise rejects.
   */
  run<T>(
    task: string,
    work: () => T,
    { timeout = TIMEOUT, signal }: Omit<SafePointOptions, "at">,
  ): Promise<T> {
    const limits = { task, deadline: now() + timeout, timeout, signal };
    const result = this.#turn.then(() => this.#run(work, limits));
    this.#turn = result.then(() => {}, () => {});
    return result;
  }

  async #run<T>(work: () => T, limits: Limits): Promise<T> {
    // Threads that waited for the reload before this must have gone on: they would count as ones that wait.
    await this.#when(
      () => this.#gate.waiting === 0 && this.#census().isolates.stopped.size === 0,
      limits,
      () => {},
    );
    this.#gate.close();
    const closed = now();
    try {
      return await this.#when(() => this.#areAllSafe(closed), limits, () => {
        for (const control of this.#controls()) control.hold();
        return work();
      });
    } finally {
      this.#gate.open();
      for (const control of this.#controls()) control.resume();
    }
  }

  /** Does some work in the first turn of the event loop in which a condition holds, right after it was asked. */
  #when<T>(condition: () => boolean, limits: Limits, work: () => T): Promise<T> {
    const { task, deadline, timeout, signal } = limits;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          signal?.throwIfAborted();
          if (this.#ended.aborted) throw ended(task);
          if (condition()) return resolve(work());
          if (now() >= deadline) throw tooLate(task, this.#census(), timeout);
          setTimeout(look, 1);
        } catch (error) {
          reject(error);
        }
      };
      setTimeout(look, 0);
    });
  }

  /** @param closed When the gate was closed. */
  #areAllSafe(closed: number): boolean {
    for (const control of this.#controls()) control.stop();
    const { calls, waiting, isolates: { attached, stopped, arriving }, isUnclear } = this.#census();
    if (isUnclear && (waiting > 0 || now() - closed < TIME_TO_COME)) return false;
    // Each thread counts once: at the gate it is in a nonblocking call, or in an isolate that is not stopped.
    return arriving === 0 && waiting + stopped.size === calls + attached.size;
  }

  #census(): Census {
    // First, since a call counts before it can come to the gate.
    const { waiting } = this.#gate;
    const isolates: Isolates = { attached: new Set(), stopped: new Set(), arriving: 0 };
    let calls = 0, isUnclear = false;
    for (const [lifetime, image] of this.#catalog.images()) {
      calls += lifetime.callsInFlight;
      for (const control of lifetime.controls) {
        control.addIsolates(isolates);
        isUnclear ||= control.hasLostCalls;
      }
      isUnclear ||= this.#startsThreads(image);
    }
    return { calls, waiting, isolates, isUnclear };
  }

  /** Whether threads of a module's own may come to the gate, as far as its imports tell. */
  #startsThreads(image: LoadedImage): boolean {
    let starts = this.#starters.get(image);
    if (starts === undefined) {
      starts = image.imports.some(({ name }) => name === SAFE_POINT) && mayStartThreads(image);
      this.#starters.set(image, starts);
    }
    return starts;
  }

  #controls(): ControlOwner[] {
    return [...this.#catalog.images()].flatMap(([lifetime]) => lifetime.controls);
  }
}

function ended(task: string): LoadError {
  return new LoadError("Closed", `Cannot ${task} at a safe point: the registry was disposed`, {
    hint: "wait for the reload before you dispose of the registry",
  });
}

function tooLate(
  task: string,
  { calls, waiting, isolates, isUnclear }: Census,
  timeout: number,
): LoadError {
  const workers = isolates.attached.size - isolates.stopped.size;
  const facts = `${calls} nonblocking calls in flight and ${workers} Workers at work, of whose threads ` +
    `${waiting} wait in ${SAFE_POINT}`;
  return new LoadError("Busy", `Cannot ${task}: no safe point within ${timeout} ms: ${facts}`, {
    hint: isUnclear
      ? `let calls return: a module that calls ${SAFE_POINT} starts threads of its own, or a Worker died in a call`
      : `call ${SAFE_POINT} in loops that do not return, or wait longer (timeout)`,
  });
}
