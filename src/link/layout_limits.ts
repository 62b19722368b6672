/**
 * The limits of a layout: alignments, the size of the image, the number of sections.
 */
import { LoadError, type LoadErrorData } from "../errors/load_error.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE, MAX_SECTIONS } from "../smf/limits.ts";
import type { OutputSection } from "./input.ts";

/** Refuses an alignment that no loader provides. */
export function checkAlignment(alignment: number, where: LoadErrorData): void {
  if (alignment <= MAX_ALIGNMENT) return;
  throw new LoadError("Unsupported", "Cannot link module: the alignment is too large", {
    ...where,
    value: alignment,
    range: [1, MAX_ALIGNMENT + 1],
  });
}

/** Refuses images that no loader takes, and gaps that only damaged inputs ask for. */
export function checkSize(outputs: readonly OutputSection[], end: number, inputSize: number): void {
  if (!(end <= MAX_IMAGE_SIZE)) {
    throw new LoadError("Unsupported", `Cannot link module: it needs ${end} bytes of memory`, {
      value: end,
      range: [0, MAX_IMAGE_SIZE + 1],
    });
  }
  // The file has one more section, for the relocations.
  if (outputs.length >= MAX_SECTIONS - 1) {
    throw new LoadError("Unsupported", "Cannot link module: there are too many sections of different names", {
      value: outputs.length,
      range: [0, MAX_SECTIONS - 1],
    });
  }
  let stored = 0;
  for (const output of outputs) stored += output.storedSize;
  const limit = 2 ** 26 + 16 * inputSize;
  if (stored > limit) {
    throw new LoadError(
      "Unsupported",
      "Cannot link module: alignment leaves gaps many times the size of the inputs",
      { value: stored, range: [0, limit + 1] },
    );
  }
}
