/**
 * What can be said to a registry.
 */

import type { CallPath } from "../call/path.ts";
import type { ImportOptions } from "./import_scope.ts";
import type { MemoryAllocator } from "../os/memory/allocator.ts";
import type { TakeoverOptions } from "./reload/stage.ts";

/** What a {@linkcode ModuleRegistry} is made with. */
export interface ModuleRegistryOptions extends ImportOptions {
  /**
   * Where memory comes from.
   *
   * @default platformAllocator()
   */
  readonly allocator?: MemoryAllocator;
  /**
   * The way that calls take.
   *
   * @default "auto"
   */
  readonly callPath?: CallPath;
  /**
   * How many earlier versions of a module stay loaded after reloads, to go back
   * to, and for addresses in use that nobody can know of: a whole number, or
   * `Infinity`.
   *
   * @default 1
   */
  readonly keepVersions?: number;
}

/** How the functions of a module are bound, unless a single call says otherwise. */
export interface LoadOptions {
  /**
   * The way that calls take.
   *
   * @default the registry's
   */
  readonly callPath?: CallPath;
  /**
   * What the file's bytes have to be: `sha256-…` and the like, as
   * {@linkcode integrityOf} writes it; several separated by spaces are
   * alternatives. It is checked before anything is mapped, on exactly the bytes
   * that are loaded, and for a module that is loaded already, on what was
   * checked then. A module that was checked is replaced by checked ones only:
   * its reloads need an integrity of their own.
   *
   * @default anything
   */
  readonly integrity?: string;
  /**
   * Whether the module's memory stays until the process ends, as it must for
   * modules that start threads and do not end them. Closing it makes calls throw
   * as ever; its code, its variables, what it registered and what it imports
   * from stay, and its finalisers do not run. Its later versions are pinned too.
   *
   * @default false
   */
  readonly pin?: boolean;
}

/** How {@linkcode ModuleRegistry.unload} treats handles that are still open. */
export interface UnloadOptions {
  /**
   * Whether open handles and bound functions end too. Without it they go on
   * working, and the module ends with the last of them.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** How {@linkcode ModuleRegistry.reload} finds the new version, and how that takes over. */
export interface ReloadOptions extends TakeoverOptions, LoadOptions {
  /**
   * The new version itself.
   *
   * @default what the file holds now
   */
  readonly bytes?: Uint8Array;
}
