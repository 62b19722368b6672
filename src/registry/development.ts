/**
 * Lets a tool that runs a program know the registries of that program: `smf dev` puts a hook in the global scope before
 * the program starts, and reloads modules through it.
 */

import type { OnCrash } from "../call/guard.ts";

/** The hook's key: tool and program may have loaded this package from different places. */
export const DEVELOPMENT_HOOK: unique symbol = Symbol.for("@simple/loader/dev");

/** A module that the tool is asked for, as `ModuleRequest` of the build describes it. */
export interface WantedModule {
  readonly sources: string;
  readonly options: string;
  readonly folder: string;
}

/** A module that the tool keeps built. */
export interface KeptModule {
  /** The module's file. */
  readonly path: string;
  /** Tells how its current version was built: a `BuiltModule` without the bytes. */
  facts(): unknown;
  /** Calls a function after each reload of the file that the tool has made, until it returns false. */
  onReload(listener: () => boolean): void;
}

/** Why the tool has no such module, and what to do. */
export interface MissingModule {
  readonly problem: string;
  readonly hint: string;
}

/** The functions that the tool provides. */
export interface DevelopmentHook {
  /** The default of the registries' option `keepVersions`: a reload may come while a thread runs old code. */
  readonly keepVersions: number;
  /** The default of the registries' option `onCrash`: the version before can go on. */
  readonly onCrash: OnCrash;
  /** Hears of each registry, and of its end by a signal, which aborts then. */
  opened(registry: object, end: AbortSignal): void;
  /** Gives the module for a call of `cc`, once it is built: the tool compiles, and the program need not be allowed to. */
  keptModule?(wanted: WantedModule): Promise<KeptModule | MissingModule>;
}

/** The hook of the tool that runs this program; undefined if no tool does. */
export function developmentHook(): DevelopmentHook | undefined {
  return (globalThis as { readonly [DEVELOPMENT_HOOK]?: DevelopmentHook })[DEVELOPMENT_HOOK];
}
