/**
 * The succession of a module's versions, as a participant of its reload: what the version before hands on, what
 * must stay for the candidate, and the registry's list of versions.
 */

import type { Region } from "../../image/arrange.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { endQuarantineQuietly } from "../../load/runtime/crash_guard.ts";
import { holdsAddressIn, saveVariables } from "../../module/image_data.ts";
import { homeAddress, type HomeTable } from "../../module/keep/table.ts";
import type { PointedImage } from "../../module/version.ts";
import type { AddressGuards } from "./address_guards.ts";
import type { Participant, ReloadContext, Takeover } from "./participant.ts";

/** Lets one version follow another. */
export class Succession implements Participant {
  readonly #context: ReloadContext;
  readonly #guards: AddressGuards;

  constructor(context: ReloadContext, guards: AddressGuards) {
    this.#context = context;
    this.#guards = guards;
  }

  check({ entry, previous, candidate, isRollback, undo }: Takeover): void {
    // First, because initialisers of the candidate may have started threads.
    if (previous.lifetime.isPinned) candidate.lifetime.pin();
    if (!isRollback) return;
    const restore = saveVariables(candidate.image, sharedPlaces(entry.homes, candidate.image));
    undo.defer(() => {
      // Handles on the earlier version may be open: they see its variables as they were.
      if (candidate.lifetime.state !== "freed") restore();
    });
  }

  prepare(takeover: Takeover): void {
    takeover.pointed = pointedVersions(takeover);
  }

  commit({ entry, previous, candidate, pointed }: Takeover): void {
    endQuarantineQuietly(candidate.image);
    candidate.pointsInto = pointed;
    this.#guards.guard(previous, candidate);
    if (candidate.number <= entry.highestNumber) return;
    entry.highestNumber = candidate.number;
    this.#context.catalog.addVersion(entry, candidate);
  }
}

/** The places in an earlier version's memory of variables that are in use now, in the order of their offsets. */
function sharedPlaces(table: HomeTable | undefined, candidate: LoadedImage): Region[] {
  const { homes = [], plan } = candidate;
  return homes.flatMap(({ offset, size }, index) => {
    const place = plan.place(offset, 0);
    if (place < plan.data.offset) return [];
    const isOwn = homeAddress(candidate, index) === candidate.memory.address + BigInt(place);
    const isShared = isOwn && table?.at(homeAddress(candidate, index)) !== undefined;
    return isShared ? [{ offset: place, length: size }] : [];
  });
}

/** The versions that must stay for a candidate because its variables hold addresses in them. */
function pointedVersions({ candidate, previous, report }: Takeover): readonly PointedImage[] {
  if (report === undefined) return candidate.pointsInto;
  const pointed: PointedImage[] = [];
  const count = report.oldPointers.length;
  if (count > 0) {
    const why = `${count === 1 ? "1 address" : `${count} addresses`} in carried variables`;
    pointed.push({ memory: previous.image.memory, lifetime: previous.lifetime, why });
  }
  const known = new Set([candidate.lifetime, ...pointed.map(({ lifetime }) => lifetime)]);
  const older = [...previous.pointsInto, ...candidate.pointsInto].filter(({ lifetime }) => {
    const isNew = !known.has(lifetime);
    known.add(lifetime);
    return isNew;
  });
  return [...pointed, ...older.filter(({ memory }) => holdsAddressIn(candidate.image, memory))];
}
