/**
 * The option `--state`: the fate of a module's variables in a reload.
 */
import type { TakeoverOptions } from "../../registry/reload/takeover.ts";
import { UsageError } from "./command.ts";

/** A value of `--state`. */
export type State = NonNullable<TakeoverOptions["state"]>;

/** The help on the option. */
export const STATE_HELP = `  --state HOW         keep: variables stay where they are; carry: their values are
                      copied; fresh: they start anew; keep-or-carry (default): keep
                      where both versions have homes for variables, else carry`;

/**
 * Reads the option's value.
 *
 * @throws {UsageError} for any other one.
 */
export function stateNamed(name = "keep-or-carry"): State {
  if (name === "keep" || name === "carry" || name === "fresh" || name === "keep-or-carry") return name;
  throw new UsageError(`--state takes keep, carry, fresh or keep-or-carry, not '${name}'`);
}
