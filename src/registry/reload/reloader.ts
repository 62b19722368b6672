/**
 * Which version of a module follows which: reloads, several at once, and the
 * way back.
 */

import { type CarryReport, saveVariables } from "../../module/carry.ts";
import { allOf } from "../../call/in_flight.ts";
import type { CallPath } from "../../call/path.ts";
import type { Catalog, Entry } from "../catalog.ts";
import { LoadError } from "../../errors.ts";
import { stage, type StagedVersion, type TakeoverOptions } from "./stage.ts";
import type { PreparedVersion } from "./stable_exports.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** One version of a module that can be called or gone back to. */
export interface KeptVersion {
  /** Counts a module's versions from 1. */
  readonly version: number;
  /** The hash of its sources that the file's maker wrote; 0 if none. */
  readonly sourceHash: bigint;
  /** Whether it is the one that live functions and importers run. */
  readonly current: boolean;
}

/** A module that is to be replaced, and how. */
export interface Replacement {
  readonly entry: Entry;
  readonly options: TakeoverOptions;
}

/** Loads the new versions, one of each number, which belong to the caller then. */
export type LoadCandidates = (numbers: readonly number[]) => readonly ModuleVersion[];

/** Replaces versions, for one registry. */
export class Reloader {
  readonly #catalog: Catalog;
  readonly #callPath: CallPath;
  readonly #keep: number;
  #busy = false;

  /**
   * @param keep How many old versions of a module are kept.
   * @throws {RangeError} Unless that is a whole number from 0 on, or Infinity.
   */
  constructor(catalog: Catalog, callPath: CallPath, keep: number) {
    if (keep !== Infinity && !(Number.isInteger(keep) && keep >= 0)) {
      throw new RangeError(`Cannot keep ${keep} versions: expected a whole number from 0 on, or Infinity`);
    }
    this.#catalog = catalog;
    this.#callPath = callPath;
    this.#keep = keep;
  }

  /**
   * Replaces modules: all or, if anything fails, none.
   *
   * @throws {LoadError} `Busy` inside another reload; and whatever a step throws.
   */
  replace(replacements: readonly Replacement[], load: LoadCandidates): (CarryReport | undefined)[] {
    return this.#alone(() => {
      let candidates: readonly ModuleVersion[] = [];
      const entries = replacements.map(({ entry }) => entry);
      let trials: readonly StagedVersion[];
      let previous: readonly ModuleVersion[];
      let prepared: readonly PreparedVersion[];
      const requireLoaded = (): void => entries.forEach((entry) => this.#requireLoaded(entry));
      try {
        requireLoaded();
        candidates = load(entries.map(({ newest }) => newest + 1));
        previous = entries.map(({ exports }) => exports.version);
        trials = replacements.map(({ entry, options }, index) =>
          stage(entry.exports, candidates[index], this.#callPath, options)
        );
        requireLoaded();
        prepared = prepareAll(trials);
      } catch (error) {
        this.#abandon(candidates);
        throw error;
      } finally {
        for (const { exports } of entries) exports.withdrawCandidate();
      }
      // Beyond this point nothing can fail.
      entries.forEach((entry, index) => {
        prepared[index].commit();
        entry.newest++;
        this.#catalog.watch(entry, candidates[index]);
      });
      // Nothing ends before everything is committed: its end may touch the others.
      for (const { finish } of prepared) finish();
      entries.forEach((entry, index) => this.#remember(entry, previous[index]));
      return trials.map(({ report }) => report);
    });
  }

  /**
   * Goes back to the version before.
   *
   * @throws {LoadError} `Incompatible` if none is kept; and whatever a step throws.
   */
  rollBack(entry: Entry, options: TakeoverOptions): CarryReport | undefined {
    return this.#alone(() => {
      const candidate = entry.history.at(-1);
      if (candidate === undefined) {
        throw new LoadError("Incompatible", "Cannot roll back: no earlier version is kept", {
          path: entry.key,
        });
      }
      const previous = entry.exports.version;
      const restore = saveVariables(candidate.image);
      let trial: StagedVersion;
      let prepared: PreparedVersion;
      try {
        trial = stage(entry.exports, candidate, this.#callPath, options);
        this.#requireLoaded(entry);
        [prepared] = prepareAll([trial]);
      } catch (error) {
        // Its variables were there before: handles on it may be open.
        if (candidate.lifetime.state !== "freed") restore();
        throw error;
      }
      // Beyond this point nothing can fail.
      prepared.commit();
      prepared.finish();
      entry.history.pop();
      candidate.releaseHandle();
      if (!previous.hasHandles) previous.lifetime.revokeQuietly();
      return trial.report;
    });
  }

  /** Oldest first. */
  versions({ exports, history }: Entry): KeptVersion[] {
    return [...history, exports.version].map((version) => ({
      version: version.number,
      sourceHash: version.image.file.header.sourceHash,
      current: version === exports.version,
    }));
  }

  /** A version that is kept counts as one handle. */
  #remember({ history }: Entry, previous: ModuleVersion): void {
    previous.addHandle();
    history.push(previous);
    while (history.length > this.#keep) history.shift()!.closeHandleQuietly();
  }

  /** Ends candidates; each stays while calls that `verify` began may be in another one. */
  #abandon(candidates: readonly ModuleVersion[]): void {
    const out = allOf(candidates.map(({ lifetime }) => lifetime.callsDrained()));
    for (const { lifetime } of candidates.toReversed()) {
      const hold = out && lifetime.holdQuietly("running", "calls that may still be running it");
      lifetime.revokeQuietly();
      out?.then(() => hold?.[Symbol.dispose]());
      if (lifetime.state !== "freed") this.#catalog.addLifetime(lifetime);
    }
  }

  /** @throws {LoadError} `Closed` for what was unloaded, perhaps by `migrate` or `verify`. */
  #requireLoaded(entry: Entry): void {
    if (this.#catalog.get(entry.key) === entry) return;
    throw new LoadError("Closed", "Cannot reload: the module was unloaded", { path: entry.key });
  }

  #alone<T>(work: () => T): T {
    if (this.#busy) {
      throw new LoadError(
        "Busy",
        "Cannot reload: a reload is running, which called this from migrate or verify",
      );
    }
    this.#busy = true;
    try {
      return work();
    } finally {
      this.#busy = false;
    }
  }
}

/** All or none. */
function prepareAll(trials: readonly StagedVersion[]): PreparedVersion[] {
  const prepared: PreparedVersion[] = [];
  try {
    for (const trial of trials) prepared.push(trial.prepare());
    return prepared;
  } catch (error) {
    for (const one of prepared.reverse()) one.abort();
    throw error;
  }
}
