/**
 * What the commands that run modules share: where imports come from.
 */
import { ModuleRegistry } from "../../registry/registry.ts";
import type { Options } from "../terminal/options.ts";

/** The options of {@linkcode registryOf}, for help. */
export const LOADING_HELP =
  `  --with FILE         a module that is loaded first and answers imports; repeatable
  --library NAME      a shared library of the system that answers imports; repeatable`;

/** The options that say where imports come from. */
export const LOADING_LISTS = ["with", "library"] as const;

/** A registry whose modules find their imports; whoever gets it disposes of it. */
export function registryOf(options: Options): ModuleRegistry {
  const registry = new ModuleRegistry({ libraries: options.list("library") });
  try {
    const providers = options.list("with");
    if (providers.length > 0) registry.loadAll(providers);
    return registry;
  } catch (error) {
    registry[Symbol.dispose]();
    throw error;
  }
}
