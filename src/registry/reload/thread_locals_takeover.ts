/**
 * The thread-local variables of a module, as a participant of its reload: their importers cannot follow, so nobody
 * may stay behind with those of the version before.
 */

import type { Participant, ReloadContext, Takeover } from "./participant.ts";

/** Refuses a reload that would leave importers behind. */
export class ThreadLocalsTakeover implements Participant {
  readonly #context: ReloadContext;

  constructor(context: ReloadContext) {
    this.#context = context;
  }

  /** @throws {LoadError} `Incompatible`. */
  check({ entry: { exports }, candidate, options: { compatibility = "strict" }, together }: Takeover): void {
    const replaced = together.map(({ exports }) => exports.version);
    const kept = [...this.#context.catalog.entries()].flatMap(({ history }) => history);
    const leaving = new Set([...replaced, ...kept].map(({ image }) => image.identity));
    exports.threadLocals.check(exports.version, candidate, compatibility, leaving);
  }

  /** Again: code that ran meanwhile may have loaded another importer. */
  prepare(takeover: Takeover): void {
    this.check(takeover);
  }
}
