/**
 * The exports of a module, as a participant of its reload: entries and trampolines, the module's own words that hold
 * their addresses, importers of variables, and holds of importers.
 */

import type { Participant, Takeover } from "./participant.ts";
import type { PreparedVersion } from "./prepared_version.ts";

/** Sends all users of a module to its next version. */
export class ExportsTakeover implements Participant {
  #prepared: PreparedVersion | undefined;

  check({ candidate, entry: { exports }, options: { compatibility = "strict" } }: Takeover): void {
    exports.check(candidate, compatibility);
  }

  prepare(takeover: Takeover): void {
    const { entry: { exports }, options: { compatibility = "strict" }, candidate, undo } = takeover;
    const { pointed: leases } = takeover;
    this.#prepared = exports.prepare(candidate, { compatibility, leases }, undo);
    takeover.canonical = this.#prepared.canonical;
  }

  commit({ entry: { exports } }: Takeover): void {
    exports.withdrawCandidate();
    this.#prepared!.commit();
  }

  drain(): void {
    this.#prepared!.release();
  }
}
