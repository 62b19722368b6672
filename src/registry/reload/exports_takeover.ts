/**
 * The exports of a module, as a participant of its reload: entries and trampolines, the module's own words that hold
 * their addresses, importers of variables, and holds of importers.
 */

import type { Participant, Replacement, Takeover } from "./participant.ts";
import type { PreparedVersion } from "./prepared_version.ts";

/** Sends all users of a module to its next version. */
export class ExportsTakeover implements Participant {
  readonly #replacement: Replacement;
  #prepared: PreparedVersion | undefined;

  constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  check({ candidate }: Takeover): void {
    const { entry: { exports }, options: { compatibility = "strict" } } = this.#replacement;
    exports.check(candidate, compatibility);
  }

  prepare(takeover: Takeover): void {
    const { entry: { exports }, options: { compatibility = "strict" } } = this.#replacement;
    const { candidate, pointed: leases, undo } = takeover;
    this.#prepared = exports.prepare(candidate, { compatibility, leases }, undo);
    takeover.canonical = this.#prepared.canonical;
  }

  commit(): void {
    this.#replacement.entry.exports.withdrawCandidate();
    this.#prepared!.commit();
  }

  drain(): void {
    this.#prepared!.release();
  }
}
