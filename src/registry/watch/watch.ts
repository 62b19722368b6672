/**
 * Watches files and reloads their modules.
 *
 * Directories are watched, not files: so a rename over the file, a write in
 * place, deleting and creating it, a link that is led elsewhere, and another
 * directory in the place of the first all count.
 */

import { dirname } from "../../os/path.ts";
import type { CarryReport } from "../../module/carry.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { FileFacts } from "../../load/file/stamp.ts";
import { fromSystem } from "../../load/file/source.ts";
import { WatchedDirectories } from "./directories.ts";
import { equalBytes } from "../../smf/equal.ts";
import { showEvent } from "../shown_reload.ts";
import { type FileContents, readContents } from "./contents.ts";
import { EventQueue } from "./event_queue.ts";
import { hasChanged, isIn } from "./file_facts.ts";
import { namesOf } from "./links.ts";
import {
  DEBOUNCE,
  FIRST_LOOK,
  READ_ATTEMPTS,
  type ReloadTurns,
  type WatchEvent,
  type WatchOptions,
} from "./options.ts";

/** A module whose file is watched. */
export interface Watched {
  /** The module's path, as it was loaded. */
  readonly path: string;
  /** Told that the file may have changed. */
  noticed(): void;
  /** Whether the current version was read from these bytes. `info` describes the file that has them now. */
  isLoaded(bytes: Uint8Array, info: FileFacts): boolean;
  /** Whether the bytes have a hash of themselves, by which a reload notices a file that is still being written. */
  isHashed(bytes: Uint8Array): boolean;
  /** Why it may not be reloaded from these bytes, as a phrase for messages; undefined if it may. */
  refusal(bytes: Uint8Array): string | undefined;
  /** Reloads it from the new contents of its file. */
  reload(bytes: Uint8Array): { readonly version: number; readonly carried: CarryReport | undefined };
}

/** The state of one watched file. */
interface Target {
  readonly watched: Watched;
  /** Every name whose change may change the file: its own, and those of links on the way to it. */
  names: ReadonlySet<string>;
  /** How often the file was read since it changed last. */
  attempts: number;
  /** How often it was read because it went on changing for the longest wait. */
  overdue: number;
  /** The facts about all names when they were looked at last; undefined before. */
  facts: string | undefined;
  /** When the current wait for the end of its changes began. */
  waitingSince: number | undefined;
  /** When the pending change was noticed first. */
  changedAt: number | undefined;
  /** Whether the file may be looked at early: it has not been since the change was noticed. */
  mayLook: boolean;
  /** The state that the last early look judged, and when: an event that comes a little later is of the same change. */
  judged: { readonly bytes: Uint8Array; readonly at: number } | undefined;
  /** Whether the last reload failed. */
  failed: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Watches from now on until the signal or the consumer ends it. Leaves nothing
 * open.
 */
export function watchFiles(
  modules: readonly Watched[],
  options: WatchOptions & ReloadTurns,
): AsyncGenerator<WatchEvent, void, void> {
  const watch = new Watch(modules, options);
  const events = watch.events();
  const { return: leave } = events;
  // A generator that was never asked for a value runs no `finally` when it is left.
  events.return = async () => {
    await watch.stop();
    return await leave.call(events);
  };
  return events;
}

/**
 * The outcome of a look at a file: `again` if it is not whole, `judged` if an early look has reported it already, `later`
 * if a reload waits for a safe point.
 */
type Outcome = WatchEvent | "again" | "judged" | "later";

class Watch {
  readonly #targets: readonly Target[];
  readonly #queue = new EventQueue();
  readonly #atSafePoint: ReloadTurns["atSafePoint"];
  readonly #debounce: number;
  /** The wait before the first look at a file; that of the others if there is no early one. */
  readonly #firstLook: number;
  readonly #longestWait: number;
  readonly #directories = new WatchedDirectories({
    changed: (paths) => this.#onChange(({ names }) => paths.some((path) => names.has(path))),
    replaced: (directory) =>
      this.#onChange((target) => {
        if (!isIn(directory, target.names)) return false;
        hasChanged(target); // From now on.
        return true;
      }),
    unnoticed: (directory) => this.#onChange((target) => isIn(directory, target.names) && hasChanged(target)),
  });
  /** Everything that ends with the watch. */
  readonly #resources = new DisposableStack();

  constructor(
    modules: readonly Watched[],
    { debounce, longestWait = 1000, signal, atSafePoint }: WatchOptions & ReloadTurns,
  ) {
    this.#atSafePoint = atSafePoint;
    this.#debounce = debounce ?? DEBOUNCE;
    this.#firstLook = debounce === undefined ? FIRST_LOOK : this.#debounce;
    this.#longestWait = Math.max(longestWait, this.#debounce);
    this.#targets = signal?.aborted === true ? [] : modules.map((watched) => ({
      watched,
      names: new Set(),
      attempts: 0,
      overdue: 0,
      facts: undefined,
      waitingSince: undefined,
      changedAt: undefined,
      mayLook: true,
      judged: undefined,
      failed: false,
      timer: undefined,
    }));
    this.#resources.defer(() => this.#queue.end());
    this.#resources.use(this.#directories);
    this.#resources.defer(() => {
      for (const { timer } of this.#targets) clearTimeout(timer);
    });
    if (signal?.aborted === true) {
      this.#resources.dispose();
      return;
    }
    using undo = new DisposableStack();
    undo.use(this.#resources);
    const abort = (): void => void this.stop();
    signal?.addEventListener("abort", abort);
    this.#resources.defer(() => signal?.removeEventListener("abort", abort));
    for (const target of this.#targets) {
      this.#follow(target);
      // A change between loading and watching counts as well.
      if (!isCurrent(target)) this.#schedule(target);
    }
    undo.move();
  }

  /** The events of all files, until the watch ends. */
  async *events(): AsyncGenerator<WatchEvent, void, void> {
    try {
      yield* this.#queue.drain();
    } finally {
      await this.stop();
    }
  }

  /** Ends everything; settles when nothing is left open. */
  async stop(): Promise<void> {
    this.#resources.dispose();
    await this.#directories.ended();
  }

  /** Watches the directories of all names of a file, because a link to it may be led elsewhere. */
  #follow(target: Target): void {
    const { path } = target.watched;
    try {
      target.names = new Set(namesOf(path));
    } catch (error) {
      throw fromSystem(error, path);
    }
    for (const name of target.names) {
      const directory = dirname(name);
      if (name === directory) continue;
      try {
        this.#directories.add(directory);
      } catch (error) {
        throw cannotWatch(error, directory, path);
      }
    }
  }

  #onChange(concerns: (target: Target) => boolean): void {
    for (const target of this.#targets) {
      if (!concerns(target)) continue;
      // Reads that were overdue count on: the file may never be whole.
      target.attempts = target.overdue;
      this.#schedule(target);
    }
  }

  #schedule(target: Target): void {
    clearTimeout(target.timer);
    // The system may deliver its last events after the watch has ended.
    if (this.#resources.disposed) return;
    const now = performance.now();
    if (target.changedAt === undefined) target.watched.noticed();
    target.changedAt ??= now;
    target.waitingSince ??= now;
    const left = target.waitingSince + this.#longestWait - now;
    const isLook = target.mayLook && this.#firstLook < this.#debounce;
    const wait = Math.max(0, Math.min(isLook ? this.#firstLook : this.#debounce, left));
    target.timer = setTimeout(() => {
      target.timer = undefined;
      if (isLook) return this.#look(target);
      target.waitingSince = undefined;
      if (wait < this.#debounce) target.overdue++;
      this.#settle(target, this.#examine(target));
    }, wait);
  }

  /** Looks at a file soon after it changed; one whose hash does not prove that it is whole waits as others do. */
  #look(target: Target): void {
    target.mayLook = false;
    const { attempts } = target;
    const outcome = this.#examine(target, true);
    target.attempts = attempts;
    this.#settle(target, outcome);
  }

  /** Reports what a look at a file found, or looks again later. */
  #settle(target: Target, event: Outcome): void {
    // Code that ran in the reload may have ended the watch.
    if (this.#resources.disposed) return;
    if (event === "again") return this.#schedule(target);
    if (event === "later") return;
    target.changedAt = undefined;
    target.waitingSince = undefined;
    target.mayLook = true;
    target.overdue = 0;
    if (event === "judged") return;
    target.failed = event.kind === "failed";
    this.#queue.push(showEvent(event));
    if (event.kind === "reloaded") this.#retryOthers(target);
  }

  /** Tries failed modules again: they may have lacked something that the reloaded one has now. */
  #retryOthers(reloaded: Target): void {
    for (const target of this.#targets) {
      if (target === reloaded || !target.failed || target.timer !== undefined) continue;
      target.judged = undefined;
      this.#schedule(target);
    }
  }

  /**
   * Reads a file that may have changed, and reloads its module if it has.
   *
   * @param isLook Whether only a file counts whose hash proves that it is whole.
   */
  #examine(target: Target, isLook = false): Outcome {
    const { watched } = target;
    const { path } = watched;
    let contents: FileContents;
    try {
      this.#follow(target);
      contents = readContents(path);
    } catch (error) {
      // A file that was deleted may be about to be created again.
      return ++target.attempts < READ_ATTEMPTS ? "again" : { kind: "failed", path, error };
    }
    const { bytes, info } = contents;
    const { judged } = target, now = performance.now();
    if (judged !== undefined && now - judged.at < 2 * this.#debounce && equalBytes(bytes, judged.bytes)) {
      return "judged";
    }
    if (isLook) {
      if (!watched.isHashed(bytes)) return "again";
      target.judged = { bytes, at: now };
    }
    if (watched.isLoaded(bytes, info)) return { kind: "unchanged", path };
    const reason = watched.refusal(bytes);
    if (reason !== undefined) return { kind: "skipped", path, reason };
    if (this.#atSafePoint === undefined) return this.#reload(target, bytes);
    // Another reload may have come before it then.
    const reload = (): Outcome =>
      watched.isLoaded(bytes, info) ? { kind: "unchanged", path } : this.#reload(target, bytes);
    this.#atSafePoint(reload).catch((error: unknown): Outcome => ({ kind: "failed", path, error }))
      .then((outcome) => this.#settle(target, outcome));
    return "later";
  }

  #reload(target: Target, bytes: Uint8Array): Outcome {
    const { watched } = target, { path } = watched;
    const start = performance.now();
    try {
      const { version, carried } = watched.reload(bytes);
      const now = performance.now();
      const sinceChange = now - (target.changedAt ?? start);
      return { kind: "reloaded", path, version, milliseconds: now - start, sinceChange, carried };
    } catch (error) {
      // A file that is being written may be whole later; any other failure is final.
      const isUnfinished = error instanceof LoadError &&
        (error.kind === "InvalidFormat" || error.kind === "Io");
      if (isUnfinished) target.judged = undefined;
      return isUnfinished && ++target.attempts < READ_ATTEMPTS ? "again" : { kind: "failed", path, error };
    }
  }
}

/** `PermissionDenied`; `Io` if the system cannot watch the directory. */
function cannotWatch(error: unknown, directory: string, path: string): LoadError {
  return fromSystem(error, path, { verb: "watch", needs: directory });
}

/** Whether a module runs what its file holds now; false if the file cannot be read. */
function isCurrent({ watched }: Target): boolean {
  try {
    const { bytes, info } = readContents(watched.path);
    return watched.isLoaded(bytes, info);
  } catch {
    // The next attempt reports the reason.
    return false;
  }
}
