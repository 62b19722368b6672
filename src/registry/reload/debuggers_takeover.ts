/**
 * Tells debuggers, as a participant of a reload, where the variables are that a version shares with others.
 */

import { tellDebuggersOfHomes } from "../debugging.ts";
import type { Participant, ReloadContext, Takeover } from "./participant.ts";

/** Tells debuggers of variables that the version which serves has elsewhere than in its own memory. */
export class DebuggersTakeover implements Participant {
  readonly #context: ReloadContext;

  constructor(context: ReloadContext) {
    this.#context = context;
  }

  serve({ entry: { key }, candidate }: Takeover): void {
    tellDebuggersOfHomes(candidate, this.#context.catalog.isNamed(key) ? undefined : candidate.path);
  }
}
