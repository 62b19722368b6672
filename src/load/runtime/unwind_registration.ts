/**
 * Registers a module's unwind tables with the process's unwinder, which
 * exceptions and backtraces need: without them they end at the module's functions.
 *
 * A module asks for it by having unwind tables, which `linkObjects` keeps where
 * they can matter.
 */

import { bytesAt } from "../../os/native_memory.ts";
import { LoadError } from "../../errors.ts";
import { countFrames } from "../../image/eh_frame.ts";
import type { LoadedImage } from "../image.ts";
import { HAS_UNWINDER, registerEhFrame } from "../../os/unwinder.ts";

/** The section of unwind tables. */
export const EH_FRAME = ".eh_frame";

/**
 * Checks and registers the unwind tables of a linked module.
 *
 * Safety: the result must be disposed of before the module's memory is freed,
 * since the unwinder reads the tables in place.
 *
 * Platforms: registers on Linux only.
 *
 * @returns the registration; undefined if the tables describe no function, or if
 * the system has no unwinder to register them with.
 * @throws {LoadError} `InvalidFormat` if the tables are broken.
 */
export function registerFrames({ memory, plan }: LoadedImage): Disposable | undefined {
  const [table, another] = plan.sections.filter(({ section }) => section.name === EH_FRAME);
  if (table === undefined || !HAS_UNWINDER) return undefined;
  if (another !== undefined) {
    throw new LoadError("InvalidFormat", "Cannot use unwind tables: there is more than one such section", {
      section: EH_FRAME,
      hint: "link the objects with smf link, which merges the sections",
    });
  }
  const { section, offset } = table;
  const address = memory.address + BigInt(offset);
  const code = { start: plan.code.offset, end: plan.code.offset + plan.code.length };
  const count = countFrames(bytesAt(address, section.virtualSize), EH_FRAME, offset, code);
  return count === 0 ? undefined : registerEhFrame(address);
}
