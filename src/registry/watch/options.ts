/**
 * The options of a watch and the events that it reports.
 */

import { AMOUNT, BOOLEAN, type OptionTable, PATHS } from "../../errors/options.ts";
import type { CarryReport } from "../../module/carry.ts";
import { SAFE_POINT_OPTIONS, type SafePointOptions } from "../reload/safe_point.ts";
import { TAKEOVER_OPTIONS, type TakeoverOptions } from "../reload/takeover.ts";

/** How often a file that is not whole is read before the watch gives up on it. */
export const READ_ATTEMPTS = 20;

/** The default of `debounce`, and the wait before a first look that needs the file's hash, in milliseconds. */
export const DEBOUNCE = 50, FIRST_LOOK = 2;

/** Options of {@linkcode ModuleRegistry.watch}. */
export interface WatchOptions {
  /**
   * The modules to watch, by the paths that they were loaded with.
   *
   * @default all modules that are loaded from files
   */
  readonly paths?: readonly (string | URL)[];
  /**
   * Milliseconds without a change before a file is read, and between attempts
   * to read a file that is not whole yet. After {@linkcode READ_ATTEMPTS}
   * attempts the watch reports a failure.
   *
   * @default 50; 2 before the first attempt, which counts if the file's own hash, as `smf link` writes it, proves
   * that it is whole
   */
  readonly debounce?: number;
  /**
   * Milliseconds after which a file that goes on changing is read all the same,
   * so that steady writes do not put a reload off for ever.
   *
   * @default 1000, or `debounce` if that is longer
   */
  readonly longestWait?: number;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /**
   * Whether new versions that are not marked RELOADABLE are taken, too. The
   * mark of the version that runs does not count.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** When a watch may reload. */
export interface ReloadTurns {
  /** Does some work at a safe point; undefined if reloads are made at once. */
  readonly atSafePoint?: (<T>(work: () => T) => Promise<T>) | undefined;
}

/** The checks of the options of a watch. */
export const WATCH_OPTIONS: OptionTable<WatchOptions & TakeoverOptions & SafePointOptions> = {
  paths: PATHS,
  debounce: AMOUNT,
  longestWait: AMOUNT,
  force: BOOLEAN,
  ...TAKEOVER_OPTIONS,
  ...SAFE_POINT_OPTIONS,
};

/** The result of one change of a file. */
export type WatchEvent =
  | {
    /** The new version runs. */
    readonly kind: "reloaded";
    /** The module's path, as it was loaded. */
    readonly path: string;
    /** The new version's number. */
    readonly version: number;
    /** How long the reload took, without waiting for the file. */
    readonly milliseconds: number;
    /** Milliseconds from when the change was noticed first until the new version ran. */
    readonly sinceChange: number;
    /** Reports what became of variables; undefined if they start anew. */
    readonly carried: CarryReport | undefined;
  }
  | {
    /** The old version goes on, and so does the watch. */
    readonly kind: "failed";
    /** The module's path, as it was loaded. */
    readonly path: string;
    /** The reason: a `LoadError`, or what `migrate` or `verify` threw. */
    readonly error: unknown;
  }
  | {
    /** The file was touched, but its contents are the same. */
    readonly kind: "unchanged";
    /** The module's path, as it was loaded. */
    readonly path: string;
  }
  | {
    /** The old version goes on, because the new one may not replace it. */
    readonly kind: "skipped";
    /** The module's path, as it was loaded. */
    readonly path: string;
    /** Why, as a phrase for messages. */
    readonly reason: string;
  };
