/** Makes a first version of a program, and each next one out of it. */

import type { Random } from "../mutate.ts";
import { Draft } from "./draft.ts";
import type { Version } from "./model.ts";

/** The first version of a program. */
export function firstVersion(random: Random): Version {
  const draft = Draft.empty(random);
  const files = 1 + random.below(4);
  for (let file = 0; file < files; file++) draft.addFile();
  for (let count = 2 + random.below(6); count > 0; count--) draft.addFunction();
  for (let count = 6 + random.below(14); count > 0; count--) draft.addVariable();
  for (let count = random.below(6); count > 0; count--) draft.addPointer();
  return draft.finish();
}

const CHANGES: readonly ((draft: Draft) => void)[] = [
  (draft) => draft.addVariable(),
  (draft) => draft.addVariable(),
  (draft) => draft.addFunction(),
  (draft) => draft.addPointer(),
  (draft) => draft.addFile(),
  (draft) => draft.remove(),
  (draft) => draft.remove(),
  (draft) => draft.rename(),
  (draft) => draft.move(),
  (draft) => draft.move(),
  (draft) => draft.changeType(),
  (draft) => draft.changeType(),
  (draft) => draft.changeInitial(),
  (draft) => draft.removeFunction(),
  (draft) => draft.renameFunction(),
  (draft) => draft.bringBack(),
  (draft) => draft.bringBack(),
  (draft) => draft.replaceNamesake(),
];

/**
 * The next version: some changes, and everything in another order.
 *
 * @param past Versions whose variables may come back.
 */
export function nextVersion(version: Version, past: readonly Version[], random: Random): Version {
  const draft = new Draft(version, past, random);
  for (let count = random.below(5); count > 0; count--) random.pick(CHANGES)(draft);
  if (!random.once(4)) draft.shuffle();
  return draft.finish();
}
