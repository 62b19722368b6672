/**
 * Holds the versions of a module together whose variables stay where they are: the memory of each stays for as long
 * as any of them does, and at the end all of them run their destructors before the code of one goes.
 */

import type { LoadedImage } from "../../load/loader.ts";
import type { ModuleVersion } from "../../module/version.ts";

const linked = new WeakMap<LoadedImage, WeakSet<LoadedImage>>();

const WHY = "variables that stay where they are";

/**
 * Gets ready to hold two versions together.
 *
 * @param undo Gets what is to be disposed of if that does not happen.
 */
export function linkVersions(
  previous: ModuleVersion,
  candidate: ModuleVersion,
  undo: DisposableStack,
): { commit(): void } {
  if (linked.get(previous.image)?.has(candidate.image) === true) return { commit() {} };
  const ofPrevious = undo.use(previous.lifetime.holdForVersion(candidate.image.identity, WHY));
  const ofCandidate = undo.use(candidate.lifetime.holdForVersion(previous.image.identity, WHY));
  return {
    commit() {
      candidate.own(ofPrevious);
      previous.own(ofCandidate);
      add(previous.image, candidate.image);
      add(candidate.image, previous.image);
    },
  };
}

function add(image: LoadedImage, other: LoadedImage): void {
  const others = linked.get(image);
  if (others === undefined) linked.set(image, new WeakSet([other]));
  else others.add(other);
}
