/**
 * What unwinding needs to know of a module: exceptions are thrown, caught and
 * passed through, and backtraces taken, in functions that the unwinder has been
 * told of.
 *
 * A module asks for it by having frame information, which `linkObjects` keeps
 * where it can matter.
 */

import { bytesAt } from "../../os/native_memory.ts";
import { LoadError } from "../../errors.ts";
import { countFrames } from "../../image/eh_frame.ts";
import type { LoadedImage } from "../loader.ts";
import { HAS_UNWINDER, registerEhFrame } from "../../os/unwinder.ts";

const FRAMES = ".eh_frame";

/**
 * Tells the unwinder about a module that is linked.
 *
 * @returns what takes that back, before the module's memory goes; undefined if
 * there is nothing to tell, or nobody.
 * @throws {LoadError} `InvalidFormat` if the module's frame information is broken.
 */
export function registerFrames({ memory, plan }: LoadedImage): Disposable | undefined {
  const [table, another] = plan.sections.filter(({ section }) => section.name === FRAMES);
  if (table === undefined || !HAS_UNWINDER) return undefined;
  if (another !== undefined) {
    throw new LoadError(
      "InvalidFormat",
      "Cannot use frame information: there is more than one section of it",
      {
        section: FRAMES,
      },
    );
  }
  const { section, offset } = table;
  const address = memory.address + BigInt(offset);
  const code = { start: plan.code.offset, end: plan.code.offset + plan.code.length };
  const count = countFrames(bytesAt(address, section.virtualSize), FRAMES, offset, code);
  return count === 0 ? undefined : registerEhFrame(address);
}
