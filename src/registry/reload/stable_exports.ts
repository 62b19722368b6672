/**
 * A module as others know it over all its versions: addresses that stay while
 * versions come and go, and holds that move on to the newest.
 *
 * Functions are imported and called live through trampolines; who imports
 * variables is among the {@linkcode VariableImporters}.
 */

import type { Compatibility } from "../../image/compatibility.ts";
import { VariableImporters } from "./variable_importers.ts";
import { LoadError } from "../../errors.ts";
import { exportHashes, exportNames, findExported } from "./exports.ts";
import type { FoundImport, IsolateQuestion, ModuleIdentity, Provider } from "../../load/imports/resolve.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import { claimSlot, type LeaseRequest, type Slot, Slots, type Targets } from "./slots.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** What importers are linked to. */
export interface Exporter {
  /** What an importer of `name` is linked to. */
  find(name: string): FoundImport | undefined;
  /** Names that can be imported. */
  names(): Iterable<string>;
}

/** How a new version takes over. */
export interface PrepareOptions {
  /**
   * What it may lack: with `strict` nothing that is in use; with `allow` it
   * stays with the old version, which is kept for that.
   */
  readonly compatibility: Compatibility;
  /** Versions that have to stay for it, and why. */
  readonly leases: readonly LeaseRequest[];
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

/** A hold on whatever version is the current one. */
interface MovingHold {
  readonly importer: ModuleIdentity;
  current: Disposable;
}

/** The exports of one module over all its versions. */
export class StableExports implements Exporter {
  #version: ModuleVersion;
  readonly #slots: Slots;
  readonly #shared = new Set<Slot>();
  readonly #holds = new Set<MovingHold>();
  readonly #followers = new VariableImporters();
  readonly #provider: Provider;
  /** Who calls through the trampolines. */
  readonly use = new TrampolineUsers();
  /** Live libraries, each of which counts as a handle. */
  #libraries = 0;

  readonly #grace: () => Promise<unknown> | undefined;
  /** What an importer calls may in turn call what works in this isolate only. */
  readonly #isIsolateLocal: IsolateQuestion = (asked) =>
    (this.#offered ?? this.#version).image.whyNotShareable(asked) !== undefined;
  /** What is to take over, while others are linked to it. */
  #offered: ModuleVersion | undefined;
  #replaced: () => void = () => {};

  /** @param grace Settles when every call that is out now, of any module, has come back; undefined if none is. */
  constructor(version: ModuleVersion, allocator: MemoryAllocator, grace: () => Promise<unknown> | undefined) {
    this.#slots = new Slots(allocator, this.use);
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
    if (this.use.attachedIsolates() > 0) return this.use.whenEmpty(() => this.dropLibrary());
    this.#libraries--;
    this.#version.closeHandleUnlessImported();
  }

  /** What an importer of `name` is linked to. */
  find(name: string): FoundImport | undefined {
    const exported = findExported(this.#version, name);
    if (exported === undefined) return undefined;
    if (exported.kind === "data") return this.#followers.find(name, this.#version, this.#isIsolateLocal);
    const slot = this.slot(name)!;
    return {
      address: this.trampoline(slot),
      from: this.#provider.description,
      provider: this.#provider,
      claim: () => claimSlot(slot),
      isIsolateLocal: this.#isIsolateLocal,
    };
  }

  names(): Iterable<string> {
    return exportNames(this.#version);
  }

  /** The hashes of the names that can be imported. */
  nameHashes(): Iterable<number> {
    return exportHashes(this.#version);
  }

  /** Calls `tell` whenever another version has taken over; it must not fail. */
  whenReplaced(tell: () => void): void {
    this.#replaced = tell;
  }

  /**
   * Links others, which are to take over together with it, to what a candidate
   * will have: functions that are new lead into it at once, the others when it
   * takes over. Until {@linkcode StableExports.endOffer}.
   */
  offer(candidate: ModuleVersion): Exporter {
    this.#offered = candidate;
    const provider: Provider = {
      description: this.#provider.description,
      hold: (importer) => this.#holdMoving(importer, candidate),
    };
    return {
      find: (name) => {
        const exported = findExported(candidate, name);
        if (exported === undefined) return undefined;
        if (exported.kind === "data") return this.#followers.find(name, candidate, this.#isIsolateLocal);
        const current = findExported(this.#version, name)?.kind;
        // What was a variable becomes a function for nobody but those who come later.
        if (current !== undefined) return current === "function" ? this.find(name) : undefined;
        const slot = this.#slots.get(name);
        const isKept = slot !== undefined && slot.users > 0 && !slot.offered;
        if (isKept && slot.kind === "data") return undefined;
        const used = isKept ? slot : this.#slots.enter(this.#version, name, exported, candidate.lifetime);
        used.offered = !isKept;
        return {
          address: this.trampoline(used),
          from: provider.description,
          provider,
          claim: () => claimSlot(used),
          isIsolateLocal: this.#isIsolateLocal,
        };
      },
      names: () => exportNames(candidate),
    };
  }

  /** It has taken over, or never will. */
  withdrawCandidate(): void {
    this.#offered = undefined;
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
    const known = this.#slots.find(name);
    if (known !== undefined) return known;
    const target = findExported(this.#version, name);
    if (target === undefined) return undefined;
    return this.#slots.enter(this.#version, name, target, this.#version.lifetime);
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
    return this.#slots.address(this.#version, slot);
  }

  /** Where the address of the current version's table is. */
  get tablePointer(): bigint {
    return this.#slots.tablePointer(this.#version);
  }

  /** Holds whatever version is the current one. */
  hold(importer: ModuleIdentity): Disposable {
    return this.#holdMoving(importer, this.#version);
  }

  #holdMoving(importer: ModuleIdentity, version: ModuleVersion): Disposable {
    const hold: MovingHold = { importer, current: version.provider.hold(importer) };
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        if (this.#holds.delete(hold)) hold.current[Symbol.dispose]();
      },
    };
  }

  /** @throws {LoadError} `Incompatible`, listing what is in use and does not fit the candidate. */
  check(candidate: ModuleVersion, { compatibility }: Pick<PrepareOptions, "compatibility">): void {
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
    const targets = this.#targets(candidate, options.compatibility);
    using undo = new DisposableStack();
    const lead = this.#slots.prepare(candidate, targets, options.leases, undo);
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
      obsolete = lead();
      this.#version = candidate;
      this.#replaced();
      for (const { hold, next } of moved) {
        before.push(hold.current);
        hold.current = next;
      }
      for (const follower of followed) before.push(follower.commit());
    };
    const finish = (): void => {
      for (const follower of followed) follower.release();
      previous.transferHandles(this.#libraries, candidate);
      previous.removeTrampolineUsers(this.use);
      this.#releaseAfterCalls(previous, obsolete);
      for (const hold of before) hold[Symbol.dispose]();
    };
    return { commit, finish, abort };
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

  /** @throws {LoadError} `Incompatible`, listing what is in use and does not fit the candidate. */
  #targets(candidate: ModuleVersion, compatibility: Compatibility): Targets {
    const reason = candidate.image.whyNotShareable();
    if (reason !== undefined && (this.use.isShared || this.#version.lifetime.isImportedByShared())) {
      throw new LoadError("Incompatible", `Cannot reload: other isolates call the module, and ${reason}`, {
        path: candidate.path,
      });
    }
    const targets = this.#slots.targets(candidate, compatibility);
    const missing = [...targets.missing, ...this.#followers.missing(candidate, compatibility)];
    if (missing.length === 0) return targets;
    const symbols = [...new Set(missing)];
    const names = symbols.map((name) => `'${name}'`).join(", ");
    const message = `Cannot reload: the new version does not export ${names} as before`;
    throw new LoadError("Incompatible", message, { path: candidate.path, symbols });
  }
}
