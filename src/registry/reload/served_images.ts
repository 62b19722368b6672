/**
 * The images that answer for the exports of one module.
 */

import type { LoadedImage } from "../../load/image.ts";
import type { IsolateQuestion } from "../../load/imports/resolve.ts";

/** The images that answer for a module's exports. */
export interface ServedImages {
  current: LoadedImage;
  /** The image that takes over next, while other candidates are linked to it. */
  candidate?: LoadedImage;
}

/**
 * Asks whether exports are isolate-local: they are if their module calls
 * functions that work in this isolate only. Importers keep the question, which
 * refers to no version: modules that import from each other could not be garbage
 * collected.
 */
export function isolateQuestion(images: ServedImages): IsolateQuestion {
  return (asked) => (images.candidate ?? images.current).whyNotShareable(asked) !== undefined;
}
