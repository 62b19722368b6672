/**
 * What becomes of the threads that a candidate's initialisers have started, and that are held: a thread goes with the
 * variable that its handle is in, a `std::thread` or `pthread_t`.
 *
 * | variable | thread |
 * |---|---|
 * | stays, or moves: the candidate's own object is left unused | never runs: the one that an earlier version started goes on |
 * | starts anew | runs once the candidate serves |
 * | none, or several of both kinds | nobody knows: the reload is refused |
 */

import { LoadError } from "../../errors/load_error.ts";
import { HomesInRange } from "../../image/homes/homes_in_range.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { dataOf, forEachAddress } from "../image_data.ts";
import type { KeepPlan } from "./plan_model.ts";

/** The threads of a candidate, and the homes that their handles are in. */
export class StartedThreads {
  readonly #plan: KeepPlan;
  /** For each thread the homes of its handle; -1 for what has no home, and so starts anew. */
  readonly #owners: readonly ReadonlySet<number>[] = [];

  /** Looks for handles; to be made before anything of the candidate's is changed. */
  constructor(plan: KeepPlan) {
    this.#plan = plan;
    const threads = plan.candidate.heldThreads?.threads ?? [];
    if (threads.length === 0) return;
    const homes = new HomesInRange(plan.places);
    this.#owners = threads.map(({ handle }) => ownersOf(Number(handle), plan.candidate, homes));
  }

  /**
   * Whether each thread goes on, once the homes are settled.
   *
   * @throws {LoadError} `Incompatible` if that is not known of one.
   */
  settle(): readonly boolean[] {
    const { homes } = this.#plan;
    return this.#owners.map((owners) => {
      const isFresh = [...owners].map((home) => home < 0 || homes[home].fate === "fresh");
      if (isFresh.length > 0 && isFresh.every((fate) => fate === isFresh[0])) return isFresh[0];
      throw new LoadError(
        "Incompatible",
        "Cannot keep variables: an initialiser of the new version started a thread, and no variable tells whether it is to run",
        {
          hint:
            "keep the thread in a static variable (std::thread, pthread_t), or start it in a function that is called once",
        },
      );
    });
  }
}

/** The homes that hold a thread's handle. */
function ownersOf(handle: number, candidate: PlacedImage, homes: HomesInRange): ReadonlySet<number> {
  const owners = new Set<number>(), { offset } = candidate.plan.data;
  forEachAddress(dataOf(candidate), offset, { first: handle, end: handle + 1 }, (_, at) => {
    owners.add(homes.at(offset + at));
  });
  return owners;
}
