/**
 * The code of a module's earlier versions, as a participant of its reload: it goes once it is known to be left.
 */

import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { showReport } from "../shown_reload.ts";
import type { Participant, ReloadContext, Takeover } from "./participant.ts";

/** Gives back the code of versions whose variables stay. */
export class CodeTakeover implements Participant {
  readonly #context: ReloadContext;

  constructor(context: ReloadContext) {
    this.#context = context;
  }

  plan(image: LoadedImage): void {
    this.#context.codes.examine(image);
  }

  prepare({ candidate: { image }, isRollback, runsCode }: Takeover): void {
    if (!isRollback) this.#context.codes.ranEarly(image, runsCode);
  }

  drain(takeover: Takeover): void {
    const { entry, previous, fate, report } = takeover, { codes } = this.#context;
    if (fate !== "keep" || report === undefined) return;
    codes.release(entry.exports, previous);
    const { lifetime } = previous, image = previous.image as PlacedImage;
    const stays = codes.whyStays({ image, lifetime });
    const bytes = image.plan.code.length + (image.debug?.size ?? 0);
    takeover.report = showReport({ ...report, replacedCode: { bytes, stays } });
  }
}
