/**
 * Loaded images as the rules of homes see them.
 */

import type { HousedVersion } from "../../image/homes/follow.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { bytesAt } from "../../os/native_memory.ts";
import type { ModuleTypes } from "../../smf/types.ts";
import { codeOf } from "../image_data.ts";

/** An image as a version whose homes are compared. */
export function housed(
  image: LoadedImage,
  types: (image: LoadedImage) => ModuleTypes | undefined,
): HousedVersion {
  const { file, plan, homes } = image;
  return {
    file,
    plan,
    homes,
    code: () => codeOf(image),
    types: () => types(image),
    initialAt: (place, size) => initialBytes(image, place, size),
    constantsAt: (place, size) => bytesAt(image.memory.address + BigInt(place), size).slice(),
  };
}

/** The bytes of the data group before any code ran, by their offset in the range; undefined if nobody kept them. */
export function initialBytes(
  { initialData, plan: { data } }: LoadedImage,
  place: number,
  size: number,
): Uint8Array | undefined {
  const start = place - data.offset;
  if (initialData === undefined || start < 0) return undefined;
  const bytes = new Uint8Array(size);
  bytes.set(initialData.subarray(start, start + size));
  return bytes;
}
