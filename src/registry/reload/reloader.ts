/**
 * Reloads as transactions: of one module or several, and the way back to an
 * earlier version.
 *
 * Everything that can fail happens to candidates that nobody else sees; what is
 * visible changes by one store for each module.
 */

import { AddressGuard } from "./address_guard.ts";
import { Keeping, type ReloadTakeover } from "./keeping.ts";
import type { CandidateWishes } from "../loading.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { type CarryReport, carryState } from "../../module/carry.ts";
import { saveVariables } from "../../module/image_data.ts";
import { checkRollback } from "../integrity.ts";
import { showReport } from "../shown_reload.ts";
import { whenAll } from "../../call/in_flight.ts";
import type { CallPath } from "../../call/path.ts";
import type { Catalog, Entry } from "../catalog.ts";
import { inFile, LoadError } from "../../errors/load_error.ts";
import { whenFulfilled } from "../../os/intrinsics.ts";
import { StepTimer } from "../../load/trace.ts";
import { migrateAndVerify, pointedVersions, type TakeoverOptions } from "./takeover.ts";
import { tellDebuggersOfHomes } from "../debugging.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** One version of a module that can be called or gone back to. */
export interface KeptVersion {
  /** Counts the versions of a module from 1. */
  readonly version: number;
  /** The hash of its sources that the file's writer stored; 0 if none. */
  readonly sourceHash: bigint;
  /** Whether live functions and importers run this version. */
  readonly current: boolean;
}

/** A module to reload, and how. */
export interface Replacement {
  readonly entry: Entry;
  readonly options: ReloadTakeover;
}

/** A module and the version that takes over. */
interface Takeover extends Replacement {
  readonly candidate: ModuleVersion;
  readonly keeping: Keeping;
  /** Whether the candidate is an earlier version. */
  readonly isRollback?: boolean;
}

/** The order with which a candidate is loaded. */
export interface CandidateOrder extends CandidateWishes {
  readonly number: number;
  readonly linked: (image: LoadedImage) => void;
}

/** Loads new versions; they belong to the caller then. */
export type LoadCandidates = (orders: readonly CandidateOrder[]) => readonly ModuleVersion[];

/** Takes the modules of one registry from version to version. */
export class Reloader {
  readonly #catalog: Catalog;
  readonly #callPath: CallPath;
  readonly #keepVersions: number | undefined;
  /** The guards of replaced versions that are not freed. */
  readonly #guards = new Map<Lifetime, AddressGuard>();
  #isRunning = false;

  /**
   * @param keepVersions How many earlier versions of a module are kept; undefined for one, or all if it is watched.
   * @throws {RangeError} If `keepVersions` is neither a whole number from 0 on nor Infinity.
   */
  constructor(catalog: Catalog, callPath: CallPath, keepVersions: number | undefined) {
    if (
      keepVersions !== undefined && keepVersions !== Infinity &&
      !(Number.isInteger(keepVersions) && keepVersions >= 0)
    ) {
      throw new RangeError(
        `Cannot keep ${keepVersions} versions: expected a whole number from 0 on, or Infinity`,
      );
    }
    this.#catalog = catalog;
    this.#callPath = callPath;
    this.#keepVersions = keepVersions;
  }

  /**
   * Reloads modules: all or, if anything fails, none.
   *
   * @param load Loads the candidates, which may import from each other.
   * @throws {LoadError} `Busy` inside another reload; and what any step throws.
   */
  reload(replacements: readonly Replacement[], load: LoadCandidates): (CarryReport | undefined)[] {
    using _running = this.#begin();
    using undo = new DisposableStack();
    const entries = replacements.map(({ entry }) => entry);
    this.#requireLoaded(entries);
    const keepings = replacements.map(({ entry, options }) => new Keeping(entry, options));
    undo.defer(() => withdrawCandidates(entries));
    const candidates = load(entries.map(({ highestNumber }, index) => ({
      number: highestNumber + 1,
      near: keepings[index].near,
      linked: (image) => {
        shareTypes(image, entries[index].exports.version.image);
        keepings[index].linked(image);
      },
    })));
    undo.defer(() => this.#discard(candidates));
    const previous = entries.map(({ exports }) => exports.version);
    const takeovers = replacements.map((replacement, index) => ({
      ...replacement,
      candidate: candidates[index],
      keeping: keepings[index],
    }));
    const reports = this.#takeOver(takeovers, undo);
    entries.forEach((entry, index) => this.#keep(entry, previous[index]));
    for (const entry of entries) this.#tellDebuggers(entry);
    this.#releaseGuarded();
    return reports;
  }

  /**
   * Goes back to the version before the current one.
   *
   * @throws {LoadError} `Incompatible` if none is kept; and what any step throws.
   */
  rollBack(entry: Entry, options: TakeoverOptions): CarryReport | undefined {
    using _running = this.#begin();
    using undo = new DisposableStack();
    const candidate = entry.history.at(-1);
    if (candidate === undefined) {
      throw new LoadError("Incompatible", "Cannot roll back: no earlier version is kept", {
        path: entry.key,
        hint: "create the registry with a larger `keepVersions`, or reload with the bytes of the older file",
      });
    }
    checkRollback(entry, candidate);
    const previous = entry.exports.version;
    const keeping = new Keeping(entry, options);
    const restore = saveVariables(candidate.image, keeping.sharedPlaces(candidate.image));
    undo.defer(() => {
      // Handles on the earlier version may be open: they see its variables as they were.
      if (candidate.lifetime.state !== "freed") restore();
    });
    const [report] = this.#takeOver([{ entry, candidate, options, keeping, isRollback: true }], undo);
    entry.history.pop();
    candidate.releaseHandle();
    if (!previous.hasHandles) previous.lifetime.revokeQuietly();
    this.#tellDebuggers(entry);
    this.#releaseGuarded();
    return report;
  }

  #tellDebuggers({ key, exports: { version } }: Entry): void {
    tellDebuggersOfHomes(version, this.#catalog.isNamed(key) ? undefined : version.path);
  }

  /** The kept versions and the current one, oldest first. */
  versions({ exports, history }: Entry): KeptVersion[] {
    return [...history, exports.version].map((version) => ({
      version: version.number,
      sourceHash: version.image.file.header.sourceHash,
      current: version === exports.version,
    }));
  }

  /**
   * Takes candidates through all steps of a reload.
   *
   * @param undo Undoes everything if a step before the commit fails.
   * @returns for each module what became of its variables; undefined with `fresh`.
   */
  #takeOver(takeovers: readonly Takeover[], undo: DisposableStack): (CarryReport | undefined)[] {
    const entries = takeovers.map(({ entry }) => entry);
    this.#checkThreadLocals(takeovers);
    const runsCode = takeovers.some(({ options }) =>
      options.migrate !== undefined || options.verify !== undefined
    );
    // Check, carry, migrate and verify each candidate by itself. Foreign code runs here.
    const timers = takeovers.map(({ candidate: { image } }) => new StepTimer(image.identity.trace));
    const reports = takeovers.map((takeover, index) => {
      const { entry: { exports }, candidate, options, keeping, isRollback } = takeover;
      const previous = exports.version;
      // First, because initialisers of the candidate may have started threads.
      if (previous.lifetime.isPinned) candidate.lifetime.pin();
      exports.check(candidate, options.compatibility ?? "strict");
      timers[index].reload("check");
      const report = inFile(candidate.path, () => {
        if (keeping.state === "carry") return carryState(previous.image, candidate.image, options);
        return isRollback ? keeping.rollBack(candidate, undo) : keeping.aim(candidate, undo, runsCode);
      });
      if (report !== undefined) timers[index].reload(keeping.state === "carry" ? "carry" : "keep");
      migrateAndVerify(previous, candidate, this.#callPath, options);
      timers[index].reload("verify");
      return report && showReport(report);
    });
    // Migrate and verify may have unloaded a module.
    this.#requireLoaded(entries);
    this.#checkThreadLocals(takeovers);

    // Prepare everything that can fail. From here to the commit no foreign code runs.
    const prepared = takeovers.map(({ entry: { exports }, candidate, options, keeping }, index) => {
      const { compatibility = "strict" } = options;
      const pointed = pointedVersions(candidate, exports.version, reports[index]);
      const version = exports.prepare(candidate, { compatibility, leases: pointed }, undo);
      return { pointed, version, homes: keeping.prepare(candidate, version.canonical, undo) };
    });

    // Commit. This line cannot be crossed back: nothing below it fails or is undone.
    undo.move();
    withdrawCandidates(entries);
    takeovers.forEach(({ entry, candidate }, index) => {
      candidate.pointsInto = prepared[index].pointed;
      this.#guard(entry.exports.version, candidate);
      prepared[index].homes.commit();
      prepared[index].version.commit();
      if (candidate.number <= entry.highestNumber) return;
      entry.highestNumber = candidate.number;
      this.#catalog.addVersion(entry, candidate);
    });

    // Drain. Nothing ends before all modules are committed, because its end may touch the others.
    for (const timer of timers) timer.reload("commit");
    for (const { version, homes } of prepared) {
      version.release();
      homes.release();
    }
    for (const { keeping, candidate } of takeovers) keeping.committed(candidate, this.#callPath);
    for (const timer of timers) timer.reload("drain");
    return reports;
  }

  /** @throws {LoadError} `Incompatible` if a module would go on with thread-local variables of a replaced version. */
  #checkThreadLocals(takeovers: readonly Takeover[]): void {
    const replaced = takeovers.map(({ entry }) => entry.exports.version);
    const kept = [...this.#catalog.entries()].flatMap(({ history }) => history);
    const leaving = new Set([...replaced, ...kept].map(({ image }) => image.identity));
    for (const { entry: { exports }, candidate, options } of takeovers) {
      const { compatibility = "strict" } = options;
      exports.threadLocals.check(exports.version, candidate, compatibility, leaving);
    }
  }

  /** Adds a version to the kept ones, where it counts as a handle, and drops those that are too many. */
  #keep({ history, isWatched }: Entry, previous: ModuleVersion): void {
    const count = this.#keepVersions ?? (isWatched ? Infinity : 1);
    previous.addHandle();
    history.push(previous);
    while (history.length > count) history.shift()!.closeHandleQuietly();
  }

  /** Guards the version that is replaced, and no longer the one that takes over. */
  #guard(previous: ModuleVersion, { lifetime }: ModuleVersion): void {
    this.#guards.get(lifetime)?.pause();
    const replaced = previous.lifetime;
    let guard = this.#guards.get(replaced);
    if (guard === undefined) {
      guard = new AddressGuard(previous, this.#catalog);
      this.#guards.set(replaced, guard);
      forgetWhenFreed(this.#guards, replaced);
    }
    guard.resume();
  }

  /** Looks again whether addresses that keep replaced versions are still there. */
  #releaseGuarded(): void {
    const look = {};
    for (const guard of [...this.#guards.values()]) if (guard.isHolding) guard.release(look);
  }

  /**
   * Ends candidates that do not take over. All of them stay while a call that
   * `verify` began is in flight: it may have gone from one into another.
   */
  #discard(candidates: readonly ModuleVersion[]): void {
    const drained = whenAll(candidates.map(({ lifetime }) => lifetime.callsDrained()));
    for (const { lifetime } of candidates.toReversed()) {
      const hold = drained && lifetime.holdQuietly("running", "calls that may still be running it");
      lifetime.revokeQuietly();
      if (drained !== undefined) {
        whenFulfilled(drained, (allReturned) => {
          if (!allReturned) lifetime.pin();
          hold?.[Symbol.dispose]();
        });
      }
      if (lifetime.state !== "freed") this.#catalog.addLifetime(lifetime);
    }
  }

  /** @throws {LoadError} `Closed` if a module was unloaded, perhaps by `migrate` or `verify`. */
  #requireLoaded(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (this.#catalog.get(entry.key) === entry) continue;
      throw new LoadError("Closed", "Cannot reload: the module was unloaded", {
        path: entry.key,
        hint: "load the module again; do not unload it in migrate or verify",
      });
    }
  }

  /** @throws {LoadError} `Busy` inside another reload; else none can begin until the result is disposed. */
  #begin(): Disposable {
    if (this.#isRunning) {
      throw new LoadError(
        "Busy",
        "Cannot reload: a reload is running, which called this from migrate or verify",
        { hint: "reload after migrate or verify has returned, or name both modules in one reloadAll" },
      );
    }
    this.#isRunning = true;
    return { [Symbol.dispose]: () => void (this.#isRunning = false) };
  }
}

function withdrawCandidates(entries: readonly Entry[]): void {
  for (const { exports } of entries) exports.withdrawCandidate();
}

/** Versions mostly have the same types, whose records are decoded once then. */
function shareTypes({ types }: LoadedImage, { types: before }: LoadedImage): void {
  if (types !== undefined && before !== undefined) types.like = before;
}

/** Made outside the class: what a lifetime keeps must not lead to the catalog, and from there to the version. */
function forgetWhenFreed(guards: Map<Lifetime, AddressGuard>, lifetime: Lifetime): void {
  lifetime.whenFreed(() => guards.delete(lifetime));
}
