/**
 * The types of loaded images, as a reload asks for them.
 */

import { attempt, ignore } from "../errors/load_error.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { KeptTypes } from "../smf/kept_types.ts";
import type { ModuleTypes } from "../smf/types.ts";

/**
 * Reads the types of a candidate, once.
 *
 * @returns undefined if its file has none.
 * @throws {LoadError} `InvalidFormat` if they are damaged.
 */
export function typesOf({ types, identity }: LoadedImage): ModuleTypes | undefined {
  return types?.read(identity.description);
}

/** Like {@linkcode typesOf}, of a version that runs already: damaged types must not keep it from being replaced. */
export function typesOfRunning({ types, identity }: LoadedImage): ModuleTypes | undefined {
  return readUnlessDamaged(types, identity.description);
}

/** Reads types; undefined if there are none, or they are damaged. */
export function readUnlessDamaged(
  types: KeptTypes | undefined,
  description: string,
): ModuleTypes | undefined {
  return attempt(ignore, () => types?.read(description));
}
