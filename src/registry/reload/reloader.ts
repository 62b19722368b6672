/**
 * Reloads as transactions: of one module or several, and the way back to an
 * earlier version.
 *
 * Everything that can fail happens to candidates that nobody else sees; what is
 * visible changes by one store for each module. {@linkcode Participant} has the steps.
 */

import { AddressGuards } from "./address_guards.ts";
import type { CandidateWishes } from "../loading.ts";
import type { LoadedImage } from "../../load/loader.ts";
import type { CarryReport } from "../../module/carry.ts";
import { checkRollback } from "../integrity.ts";
import { whenAll } from "../../call/in_flight.ts";
import type { CallPath } from "../../call/path.ts";
import type { Catalog, Entry } from "../catalog.ts";
import { LoadError } from "../../errors/load_error.ts";
import { whenFulfilled } from "../../os/intrinsics.ts";
import type { TakeoverOptions } from "./takeover.ts";
import type { Participant, Participants, Replacement, Takeover } from "./participant.ts";
import { participantsOf } from "./participants.ts";
import { takeOver } from "./protocol.ts";
import { ReplacedCode } from "./replaced_code.ts";
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
  readonly #keepVersions: number | undefined;
  readonly #guards: AddressGuards;
  readonly #codes: ReplacedCode;
  readonly #participantsOf: Participants;
  #isRunning = false;

  /**
   * @param keepVersions How many earlier versions of a module are kept; undefined for one, or all if it is watched.
   * @param participants Makes the participants of reloads.
   * @throws {RangeError} If `keepVersions` is neither a whole number from 0 on nor Infinity.
   */
  constructor(
    catalog: Catalog,
    callPath: CallPath,
    keepVersions: number | undefined,
    participants: typeof participantsOf = participantsOf,
  ) {
    if (
      keepVersions !== undefined && keepVersions !== Infinity &&
      !(Number.isInteger(keepVersions) && keepVersions >= 0)
    ) {
      throw new RangeError(
        `Cannot keep ${keepVersions} versions: expected a whole number from 0 on, or Infinity`,
      );
    }
    this.#catalog = catalog;
    this.#keepVersions = keepVersions;
    this.#guards = new AddressGuards(catalog);
    this.#codes = new ReplacedCode(catalog);
    this.#participantsOf = participants({ catalog, callPath, codes: this.#codes }, this.#guards);
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
    const participants = replacements.map((replacement) => this.#participantsOf(replacement));
    undo.defer(() => withdrawCandidates(entries));
    const candidates = load(entries.map(({ highestNumber }, index) => ({
      number: highestNumber + 1,
      near: participants[index].find(({ near }) => near !== undefined)?.near,
      linked: (image) => {
        for (const participant of participants[index]) participant.plan?.(image);
      },
    })));
    undo.defer(() => this.#discard(candidates));
    const previous = entries.map(({ exports }) => exports.version);
    const takeovers = this.#takeOver(replacements, candidates, participants, undo);
    entries.forEach((entry, index) => this.#keep(entry, previous[index]));
    this.#guards.release();
    this.#codes.retry();
    return takeovers.map(({ report }) => report);
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
    const replacement = { entry, options };
    const participants = [this.#participantsOf(replacement)];
    const [{ report }] = this.#takeOver([replacement], [candidate], participants, undo, true);
    entry.history.pop();
    candidate.releaseHandle();
    if (!previous.hasHandles) previous.lifetime.revokeQuietly();
    this.#guards.release();
    this.#codes.retry();
    return report;
  }

  /** The kept versions and the current one, oldest first. */
  versions({ exports, history }: Entry): KeptVersion[] {
    return [...history, exports.version].map((version) => ({
      version: version.number,
      sourceHash: version.image.file.header.sourceHash,
      current: version === exports.version,
    }));
  }

  /** Takes candidates through all steps of a reload. */
  #takeOver(
    replacements: readonly Replacement[],
    candidates: readonly ModuleVersion[],
    participants: readonly (readonly Participant[])[],
    undo: DisposableStack,
    isRollback = false,
  ): Takeover[] {
    const together = replacements.map(({ entry }) => entry);
    const runsCode = replacements.some(({ options: { migrate, verify } }) =>
      migrate !== undefined || verify !== undefined
    );
    const takeovers = replacements.map(({ entry, options }, index): Takeover => ({
      entry,
      options,
      previous: entry.exports.version,
      candidate: candidates[index],
      isRollback,
      runsCode,
      together,
      undo,
      fate: "fresh",
      report: undefined,
      pointed: [],
      canonical: new Float64Array(),
    }));
    const members = takeovers.map((takeover, index) => ({ takeover, participants: participants[index] }));
    // Code of others may have unloaded a module.
    takeOver(members, undo, () => this.#requireLoaded(together));
    return takeovers;
  }

  /** Adds a version to the kept ones, where it counts as a handle, and drops those that are too many. */
  #keep({ history, isWatched }: Entry, previous: ModuleVersion): void {
    const count = this.#keepVersions ?? (isWatched ? Infinity : 1);
    previous.addHandle();
    history.push(previous);
    while (history.length > count) history.shift()!.closeHandleQuietly();
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
