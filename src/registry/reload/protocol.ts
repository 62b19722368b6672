/**
 * Takes the participants of all modules of a reload through its steps ({@linkcode Participant}).
 */

import { StepTimer } from "../../load/trace.ts";
import type { Participant, Takeover } from "./participant.ts";

/** One module of a reload. */
export interface Member {
  readonly takeover: Takeover;
  readonly participants: readonly Participant[];
}

/** A step after the candidate is loaded. */
type Step = Exclude<keyof Participant, "near" | "plan">;

/**
 * Takes modules through all steps: all of them, or, if anything fails before the commit, none.
 *
 * @param undo The stack that all steps enter what they have done in; left alone if one fails.
 * @param codeHasRun Called after the last step before the commit in which code of others may run.
 */
export function takeOver(members: readonly Member[], undo: DisposableStack, codeHasRun: () => void): void {
  const timers = members.map(({ takeover: { candidate } }) => new StepTimer(candidate.image.identity.trace));
  const take = (step: Step, isReversed = false): void => {
    for (const { takeover, participants } of members) {
      for (const participant of isReversed ? participants.toReversed() : participants) {
        participant[step]?.(takeover);
      }
    }
  };
  take("check");
  for (const timer of timers) timer.reload("check");
  take("move");
  members.forEach(({ takeover: { fate } }, index) => {
    if (fate !== "fresh") timers[index].reload(fate);
  });
  take("migrate");
  take("verify");
  for (const timer of timers) timer.reload("verify");
  codeHasRun();
  // From here to the commit no code of others runs.
  take("prepare");
  // This line cannot be crossed back: nothing below it fails or is undone.
  undo.move();
  take("commit", true);
  for (const timer of timers) timer.reload("commit");
  // Nothing ends before all modules are committed, because its end may touch the others.
  take("drain");
  take("serve");
  for (const timer of timers) timer.reload("drain");
}
