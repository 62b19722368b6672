/**
 * A version as its holders see it: they keep its memory, and while they need it
 * closing is refused.
 */

import { LoadError } from "../errors/load_error.ts";
import type { ModuleIdentity } from "../load/imports/resolve.ts";
import type { ControlOwner } from "./share/control.ts";
import {
  allImporters,
  freeableGroup,
  type HeldNode,
  type Holder,
  HolderSet,
  type Keeper,
} from "./holders.ts";

/** The users of a version that are counted elsewhere. */
export interface CountedUsers {
  /** The number of nonblocking calls in flight. */
  callsInFlight(): number;
  /** The number of isolates that are attached. */
  attachedIsolates(): number;
  /** Whether the module was ever shared with other isolates. */
  isShared(): boolean;
  /** Whether an isolate died while its nonblocking calls were in flight: they may be running for ever. */
  hasLostCalls(): boolean;
  /** The owner's sides of sharing; absent where there can be none. */
  controls?(): readonly ControlOwner[];
}

/** The base of `Lifetime`, which adds the states; `V` is that class. */
export abstract class HeldVersion<V extends HeldVersion<V>> implements HeldNode<V> {
  /** The module, as its providers know it. */
  readonly identity: ModuleIdentity;
  readonly #users: CountedUsers;
  readonly #holders = new HolderSet();
  /** Counts the versions of all modules in the order in which they were made. */
  readonly order: number = ++count;
  #isPinned = false;

  /** @param identity The module, as its providers know it. */
  constructor(identity: ModuleIdentity, users: CountedUsers) {
    this.identity = identity;
    this.#users = users;
    versions.set(identity, this);
  }

  abstract get isOpen(): boolean;
  abstract get isFreed(): boolean;
  abstract get isDraining(): boolean;

  /** Goes on towards the end, now that a holder has gone; never throws. */
  abstract tryDrain(): void;

  get isPinned(): boolean {
    return this.#isPinned;
  }

  /** The number of nonblocking calls in flight, in all isolates. */
  get callsInFlight(): number {
    return this.#users.callsInFlight();
  }

  /** The owner's sides of sharing. */
  get controls(): readonly ControlOwner[] {
    return this.#users.controls?.() ?? [];
  }

  /** Makes the memory of this version, and of what it imports from, stay until the process ends. */
  pin(): void {
    this.#isPinned = true;
    this.suspect();
  }

  /** Says that code of this version may come to run for ever; must be called before it does. */
  suspect(): void {
    suspects.add(this);
  }

  /** Takes {@linkcode HeldVersion.suspect} back, unless the version is pinned. */
  endSuspicion(): void {
    if (!this.#isPinned) suspects.delete(this);
  }

  /** Whether nonblocking calls were lost with the isolate that began them, and may be running for ever. */
  get hasLostCalls(): boolean {
    return this.#users.hasLostCalls();
  }

  /** Whether code of this version, or of one that imports from it, may be running for ever. */
  get staysMapped(): boolean {
    const mayRun = ({ isPinned, hasLostCalls }: HeldVersion<V>): boolean => isPinned || hasLostCalls;
    // A module of a thousand versions would be walked through at each reload.
    const isSuspected = [...suspects].some((each) => mayRun(each as HeldVersion<V>));
    return isSuspected && (mayRun(this) || [...this.#allImporters()].some(mayRun));
  }

  /** Whether a raw address was ever leased: calls through it are not counted. */
  get hadLease(): boolean {
    return this.#holders.hadLease;
  }

  /** Whether another module ever imported from this one. */
  get hadImporter(): boolean {
    return this.#holders.hadImporter;
  }

  /** Everything that needs the version's memory, nonblocking calls and other isolates included. */
  holders(): Holder[] {
    // A pinned module that has ended keeps its holds, but nobody waits for it.
    const holders = [...this.#holders].filter(({ importer }) => this.#versionOf(importer)?.isFreed !== true);
    if (this.isFreed) return holders;
    const count = (kind: "call" | "isolate", number: number, noun: string): void => {
      if (number > 0) holders.push({ kind, description: number === 1 ? `a ${noun}` : `${number} ${noun}s` });
    };
    count("call", this.#users.callsInFlight(), "nonblocking call");
    count("isolate", this.#users.attachedIsolates(), "Worker");
    return holders;
  }

  /** Describes everything that needs the version's memory, each description once. */
  describeHolders(): string[] {
    return [...new Set(this.holders().map(({ description }) => description))];
  }

  *keepers(): Iterable<Keeper<V>> {
    for (const { kind, importer } of this.holders()) yield { kind, version: this.#versionOf(importer) };
  }

  *importers(): Iterable<V> {
    for (const { importer } of this.#holders) {
      const version = this.#versionOf(importer);
      if (version !== undefined) yield version;
    }
  }

  /** Whether other modules import from this one. */
  isImported(): boolean {
    return this.holders().some(({ kind }) => kind === "importer");
  }

  /** Whether a module that imports from this one, directly or through others, was ever shared. */
  isImportedByShared(): boolean {
    return [...this.#allImporters()].some((importer) => importer.wasShared);
  }

  /** Whether the module was ever shared with other isolates. */
  get wasShared(): boolean {
    return this.#users.isShared();
  }

  /**
   * Keeps the memory until the result is disposed of.
   *
   * @throws {LoadError} `Closed` unless the module is open.
   */
  hold(kind: "lease" | "call", description: string): Disposable {
    this.requireOpen();
    return this.#add({ kind, description });
  }

  /**
   * Keeps the memory for a module that imports from this one.
   *
   * @throws {LoadError} `Closed` unless the module is open.
   */
  holdFor(importer: ModuleIdentity): Disposable {
    this.requireOpen();
    return this.#add({ kind: "importer", description: importer.description, importer });
  }

  /**
   * Keeps the memory as a lease of another version; when that ends too, both end
   * together. Works on a revoked version, whose memory other leases keep.
   *
   * @throws {LoadError} `Closed` if the memory is freed.
   */
  holdLeaseFor(importer: ModuleIdentity, description: string): Disposable {
    if (this.isFreed) throw this.closedError();
    return this.#add({ kind: "lease", description, importer });
  }

  /**
   * Keeps the memory for another version of the module that shares variables with this one: both end together.
   *
   * @throws {LoadError} `Closed` if the memory is freed.
   */
  holdForVersion(version: ModuleIdentity, description: string): Disposable {
    if (this.isFreed) throw this.closedError();
    return this.#add({ kind: "version", description, importer: version });
  }

  /** Keeps the memory of a version that may be ending, for another one whose variables lead into it; never throws. */
  holdForAddress(importer: ModuleIdentity): Disposable {
    return this.#add({
      kind: "address",
      description: `an address in variables of ${importer.description}`,
      importer,
    });
  }

  /** Keeps the memory of a version that may be ending; never throws. */
  holdQuietly(kind: "running", description: string): Disposable {
    return this.#add({ kind, description });
  }

  /** @throws {LoadError} `Closed` unless the module is open. */
  requireOpen(): void {
    if (!this.isOpen) throw this.closedError();
  }

  /** @throws {LoadError} `Busy` while a nonblocking call or an importer needs the module. */
  requireIdle(): void {
    const users = this.holders().filter(({ kind }) => kind === "call" || kind === "importer");
    // Importers that have ended and wait only for this module, as in a circle, end with it.
    if (users.length === 0 || freeableGroup<HeldNode<V>>(this) !== undefined) return;
    const names = [...new Set(users.map(({ description }) => description))].join(", ");
    const isImported = users.some(({ kind }) => kind === "importer");
    throw new LoadError("Busy", `Cannot close ${this.identity.description}: it is in use by ${names}`, {
      ...isImported && { hint: CLOSE_IMPORTERS },
    });
  }

  /** @throws {LoadError} `Busy` while a nonblocking call is in flight. */
  requireNoCalls(): void {
    if (this.holders().some(({ kind }) => kind === "call")) this.requireIdle();
  }

  /** The error for a use of the module after it is revoked, or for a call of its function `name`. */
  closedError(name?: string): LoadError {
    const action = name === undefined ? "use" : `call '${name}' of`;
    return new LoadError("Closed", `Cannot ${action} ${this.identity.description}: it is closed`);
  }

  #add(holder: Holder): Disposable {
    // The holder did not cause a failure to free, and cannot mend one.
    const { trace } = this.identity;
    if (trace === undefined) return this.#holders.add(holder, () => this.tryDrain());
    trace({ kind: "hold", holder: holder.description });
    return this.#holders.add(holder, () => {
      trace({ kind: "release", holder: holder.description });
      this.tryDrain();
    });
  }

  #allImporters(): Set<V> {
    return allImporters<V>(this);
  }

  #versionOf(importer: ModuleIdentity | undefined): V | undefined {
    return importer === undefined ? undefined : versions.get(importer) as V | undefined;
  }
}

let count = 0;

/** The versions of this isolate whose code may come to run for ever: of all others {@linkcode HeldVersion.staysMapped} knows. */
const suspects = new Set<unknown>();

/** The versions of all modules, by the identity that their providers know; all are of one class. */
const versions = new WeakMap<ModuleIdentity, unknown>();

const CLOSE_IMPORTERS =
  "close the modules that import from it first, or use closeAsync() or `await using`, which wait for them";
