/**
 * The life of one version of a module, as a state machine.
 *
 * | state | calls | memory | left when |
 * |---|---|---|---|
 * | `open` | go through | mapped | it is revoked: the last handle is closed, the registry unloads it by force, or nobody can reach it any more |
 * | `revoked` | throw | mapped | at once, unless native code may be on the stack: then at the next turn of the event loop |
 * | `draining` | throw | mapped | nothing is left that can run in it or reach it: nonblocking calls, importers, leases, other isolates |
 * | `freed` | throw | gone | never |
 *
 * A module that is told to close while it is in use by a nonblocking call or
 * an importer stays `open` and says `Busy`; only `unload` by force and the
 * asynchronous ways go on to drain.
 *
 * A module that is pinned, or that a pinned one imports from, goes the same way,
 * but keeps its memory at the end of it: its code may run for ever.
 */

import { isInsideCall } from "../call/gate.ts";
import { LoadError } from "../errors.ts";
import type { ModuleIdentity } from "../load/imports/resolve.ts";
import { defer, retryDeferred } from "../os/memory/deferred_release.ts";

/** See the table above. */
export type LifetimeState = "open" | "revoked" | "draining" | "freed";

/** Why something still needs the module: by kind, so that the rules can differ. */
export type HoldKind = "importer" | "lease" | "call" | "running" | "isolate";

/** One reason why a module's memory stays. */
export interface Holder {
  readonly kind: HoldKind;
  /** For people. */
  readonly description: string;
  /** The module that holds it, if it is one. */
  readonly importer?: ModuleIdentity;
}

/** What a lifetime ends. */
export interface LifetimeEnds {
  /** Makes calls throw from now on. */
  revoke(): void;
  /** Whether JavaScript was ever given a function of the module. */
  wasBound(): boolean;
  /** Nonblocking calls that have not come back. */
  callsInFlight(): number;
  /** Settles when every call that is out now has come back; undefined if none is. */
  passed(): Promise<unknown> | undefined;
  /** Isolates that have attached themselves and not left. */
  otherIsolates(): number;
  /** Whether other isolates were ever given it. */
  isShared(): boolean;
  /** Somebody waits for the memory to be freed. */
  awaited(): void;
  /** Finalisers. */
  finish(): void;
  /** Libraries and memory. May throw; then nothing was freed and it may be tried again. */
  free(): void;
  /** In place of both, if its memory stays. */
  keep(): void;
}

/** Drives one version of a module through its states. */
export class Lifetime {
  #state: LifetimeState = "open";
  readonly #ends: LifetimeEnds;
  readonly #holders = new Set<Holder>();
  readonly #waiting: ((error?: unknown) => void)[] = [];
  readonly #tellFreed: (() => void)[] = [];
  readonly #self: ModuleIdentity;
  /** What is left to do when freeing has failed. */
  readonly #rest: Disposable = { [Symbol.dispose]: () => this.drain() };
  #turnAhead = false;
  /** A finaliser may be running, and may call back. */
  #freeing = false;
  /** Raw addresses were handed out: whoever used one may be on the stack unseen. */
  #hadLease = false;
  #hadImporter = false;
  #isPinned = false;

  /** @param self The module, as those know it from whom it imports. */
  constructor(self: ModuleIdentity, ends: LifetimeEnds) {
    this.#self = self;
    this.#ends = ends;
    lifetimes.set(self, this);
  }

  get state(): LifetimeState {
    return this.#state;
  }

  /** Who needs the module's memory, nonblocking calls included. */
  holders(): Holder[] {
    // What a pinned module holds when it has ended is no reason to wait.
    const holders = [...this.#holders].filter(({ importer }) => lifeOf(importer)?.state !== "freed");
    if (this.#state === "freed") return holders;
    const add = (kind: HoldKind, count: number, what: string): void => {
      if (count > 0) holders.push({ kind, description: count === 1 ? `a ${what}` : `${count} ${what}s` });
    };
    add("call", this.#ends.callsInFlight(), "nonblocking call");
    add("isolate", this.#ends.otherIsolates(), "Worker");
    return holders;
  }

  /** Its memory, and that of what it imports from, is never freed from here on. */
  pin(): void {
    this.#isPinned = true;
  }

  get isPinned(): boolean {
    return this.#isPinned;
  }

  /** Whether its memory stays for ever. */
  #stays(): boolean {
    const users = new Set<Lifetime>([this]);
    for (const user of users) {
      if (user.#isPinned) return true;
      for (const { importer } of user.#holders) {
        const life = lifeOf(importer);
        if (life !== undefined) users.add(life);
      }
    }
    return false;
  }

  /** Keeps the memory until the result is disposed. */
  hold(kind: "lease" | "call", description: string): Disposable {
    return this.#hold({ kind, description });
  }

  /**
   * A lease that another version holds: if that ends too, both end together.
   * What another one holds already may have been revoked.
   */
  holdLeaseFor(importer: ModuleIdentity, description: string): Disposable {
    if (this.#state === "freed") throw this.closedError();
    return this.#add({ kind: "lease", description, importer });
  }

  /** Keeps the memory for a module that imports from this one. */
  holdFor(importer: ModuleIdentity): Disposable {
    return this.#hold({ kind: "importer", description: importer.description, importer });
  }

  /** As {@linkcode Lifetime.hold}, of a module that may be ending: cannot fail. */
  holdQuietly(kind: "running", description: string): Disposable {
    return this.#add({ kind, description });
  }

  #hold(holder: Holder): Disposable {
    this.requireOpen();
    return this.#add(holder);
  }

  #add(holder: Holder): Disposable {
    const { kind } = holder;
    this.#holders.add(holder);
    if (kind === "lease") this.#hadLease = true;
    if (kind === "importer") this.#hadImporter = true;
    return {
      [Symbol.dispose]: (): void => {
        // Not the holder's fault if freeing fails, and nothing that it could do about.
        if (this.#holders.delete(holder)) this.tryDrain();
      },
    };
  }

  /** @throws {LoadError} `Closed` unless the module is open. */
  requireOpen(): void {
    if (this.#state !== "open") throw this.closedError();
  }

  /** @throws {LoadError} `Busy` while a nonblocking call or an importer needs the module. */
  requireIdle(): void {
    const users = this.holders().filter(({ kind }) => kind === "call" || kind === "importer");
    // Those that have ended and only wait for this one, as in a circle, end with it.
    if (users.length === 0 || this.#endedGroup() !== undefined) return;
    const names = [...new Set(users.map(({ description }) => description))].join(", ");
    throw new LoadError("Busy", `Cannot close ${this.#self.description}: it is in use by ${names}`);
  }

  /** Whether other modules import from this one. */
  isImported(): boolean {
    return this.holders().some(({ kind }) => kind === "importer");
  }

  /** Whether other isolates were ever given a module that imports from it, directly or not. */
  isImportedByShared(): boolean {
    const users = new Set<Lifetime>(this.#importers());
    for (const user of users) {
      if (user.#ends.isShared()) return true;
      for (const importer of user.#importers()) users.add(importer);
    }
    return false;
  }

  *#importers(): Iterable<Lifetime> {
    for (const { importer } of this.#holders) {
      const lifetime = importer === undefined ? undefined : lifetimes.get(importer);
      if (lifetime !== undefined) yield lifetime;
    }
  }

  /** @throws {LoadError} `Busy` while a nonblocking call is in flight. */
  requireNoCalls(): void {
    if (this.holders().some(({ kind }) => kind === "call")) this.requireIdle();
  }

  /** The error for any use after it was revoked. */
  closedError(name?: string): LoadError {
    const what = name === undefined ? "use" : `call '${name}' of`;
    return new LoadError("Closed", `Cannot ${what} ${this.#self.description}: it was closed`);
  }

  /** `open` → `revoked`, and on as far as it goes; tries again if freeing has failed before. */
  revoke(): void {
    if (this.#state === "open") {
      this.#state = "revoked";
      this.#ends.revoke();
    }
    this.drain();
  }

  /** As {@linkcode Lifetime.revoke}, for those who cannot help it if freeing fails. */
  revokeQuietly(): void {
    this.#quietly(() => this.revoke());
  }

  /** See {@linkcode LifetimeEnds.passed}. */
  passed(): Promise<unknown> | undefined {
    return this.#state === "freed" ? undefined : this.#ends.passed();
  }

  /** Calls `tell` once, when the memory is freed. */
  whenFreed(tell: () => void): void {
    this.#tellFreed.push(tell);
  }

  /** Goes on as far as it can; called whenever a reason to wait has gone. */
  drain(): void {
    tellLookers();
    if (this.#state === "open" || this.#state === "freed" || this.#turnAhead || this.#freeing) return;
    if (this.#mayBeRunning()) this.#awaitTurn();
    else this.#advance();
  }

  /**
   * As {@linkcode Lifetime.drain}, for those who cannot help it if freeing
   * fails: whoever awaits the end is told, and may try again.
   */
  tryDrain(): void {
    this.#quietly(() => this.drain());
  }

  /** Those who await the end are told of a failure in `#advance`; if there are none, nobody else would try again. */
  #quietly(work: () => void): void {
    try {
      work();
    } catch {
      if (this.#state !== "freed") defer(this.#rest);
    }
  }

  /** Whether a frame of the module may be on this isolate's stack. */
  #mayBeRunning(): boolean {
    return this.#hadLease || ((this.#hadImporter || this.#ends.wasBound()) && isInsideCall());
  }

  /**
   * Revokes, then settles when the memory is freed, or only open modules of its
   * own circle keep it; rejects if freeing fails.
   */
  freed(): Promise<void> {
    return this.#ended(["circle"]);
  }

  /** As {@linkcode Lifetime.freed}, but does not wait for leases on raw addresses either. */
  freedOrLeased(): Promise<void> {
    return this.#ended(["circle", "lease"]);
  }

  #ended(excuses: readonly Reason[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#state === "freed") return resolve();
      const look = (): void => {
        const reasons = this.#reasons();
        if (reasons.size > 0 && [...reasons].every((reason) => excuses.includes(reason))) settle();
      };
      const settle = (error?: unknown): void => {
        lookers.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      lookers.add(look);
      this.#waiting.push(settle);
      try {
        this.revoke();
        this.#ends.awaited();
      } catch {
        // Told through the promise.
      }
    });
  }

  /** What keeps the memory, of this module or of one that holds it by importing from it. */
  #reasons(): Set<Reason> {
    const reasons = new Set<Reason>();
    const members = new Set<Lifetime>([this]);
    for (const member of members) {
      if (member.#state === "open") {
        reasons.add(member.#isHeldBy(this) ? "circle" : "other");
        continue;
      }
      if (member.#state !== "draining" || member.#freeing) reasons.add("other");
      for (const { kind, importer } of member.holders()) {
        const holder = lifeOf(importer);
        if (holder !== undefined) members.add(holder);
        else reasons.add(kind === "lease" ? "lease" : "other");
      }
    }
    return reasons;
  }

  /** Whether another module imports from this one, directly or not. */
  #isHeldBy(other: Lifetime): boolean {
    const users = new Set<Lifetime>(this.#importers());
    for (const user of users) for (const importer of user.#importers()) users.add(importer);
    return users.has(other);
  }

  /** At the next turn no synchronous call made before is on the stack. */
  #awaitTurn(): void {
    const turn = (): void => {
      this.#turnAhead = false;
      this.#quietly(() => this.#advance());
    };
    setTimeout(turn, 0);
    // Not before: near the end of the stack the call may have thrown.
    this.#turnAhead = true;
  }

  #advance(): void {
    tellLookers();
    // The others of its group may have freed it before its turn came.
    if (this.#state === "freed") return;
    this.#state = "draining";
    if (this.#freeing) return;
    const group = this.#endedGroup();
    if (group === undefined) return;
    for (const member of group) member.#freeing = true;
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
    // Finalisers may call each other: all run before any code goes. One that throws keeps no memory.
    const staying = new Set([...group].filter((member) => member.#stays()));
    for (const member of group) if (!staying.has(member)) attempt(() => member.#ends.finish());
    for (const member of group) {
      if (member.#state === "freed") continue;
      if (!attempt(() => staying.has(member) ? member.#ends.keep() : member.#ends.free())) continue;
      member.#state = "freed";
      for (const tell of member.#tellFreed.splice(0)) tell();
    }
    for (const member of group) {
      member.#freeing = false;
      if (member !== this && member.#state !== "freed") defer(member.#rest);
      for (const settle of member.#waiting.splice(0)) settle(failures[0]);
    }
    if (failures.length > 0) throw failures[0];
    retryDeferred();
  }

  /**
   * This module and those that hold it by importing from it, if all of them
   * have ended and nothing else is left: modules that import from each other
   * end together. Undefined if something still needs them.
   */
  #endedGroup(): Set<Lifetime> | undefined {
    const group = new Set<Lifetime>([this]);
    for (const member of group) {
      if (member !== this && (member.#state !== "draining" || member.#freeing)) return undefined;
      for (const { importer } of member.holders()) {
        const holder = lifeOf(importer);
        if (holder === undefined) return undefined;
        group.add(holder);
      }
    }
    return group;
  }
}

/** What may keep memory: a raw address, an open module of the same circle, or something that one waits for. */
type Reason = "lease" | "circle" | "other";

/** Those who wait until nothing but some reasons is left. */
const lookers = new Set<() => void>();
let isTellingLookers = false;

/** Something may have gone that kept memory: once for all that goes at a time. */
function tellLookers(): void {
  if (lookers.size === 0 || isTellingLookers) return;
  isTellingLookers = true;
  queueMicrotask(() => {
    isTellingLookers = false;
    for (const look of [...lookers]) look();
  });
}

/** The lives of modules, by what they are to those from whom they import. */
const lifetimes = new WeakMap<ModuleIdentity, Lifetime>();

function lifeOf(importer: ModuleIdentity | undefined): Lifetime | undefined {
  return importer === undefined ? undefined : lifetimes.get(importer);
}
