/**
 * A module as others know it over all its versions: addresses that stay while
 * versions come and go, and holds that move on to the newest.
 *
 * Functions are imported and called live through trampolines; who imports
 * variables is among the {@linkcode DataFollowers}.
 */

import { JumpTable, Trampolines } from "./call/trampoline.ts";
import { LoadError } from "./errors.ts";
import { DataFollowers } from "./data_followers.ts";
import { type Compatibility, type ExportKind, fitOf, isRefused } from "./compatibility.ts";
import { findExported } from "./exported.ts";
import type { FoundImport, Importer, IsolateQuestion, Provider } from "./imports/resolve.ts";
import type { MemoryAllocator } from "./memory/allocator.ts";
import { abandon } from "./memory/owed.ts";
import type { Lifetime } from "./lifetime.ts";
import { LiveUse } from "./share/live_use.ts";
import type { ModuleVersion } from "./version.ts";

/** A name that others use, for ever at the same place of every version's table. */
export interface Slot {
  readonly name: string;
  readonly index: number;
  kind: ExportKind;
  /** Bytes of the largest static that it is bound as. */
  size: number;
  /** How many importers and live libraries use it; a version may lack what nobody uses. */
  users: number;
  /** Of the version that it leads into: not the current one, if that lacks it. */
  home: Lifetime;
}

/** Marks a slot as in use until disposed. */
export function claimSlot(slot: Slot): Disposable {
  slot.users++;
  return { [Symbol.dispose]: () => void slot.users-- };
}

/** How a new version takes over. */
export interface PrepareOptions {
  /**
   * What it may lack: with `strict` nothing that is in use; with `allow` it
   * stays with the old version, which is kept for that.
   */
  readonly compatibility: Compatibility;
  /** Versions that have to stay for it, and why. */
  readonly leases: readonly { readonly lifetime: Lifetime; readonly why: string }[];
}

/** Another version, ready to take over. */
export interface PreparedVersion {
  /** Sends everybody to it. Cannot fail. */
  commit(): void;
  /** Lets go of the version before; once everything is committed. */
  finish(): void;
  /** Leaves everybody where they are. */
  abort(): void;
}

/** Where a slot leads that the current version does not export and nobody uses. */
const NOWHERE = 0n;

/** What a version needs as the current one; it is used again when the version comes back. */
interface Serving {
  /** On other versions that have to stay for it. */
  readonly leases: Leases;
  /** Once it is called through trampolines. */
  readonly table: JumpTable | undefined;
}

/** Leases of which only the latest count. */
class Leases implements Disposable {
  #leases: readonly Disposable[] = [];

  /** Gives those that counted before. */
  replace(leases: readonly Disposable[]): readonly Disposable[] {
    const before = this.#leases;
    this.#leases = leases;
    return before;
  }

  [Symbol.dispose](): void {
    for (const lease of this.replace([])) lease[Symbol.dispose]();
  }
}

/** A hold on whatever version is the current one. */
interface MovingHold {
  readonly importer: Importer;
  current: Disposable;
}

/** The exports of one module over all its versions. */
export class StableExports {
  readonly #allocator: MemoryAllocator;
  #version: ModuleVersion;
  readonly #slots = new Map<string, Slot>();
  readonly #shared = new Set<Slot>();
  #trampolines: Trampolines | undefined;
  #table: JumpTable | undefined;
  readonly #serving = new WeakMap<ModuleVersion, Serving>();
  readonly #holds = new Set<MovingHold>();
  readonly #followers = new DataFollowers();
  readonly #provider: Provider;
  /** Who calls through the trampolines. */
  readonly use = new LiveUse();
  /** Live libraries, each of which counts as a handle. */
  #libraries = 0;

  readonly #grace: () => Promise<unknown> | undefined;
  /** What an importer calls may in turn call what works in this isolate only. */
  readonly #bindsIsolate: IsolateQuestion = (asked) => this.#version.image.privateReason(asked) !== undefined;

  /** @param grace Settles when every call that is out now, of any module, has come back; undefined if none is. */
  constructor(version: ModuleVersion, allocator: MemoryAllocator, grace: () => Promise<unknown> | undefined) {
    this.#allocator = allocator;
    this.#grace = grace;
    this.#version = version;
    this.#provider = {
      description: version.provider.description,
      hold: (importer) => this.hold(importer),
    };
  }

  /** The newest committed version. */
  get version(): ModuleVersion {
    return this.#version;
  }

  /** Counts a live library as a handle on the current version, whichever that is. */
  addLibrary(): void {
    this.#version.addHandle();
    this.#libraries++;
  }

  /** Gives the handle of a live library back, or leaves it to the isolates that it was shared with. */
  dropLibrary(): void {
    if (this.use.isolates() > 0) return this.use.whenEmpty(() => this.dropLibrary());
    this.#libraries--;
    this.#version.dropLive();
  }

  /** What an importer of `name` is linked to. */
  find(name: string): FoundImport | undefined {
    const exported = findExported(this.#version, name);
    if (exported === undefined) return undefined;
    if (exported.kind === "data") return this.#followers.find(name, this.#version, this.#bindsIsolate);
    const slot = this.slot(name)!;
    return {
      address: this.trampoline(slot),
      from: this.#provider.description,
      provider: this.#provider,
      claim: () => claimSlot(slot),
      bindsIsolate: this.#bindsIsolate,
    };
  }

  /** Names that can be imported. */
  *names(): Iterable<string> {
    const { symbols } = this.#version.image.file;
    for (let index = 0; index < symbols.length; index++) {
      if (symbols.isExport(index)) yield symbols.name(index);
    }
  }

  /** Isolates that were given these names may call them for as long as the module lives. */
  keepSlots(names: Iterable<string>): void {
    for (const name of names) {
      const slot = this.#slots.get(name);
      if (slot === undefined || this.#shared.has(slot)) continue;
      this.#shared.add(slot);
      claimSlot(slot);
    }
  }

  /** The slot of an export; undefined if the current version does not export it. */
  slot(name: string): Slot | undefined {
    const known = this.#slots.get(name);
    if (known !== undefined && this.#table!.get(known.index) !== NOWHERE) return known;
    const target = findExported(this.#version, name);
    if (target === undefined) return undefined;
    const trampolines = this.#useTrampolines();
    const home = this.#version.lifetime;
    const slot = known ?? { name, index: this.#slots.size, kind: target.kind, size: 0, users: 0, home };
    slot.kind = target.kind;
    slot.home = home;
    trampolines.address(slot.index);
    if (this.#table === undefined || slot.index >= this.#table.capacity) this.#growTable(target.address);
    this.#table!.set(slot.index, target.address);
    this.#slots.set(name, slot);
    return slot;
  }

  /**
   * Sees to it that every version has `size` bytes where a slot leads.
   *
   * @throws {LoadError} `Incompatible` if the current one has not.
   */
  reserve(slot: Slot, size: number): void {
    const target = findExported(this.#version, slot.name);
    if (target !== undefined && size > target.room) {
      throw new LoadError("Incompatible", "Cannot bind static: it would end outside the module", {
        path: this.#version.path,
        symbol: slot.name,
        size,
        range: [0, target.room + 1],
      });
    }
    slot.size = Math.max(slot.size, size);
  }

  /** The one canonical address of an exported function. */
  trampoline(slot: Slot): bigint {
    return this.#useTrampolines().address(slot.index);
  }

  /** Where the address of the current version's table is. */
  get tablePointer(): bigint {
    return this.#useTrampolines().tablePointer;
  }

  /** Holds whatever version is the current one. */
  hold(importer: Importer): Disposable {
    const hold: MovingHold = { importer, current: this.#version.provider.hold(importer) };
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        if (this.#holds.delete(hold)) hold.current[Symbol.dispose]();
      },
    };
  }

  /** @throws {LoadError} `Incompatible`, listing what is in use and does not fit the candidate. */
  check(candidate: ModuleVersion, { compatibility }: Pick<PrepareOptions, "compatibility">): void {
    const reason = candidate.image.privateReason();
    if (reason !== undefined && (this.use.isShared || this.#version.lifetime.isImportedByShared())) {
      throw new LoadError("Incompatible", `Cannot reload: other isolates call the module, and ${reason}`, {
        path: candidate.path,
      });
    }
    this.#targets(candidate, compatibility);
  }

  /**
   * Prepares to send everybody to another version. Everything that can fail
   * happens here; between this and the commit nobody may use more of the module
   * than now, so no foreign code may run.
   *
   * @throws {LoadError} As {@linkcode StableExports.check}, and what the allocator throws.
   */
  prepare(candidate: ModuleVersion, options: PrepareOptions): PreparedVersion {
    const previous = this.#version;
    const { addresses, kept } = this.#targets(candidate, options.compatibility);
    const belongings: Disposable[] = [];
    using undo = new DisposableStack();
    const own = <T extends Disposable>(belonging: T): T => {
      belongings.push(belonging);
      undo.defer(() => abandon(belonging));
      return belonging;
    };
    const serving = this.#serve(candidate, addresses, own);
    const keeping = new Set(kept);
    const leases = [
      ...options.leases,
      ...kept.map(({ name, home }) => ({ lifetime: home, why: `its function '${name}', still in use` })),
    ].map(({ lifetime, why }) => undo.use(lifetime.holdLeaseFor(candidate.image.importer, why)));
    const moved = [...this.#holds].map((hold) => ({
      hold,
      next: undo.use(candidate.provider.hold(hold.importer)),
    }));
    const followed = this.#followers.prepare(candidate, undo);
    const undoing = undo.move();
    const abort = (): void => undoing.dispose();
    const before: Disposable[] = [];
    let obsolete: readonly Disposable[] = [];
    const commit = (): void => {
      for (const belonging of belongings) candidate.own(belonging);
      this.#serving.set(candidate, serving);
      obsolete = serving.leases.replace(leases);
      const { table } = serving;
      if (table !== undefined) {
        addresses.forEach((address, index) => table.set(index, address));
        this.#trampolines!.lead(table);
        candidate.serveLive(this.use);
      }
      this.#table = table;
      this.#version = candidate;
      for (const slot of this.#slots.values()) if (!keeping.has(slot)) slot.home = candidate.lifetime;
      for (const { hold, next } of moved) {
        before.push(hold.current);
        hold.current = next;
      }
      for (const follower of followed) before.push(follower.commit());
    };
    const finish = (): void => {
      for (const follower of followed) follower.release();
      previous.moveHandles(this.#libraries, candidate);
      previous.endLive(this.use);
      this.#releaseAfterCalls(previous, obsolete);
      for (const hold of before) hold[Symbol.dispose]();
    };
    return { commit, finish, abort };
  }

  /** What a version needs as the current one; what it does not have from the last time is made. */
  #serve(
    version: ModuleVersion,
    addresses: readonly bigint[],
    own: <T extends Disposable>(belonging: T) => T,
  ): Serving {
    const known = this.#serving.get(version);
    const leases = known?.leases ?? own(new Leases());
    const trampolines = this.#trampolines;
    if (trampolines === undefined) return { leases, table: undefined };
    if (known?.table === undefined) own(trampolines.hold());
    const hasRoom = known?.table !== undefined && known.table.capacity >= addresses.length;
    return { leases, table: hasRoom ? known.table : own(new JumpTable(this.#allocator, addresses)) };
  }

  /**
   * A call of an importer, here or in another isolate, may be in the previous
   * version, or in one that a lease was for: they stay until every call that is
   * out now has come back.
   */
  #releaseAfterCalls({ lifetime }: ModuleVersion, leases: readonly Disposable[]): void {
    const release = (): void => leases.forEach((lease) => lease[Symbol.dispose]());
    const grace = this.#grace();
    if (grace === undefined) return release();
    const hold = lifetime.holdQuietly("running", "calls that may still be running it");
    grace.then(() => {
      hold[Symbol.dispose]();
      release();
    });
  }

  /** Where each slot leads in a candidate, and which of them have to stay where they are. */
  #targets(
    candidate: ModuleVersion,
    compatibility: PrepareOptions["compatibility"],
  ): { addresses: bigint[]; kept: Slot[] } {
    const addresses: bigint[] = [];
    const kept: Slot[] = [];
    const missing = this.#followers.missing(candidate, compatibility);
    for (const slot of this.#slots.values()) {
      const { name, index, kind, size, users } = slot;
      const target = findExported(candidate, name);
      const fit = fitOf({ kind, size }, target);
      if (target !== undefined && fit === "fits") {
        addresses[index] = target.address;
      } else if (users === 0) {
        addresses[index] = NOWHERE;
      } else if (isRefused(fit, compatibility)) {
        missing.push(name);
      } else {
        addresses[index] = this.#table!.get(index);
        kept.push(slot);
      }
    }
    if (missing.length > 0) {
      const symbols = [...new Set(missing)];
      const names = symbols.map((name) => `'${name}'`).join(", ");
      throw new LoadError(
        "Incompatible",
        `Cannot reload: the new version does not export ${names} as before`,
        {
          path: candidate.path,
          symbols,
        },
      );
    }
    return { addresses, kept };
  }

  #useTrampolines(): Trampolines {
    if (this.#trampolines === undefined) {
      const trampolines = new Trampolines(this.#allocator);
      this.#version.own(trampolines.hold());
      this.#version.serveLive(this.use);
      this.#trampolines = trampolines;
    }
    return this.#trampolines;
  }

  /** The old table stays with its version: a thread may be reading it. */
  #growTable(next: bigint): void {
    const { capacity } = this.#table ?? { capacity: 0 };
    const addresses = Array.from(
      { length: Math.min(capacity, this.#slots.size) },
      (_, index) => this.#table!.get(index),
    );
    addresses.push(next);
    // Twice as large: each of the old ones stays.
    while (addresses.length < 2 * capacity) addresses.push(NOWHERE);
    const table = new JumpTable(this.#allocator, addresses);
    const version = this.#version;
    version.own(table);
    let leases = this.#serving.get(version)?.leases;
    if (leases === undefined) version.own(leases = new Leases());
    this.#serving.set(version, { table, leases });
    this.#useTrampolines().lead(table);
    this.#table = table;
  }
}
