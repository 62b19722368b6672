/**
 * The lifetime of one version of a module, as a state machine.
 *
 * | state | calls | memory | left when |
 * |---|---|---|---|
 * | `open` | go through | mapped | it is revoked: the last handle is closed, the registry unloads it by force, or it becomes unreachable |
 * | `revoked` | throw | mapped | at once, unless native code may be on the stack: then at the next turn of the event loop |
 * | `draining` | throw | mapped | nothing is left that can run in it or reach it: nonblocking calls, importers, leases, other isolates |
 * | `freed` | throw | gone | never |
 *
 * A module that is told to close while a nonblocking call or an importer uses it
 * stays `open`, and closing it throws `Busy`; only `unload` by force and the
 * asynchronous ways go on to drain.
 *
 * A pinned module, one in which nonblocking calls of a dead isolate may be
 * running, and every module that it imports from, goes through the same
 * states but keeps its memory in `freed`: its code may run for ever.
 */

import { isInsideCall } from "../call/gate.ts";
import type { CallsDrained } from "../call/in_flight.ts";
import type { ModuleIdentity } from "../load/imports/resolve.ts";
import { setTimeout } from "../os/intrinsics.ts";
import { defer, retryDeferred } from "../os/memory/deferred_release.ts";
import { EndWaits, recheckWaits } from "./end_waits.ts";
import { type CountedUsers, HeldVersion } from "./held_version.ts";
import { freeableGroup } from "./holders.ts";

/** The states of a version, in order. */
export type LifetimeState = "open" | "revoked" | "draining" | "freed";

/** The version that a lifetime drives: the facts that it asks for, and the actions of each transition. */
export interface LifetimeSubject extends CountedUsers {
  /** Makes calls throw from now on. */
  revoke(): void;
  /** Whether JavaScript ever got a function of the module. */
  wasBound(): boolean;
  /** Settles when all calls that are in flight now have returned or are lost; `undefined` if there are none. */
  callsDrained(): CallsDrained | undefined;
  /** Keeps the process alive until the memory is freed: somebody awaits that. */
  keepProcessAlive(): void;
  /** Runs the finalisers. */
  finalise(): void;
  /** Frees libraries and memory. If it throws, it can be called again. */
  free(): void;
  /** Lets go of the module but leaves its memory mapped: called for a pinned one instead of both. */
  keepMapped(): void;
}

/** Drives one version of a module through its states. */
export class Lifetime extends HeldVersion<Lifetime> {
  #state: LifetimeState = "open";
  readonly #subject: LifetimeSubject;
  /**
   * Called before the version is freed: holds it for everything that still leads into it. No code of a module runs
   * between calls with the same `look`.
   */
  guard: (look: object) => void = () => {};
  /** Called when it is revoked and nothing keeps it but the versions that it shares variables with; must not throw. */
  vacated: () => void = () => {};
  readonly #waits = new EndWaits();
  readonly #freedListeners: (() => void)[] = [];
  /** Deferred when freeing has failed and nobody else would try again. */
  readonly #retry: Disposable = { [Symbol.dispose]: () => this.drain() };
  #isTurnScheduled = false;
  /** Whether a finaliser may be running, which may call back into this class. */
  #isBeingFreed = false;

  /** @param identity The module, as its providers know it. */
  constructor(identity: ModuleIdentity, subject: LifetimeSubject) {
    super(identity, subject);
    this.#subject = subject;
  }

  get state(): LifetimeState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isDraining(): boolean {
    return this.#state === "draining" && !this.#isBeingFreed;
  }

  get isFreed(): boolean {
    return this.#state === "freed";
  }

  /** Whether it only waits for the end of the versions that it shares variables with: no known call is in its code. */
  get isOnlyShared(): boolean {
    return this.isDraining && !this.#isTurnScheduled &&
      this.holders().every(({ kind }) => kind === "version");
  }

  /**
   * Goes from `open` to `revoked` and on as far as possible. Calling it again
   * retries what has failed.
   *
   * @throws {LoadError} What freeing the memory throws.
   */
  revoke(): void {
    if (this.#state === "open") {
      this.#state = "revoked";
      this.#subject.revoke();
    }
    this.drain();
  }

  /** Like {@linkcode Lifetime.revoke}, but defers failures instead of throwing. */
  revokeQuietly(): void {
    this.#deferFailure(() => this.revoke());
  }

  /**
   * Revokes, and settles when the memory is freed, or kept only by open modules of
   * its own circle or by addresses in variables; rejects if freeing fails.
   *
   * @param options `ignoreLeases`: settles also when leases on raw addresses are left.
   */
  async revokeAndWait({ ignoreLeases = false }: { readonly ignoreLeases?: boolean } = {}): Promise<void> {
    if (this.#state === "freed") return;
    const end = this.#waits.add<Lifetime>(this, [
      "circle",
      "address",
      ...ignoreLeases ? ["lease"] as const : [],
    ]);
    try {
      this.revoke();
      this.#subject.keepProcessAlive();
    } catch {
      // The failure has rejected `end`.
    }
    await end;
  }

  /**
   * Settles when all calls that are in flight now have returned or are lost, in
   * all isolates; `undefined` if there are none.
   */
  callsDrained(): CallsDrained | undefined {
    return this.#state === "freed" ? undefined : this.#subject.callsDrained();
  }

  /** Calls `listener` once, when the memory is freed. */
  whenFreed(listener: () => void): void {
    this.#freedListeners.push(listener);
  }

  /**
   * Goes on as far as possible; called whenever a holder has gone.
   *
   * @throws {LoadError} What freeing the memory throws.
   */
  drain(): void {
    recheckWaits();
    if (this.#state === "open" || this.#state === "freed") return;
    if (this.#isTurnScheduled || this.#isBeingFreed) return;
    if (this.#mayBeRunning()) this.#drainNextTurn();
    else this.#tryFree();
  }

  /** Like {@linkcode Lifetime.drain}, but defers failures instead of throwing. */
  tryDrain(): void {
    this.#deferFailure(() => this.drain());
  }

  /** Waiters learn of a failure from `#tryFree`; without waiters only the deferred retry tries again. */
  #deferFailure(work: () => void): void {
    try {
      work();
    } catch {
      if (this.#state !== "freed") defer(this.#retry);
    }
  }

  /** Whether a frame of the module may be on this isolate's stack. */
  #mayBeRunning(): boolean {
    return this.hadLease || ((this.hadImporter || this.#subject.wasBound()) && isInsideCall());
  }

  /** Drains at the next turn, when no synchronous call of this turn is on the stack. */
  #drainNextTurn(): void {
    const turn = (): void => {
      this.#isTurnScheduled = false;
      this.#deferFailure(() => this.#tryFree());
    };
    setTimeout(turn, 0);
    // Set after the call, which may throw near the end of the stack.
    this.#isTurnScheduled = true;
  }

  /** The versions that are freed together with this one; none if something still leads into one of them. */
  #guardedGroup(): Set<Lifetime> | undefined {
    const asked = new Set<Lifetime>(), look = {};
    while (true) {
      const group = freeableGroup<Lifetime>(this);
      const member = group?.difference(asked).values().next().value;
      if (member === undefined) return group;
      asked.add(member);
      member.guard(look);
    }
  }

  /** Frees this version and all that end with it, if nothing else keeps any of them. */
  #tryFree(): void {
    recheckWaits();
    // Another member of its group may have freed it before this turn.
    if (this.#state === "freed") return;
    this.#state = "draining";
    if (this.#isBeingFreed) return;
    const group = this.#guardedGroup();
    if (group === undefined) {
      if (this.isOnlyShared) this.vacated();
      return;
    }
    for (const member of group) member.#isBeingFreed = true;
    const failures: unknown[] = [];
    const attempt = (work: () => void): boolean => {
      try {
        work();
        return true;
      } catch (error) {
        failures.push(error);
        return false;
      }
    };
    // All finalisers run before any code goes: they may call each other. One that throws does not keep memory.
    const pinned = new Set([...group].filter((member) => member.staysMapped));
    // Newest first: versions of one module may share objects, whose newest parts go first.
    for (const member of [...group].sort((left, right) => right.order - left.order)) {
      if (!pinned.has(member)) attempt(() => member.#subject.finalise());
    }
    for (const member of group) {
      if (member.#state === "freed") continue;
      const subject = member.#subject;
      if (!attempt(() => pinned.has(member) ? subject.keepMapped() : subject.free())) continue;
      member.#state = "freed";
      if (!pinned.has(member)) member.endSuspicion();
      for (const listener of member.#freedListeners.splice(0)) listener();
    }
    for (const member of group) {
      member.#isBeingFreed = false;
      if (member !== this && member.#state !== "freed") defer(member.#retry);
      member.#waits.settle(failures[0]);
    }
    if (failures.length > 0) throw failures[0];
    retryDeferred();
  }
}
