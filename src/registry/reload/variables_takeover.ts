/**
 * The variables of a module, as a participant of its reload: they stay where they are, are copied, or start anew.
 *
 * | step    | with `keep`                                                                                      |
 * | ------- | ------------------------------------------------------------------------------------------------ |
 * | plan    | plans the homes, checks tables of classes, and that new code reaches those that stay             |
 * | move    | withdraws what initialisers registered for objects that nobody uses, and aims the code           |
 * | prepare | holds the versions together, leaves functions for the end to the new one, opens virtual tables   |
 * | commit  | changes virtual tables in place, and enters the homes in the module's table                      |
 * | drain   | protects virtual tables again, and lets threads of initialisers run, if their variables are new  |
 * | serve   | calls `smf_reloaded`                                                                             |
 */

import { carryState } from "../../module/carry.ts";
import { checkTables } from "../../module/keep/class_tables.ts";
import { prepareEnds } from "../../module/keep/ends.ts";
import { keepState, type KeptCandidate } from "../../module/keep/keep.ts";
import { checkReach, isKeepable, planKeep, requireKeepable } from "../../module/keep/plan.ts";
import type { KeepPlan } from "../../module/keep/plan_model.ts";
import { rollBackState } from "../../module/keep/rollback.ts";
import { HomeTable } from "../../module/keep/table.ts";
import { ThreadWatch } from "../../module/keep/threads.ts";
import { prepareTables } from "../../module/keep/virtual_words.ts";
import { inFile } from "../../errors/load_error.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { startCount } from "../../load/start.ts";
import { openHandle } from "../../module/handle.ts";
import { showReport } from "../shown_reload.ts";
import { findExported } from "./exports.ts";
import { linkVersions } from "./linked_versions.ts";
import type { Participant, ReloadContext, Replacement, Takeover } from "./participant.ts";

/** Moves the variables of a module to its next version, or that version to them. */
export class VariablesTakeover implements Participant {
  readonly #replacement: Replacement;
  readonly #context: ReloadContext;
  readonly #previous: ModuleVersion;
  readonly #table: HomeTable;
  #fate: "fresh" | "carry" | "keep";
  #plan: KeepPlan | undefined;
  #threads: ThreadWatch | undefined;
  #kept: KeptCandidate | undefined;
  #commit: () => void = () => {};
  #drain: () => void = () => {};

  constructor(replacement: Replacement, context: ReloadContext) {
    const { entry, options } = this.#replacement = replacement;
    this.#context = context;
    const previous = this.#previous = entry.exports.version;
    this.#table = entry.homes ?? HomeTable.of(previous.image);
    const state = options.state ?? (isHot(previous.image) ? "keep-or-fresh" : "fresh");
    if (state === "keep") requireKeepable(previous.image, previous.path, "the version that runs");
    this.#fate = state === "keep-or-carry" || state === "keep-or-fresh"
      ? hasHomes(previous.image) ? "keep" : fallback(state)
      : state;
  }

  /** The first version's address, so that all of them reach each other. */
  get near(): bigint | undefined {
    return this.#fate === "keep" ? this.#table.versions[0].memory.address : undefined;
  }

  /** @throws {LoadError} `Incompatible` if new code cannot reach what is to stay, or has no homes. */
  plan(image: LoadedImage): void {
    shareTypes(image, this.#previous.image);
    if (this.#fate !== "keep") return;
    const { options } = this.#replacement, { state } = options, { path } = this.#previous;
    if (state !== "keep" && !(state === undefined ? isHot(image) : hasHomes(image))) {
      this.#fate = fallback(state ?? "fresh");
      return;
    }
    requireKeepable(image, path, "the new version");
    const candidate = image as PlacedImage;
    const plan = this.#plan = planKeep(this.#table, this.#previous.image, candidate, options);
    inFile(path, () => checkTables(plan, options.compatibility ?? "strict"));
    checkReach(plan, path);
    this.#threads = new ThreadWatch(candidate, startCount(candidate) > 0);
    candidate.heldThreads?.arm();
  }

  /** @throws {LoadError} `Incompatible` if variables cannot stay, or not be copied; `OutOfMemory`. */
  move(takeover: Takeover): void {
    const { candidate, previous, options, isRollback } = takeover;
    takeover.fate = this.#fate;
    inFile(candidate.path, () => {
      if (this.#fate === "carry") takeover.report = carryState(previous.image, candidate.image, options);
      else if (this.#fate === "keep") this.#keep(takeover, isRollback);
    });
    if (takeover.report !== undefined) showReport(takeover.report);
  }

  #keep(takeover: Takeover, isRollback: boolean): void {
    const kept = this.#kept = isRollback ? this.#goBack(takeover) : this.#stay(takeover);
    takeover.report = kept?.report;
  }

  /** Keeps the variables for a candidate whose initialisers have run. */
  #stay({ candidate: { lifetime, path }, options, undo, runsCode }: Takeover): KeptCandidate | undefined {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    // Its code stays where it is then, and so does everything that the thread may use.
    this.#threads!.refuse(path, () => lifetime.pin());
    const kept = keepState(plan, options, () => lifetime.pin());
    const threads = new ThreadWatch(plan.candidate, runsCode);
    undo.defer(() => {
      const mayRun = lifetime.callsDrained() !== undefined || threads.mayRun();
      if (mayRun || !kept.undo()) lifetime.pin();
    });
    return kept;
  }

  /** Gives the variables back to an earlier version. */
  #goBack({ candidate: { image, path }, undo }: Takeover): KeptCandidate {
    requireKeepable(image, path, "the earlier version");
    const kept = rollBackState(this.#table, this.#previous.image, image as PlacedImage);
    undo.defer(() => void kept.undo());
    return kept;
  }

  prepare({ previous, candidate, canonical, undo }: Takeover): void {
    const { entry } = this.#replacement, kept = this.#kept, { versions } = this.#table;
    if (kept === undefined) {
      const shared = versions.includes(candidate.image) ? versions : undefined;
      const table = hasHomes(candidate.image) ? HomeTable.of(candidate.image, shared) : undefined;
      this.#commit = () => void (entry.homes = table);
      return;
    }
    const links = linkVersions(previous, candidate, undo);
    const images = [previous.image as PlacedImage, candidate.image as PlacedImage] as const;
    const ends = prepareEnds(...images);
    const tables = prepareTables(this.#table, ...images, canonical);
    undo.defer(() => tables.release());
    this.#drain = () => tables.release();
    this.#commit = () => {
      // First, because new code that finds its functions in the tables of before runs from the next step on.
      tables.commit();
      links.commit();
      ends.commit();
      entry.homes = kept.table;
    };
  }

  commit(): void {
    this.#commit();
  }

  drain({ candidate: { image } }: Takeover): void {
    this.#drain();
    if (this.#kept !== undefined) image.heldThreads?.goOn(this.#kept.threads);
  }

  /** Calls the function by which a module learns that it serves now, on the variables that were kept. */
  serve({ candidate }: Takeover): void {
    if (this.#kept === undefined || findExported(candidate, RELOADED)?.kind !== "function") return;
    using handles = new DisposableStack();
    // Closing the handle must not end the version.
    candidate.addHandle();
    handles.defer(() => candidate.releaseHandle());
    const handle = handles.use(openHandle(candidate, { callPath: this.#context.callPath }));
    handle.getFunction(RELOADED, { parameters: [], result: "void" })!();
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

/** Versions mostly have the same types, whose records are decoded once then. */
function shareTypes({ types }: LoadedImage, { types: before }: LoadedImage): void {
  if (types !== undefined && before !== undefined) types.like = before;
}
