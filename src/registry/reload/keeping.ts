/**
 * Variables that stay where they are while a version takes over, as one participant of a reload.
 *
 * | step | work |
 * |---|---|
 * | begin | decides whether variables stay; gives the candidate an address to lie near |
 * | linked | plans the homes, checks tables of classes, and that new code reaches those that stay, before any of it runs |
 * | aim | withdraws what initialisers registered for objects that nobody uses, and aims the code |
 * | prepare | holds the versions together, leaves functions for the end to the one that serves, opens virtual tables |
 * | commit | changes virtual tables in place, and enters the homes in the module's table |
 * | release | protects virtual tables again |
 */

import type { CarryReport } from "../../module/carry.ts";
import { checkTables } from "../../module/keep/class_tables.ts";
import { prepareEnds } from "../../module/keep/ends.ts";
import { keepState, type KeptCandidate } from "../../module/keep/keep.ts";
import { checkReach, isKeepable, planKeep, requireKeepable } from "../../module/keep/plan.ts";
import type { KeepPlan } from "../../module/keep/plan_model.ts";
import { rollBackState } from "../../module/keep/rollback.ts";
import { homeAddress, HomeTable } from "../../module/keep/table.ts";
import { ThreadWatch } from "../../module/keep/threads.ts";
import { prepareTables } from "../../module/keep/virtual_words.ts";
import { inFile } from "../../errors/load_error.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Region } from "../../image/arrange.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { startCount } from "../../load/start.ts";
import type { Entry } from "../catalog.ts";
import type { CallPath } from "../../call/path.ts";
import { openHandle } from "../../module/handle.ts";
import { findExported } from "./exports.ts";
import { linkVersions } from "./linked_versions.ts";
import type { TakeoverOptions } from "./takeover.ts";

/** The fate of variables; with `keep-or-…` the second one where the versions have no homes for them. */
export type ReloadState = NonNullable<TakeoverOptions["state"]> | "keep-or-fresh";

/** The options of a takeover, with the states that only this package asks for. */
export type ReloadTakeover = Omit<TakeoverOptions, "state"> & { readonly state?: ReloadState };

/** The part of one module in a reload that concerns variables which stay. */
export class Keeping {
  readonly #entry: Entry;
  readonly #previous: ModuleVersion;
  readonly #options: ReloadTakeover;
  readonly #table: HomeTable;
  /** The fate of variables. */
  state: "fresh" | "carry" | "keep";
  #plan: KeepPlan | undefined;
  #threads: ThreadWatch | undefined;
  #kept: KeptCandidate | undefined;

  constructor(entry: Entry, options: ReloadTakeover) {
    this.#entry = entry;
    this.#options = options;
    const previous = this.#previous = entry.exports.version;
    this.#table = entry.homes ?? HomeTable.of(previous.image);
    const state = options.state ?? (isHot(previous.image) ? "keep-or-fresh" : "fresh");
    if (state === "keep") requireKeepable(previous.image, previous.path, "the version that runs");
    this.state = state === "keep-or-carry" || state === "keep-or-fresh"
      ? hasHomes(previous.image) ? "keep" : fallback(state)
      : state;
  }

  /** The address that the candidate should lie near: of the first version, so that all of them reach each other. */
  get near(): bigint | undefined {
    return this.state === "keep" ? this.#table.versions[0].memory.address : undefined;
  }

  /**
   * Plans what stays, once the candidate is linked and before any of its initialisers runs.
   *
   * @throws {LoadError} `Incompatible` if its code cannot reach what is to stay, or it was linked without homes.
   */
  linked(image: LoadedImage): void {
    if (this.state !== "keep") return;
    const { state } = this.#options, { path } = this.#previous;
    if (state !== "keep" && !(state === undefined ? isHot(image) : hasHomes(image))) {
      this.state = fallback(state ?? "fresh");
      return;
    }
    requireKeepable(image, path, "the new version");
    const candidate = image as PlacedImage;
    const plan = this.#plan = planKeep(this.#table, this.#previous.image, candidate, this.#options);
    inFile(path, () => checkTables(plan, this.#options.compatibility ?? "strict"));
    checkReach(plan, path);
    this.#threads = new ThreadWatch(candidate, startCount(candidate) > 0);
  }

  /**
   * Keeps the variables for a candidate whose initialisers have run.
   *
   * @param undo Gets what leads the candidate into its own memory again.
   * @param mayRun Whether code of the candidate may run before the commit.
   * @returns the report; undefined if nothing is kept.
   * @throws {LoadError} `Incompatible` if a thread may be running its code; `OutOfMemory`.
   */
  aim(candidate: ModuleVersion, undo: DisposableStack, mayRun: boolean): CarryReport | undefined {
    const plan = this.#plan, { lifetime, path } = candidate;
    if (this.state !== "keep" || plan === undefined) return undefined;
    // Its code stays where it is then, and so does everything that the thread may use.
    this.#threads!.refuse(path, () => lifetime.pin());
    const kept = this.#kept = keepState(plan, this.#options, () => lifetime.pin());
    const threads = new ThreadWatch(plan.candidate, mayRun);
    undo.defer(() => {
      const mayRun = lifetime.callsDrained() !== undefined || threads.mayRun();
      if (mayRun || !kept.undo()) lifetime.pin();
    });
    return kept.report;
  }

  /** The places in an earlier version's memory of variables that are in use now, in the order of their offsets. */
  sharedPlaces(candidate: LoadedImage): Region[] {
    const table = this.#entry.homes, { homes = [], plan } = candidate;
    return homes.flatMap(({ offset, size }, index) => {
      const place = plan.place(offset, 0);
      if (place < plan.data.offset) return [];
      const isOwn = homeAddress(candidate, index) === candidate.memory.address + BigInt(place);
      const isShared = isOwn && table?.at(homeAddress(candidate, index)) !== undefined;
      return isShared ? [{ offset: place, length: size }] : [];
    });
  }

  /**
   * Gives the variables back to an earlier version.
   *
   * @throws {LoadError} `Incompatible` if it cannot have them.
   */
  rollBack(candidate: ModuleVersion, undo: DisposableStack): CarryReport | undefined {
    if (this.state !== "keep") return undefined;
    requireKeepable(candidate.image, candidate.path, "the earlier version");
    const kept = this.#kept = rollBackState(
      this.#table,
      this.#previous.image,
      candidate.image as PlacedImage,
    );
    undo.defer(() => void kept.undo());
    return kept.report;
  }

  /**
   * Gets ready for the commit; everything that can fail happens here.
   *
   * @param canonical The addresses that the candidate's words will have of its functions, by their symbols.
   */
  prepare(
    candidate: ModuleVersion,
    canonical: ReadonlyMap<number, number>,
    undo: DisposableStack,
  ): { commit(): void; release(): void } {
    const entry = this.#entry, previous = this.#previous, kept = this.#kept, { versions } = this.#table;
    if (kept === undefined) {
      const shared = versions.includes(candidate.image) ? versions : undefined;
      const table = hasHomes(candidate.image) ? HomeTable.of(candidate.image, shared) : undefined;
      return { commit: () => void (entry.homes = table), release() {} };
    }
    const links = linkVersions(previous, candidate, undo);
    const images = [previous.image as PlacedImage, candidate.image as PlacedImage] as const;
    const ends = prepareEnds(...images);
    const tables = prepareTables(this.#table, ...images, canonical);
    undo.defer(() => tables.release());
    return {
      release: () => tables.release(),
      commit() {
        // First, because new code that finds its functions in the tables of before runs from the next step on.
        tables.commit();
        links.commit();
        ends.commit();
        entry.homes = kept.table;
      },
    };
  }

  /** Calls the function by which a module learns that it serves now, on the variables that were kept. */
  committed(candidate: ModuleVersion, callPath: CallPath): void {
    if (this.#kept === undefined || findExported(candidate, RELOADED)?.kind !== "function") return;
    using handles = new DisposableStack();
    // Closing the handle must not end the version.
    candidate.addHandle();
    handles.defer(() => candidate.releaseHandle());
    handles.use(openHandle(candidate, callPath)).getFunction(RELOADED, { parameters: [], result: "void" })!();
  }
}

/** A function that a module may export: `void smf_reloaded(void)`. */
const RELOADED = "smf_reloaded";

function hasHomes(image: LoadedImage): boolean {
  return (image.homes?.length ?? 0) > 0 && isKeepable(image);
}

/** Whether a module was linked with `smf link --hot`: its variables stay where they are by default. */
function isHot(image: LoadedImage): boolean {
  return image.entries !== undefined;
}

function fallback(state: "keep-or-carry" | "keep-or-fresh" | "fresh" | "carry"): "fresh" | "carry" {
  return state === "keep-or-carry" || state === "carry" ? "carry" : "fresh";
}
