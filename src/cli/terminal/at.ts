/**
 * The options `--at` and `--timeout`: when a reload is made, and how long it may wait for that.
 */
import type { SafePointOptions } from "../../registry/reload/safe_point.ts";
import { UsageError } from "./command.ts";

/** When reloads are made: at once if it is empty. */
export type ReloadTime = Partial<Omit<SafePointOptions, "signal">>;

/** The help on the options. */
export const AT_HELP = `  --at WHEN           of a reload: now (default); safe-point: when all calls on other
                      threads, and Workers, have returned or wait in smf_safe_point()
  --timeout MS        how long a reload waits for a safe point; default: 10000`;

/**
 * Reads the values of the options; undefined if they are not given.
 *
 * @throws {UsageError} if they are wrong.
 */
export function reloadTime(at = "now", timeout?: string): ReloadTime {
  if (at !== "now" && at !== "safe-point") {
    throw new UsageError(`--at takes now or safe-point, not '${at}'`);
  }
  if (at === "now") {
    if (timeout !== undefined) throw new UsageError("--timeout belongs to --at safe-point");
    return {};
  }
  if (timeout === undefined) return { at: "safe point" };
  if (!/^\d+$/.test(timeout)) {
    throw new UsageError(`--timeout takes a whole number of milliseconds, not '${timeout}'`);
  }
  return { at: "safe point", timeout: Number(timeout) };
}
