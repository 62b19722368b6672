/**
 * The options that say how a module's next version takes over.
 */

import type { CarryOptions } from "../../module/carry.ts";
import { FUNCTION, kindOf, oneOf, type OptionTable, STRINGS } from "../../errors/options.ts";
import type { LoadedModule } from "../../module/handle.ts";

/** How a module's next version takes over. */
export interface TakeoverOptions extends CarryOptions {
  /**
   * `keep`: variables stay where they are, and the new version's code works on
   * them there: nothing is copied, so that objects with destructors, threads,
   * Workers and pointers go on. Both versions must be linked with
   * `smf link --reloadable`. What cannot stay starts anew, or moves if its type
   * has changed; the report says which and why. The initialisers of the new
   * version run on memory of its own, which then stays unused. The memory of
   * every version stays until the module ends.
   *
   * `carry`: variables keep their values, matched by name and version, and
   * converted where their types have changed; `fresh`: they start with the new
   * file's. Where a file does not tell the types (it was linked without debug
   * information), variables match by size. Those that have destructors start
   * anew.
   *
   * `keep-or-carry`: `keep` where both versions have homes for variables, else `carry`.
   *
   * Safety: with `keep`, what `migrate`, `verify` and the new version's code write
   * to variables stays written if the reload fails after that. An address of a
   * function in a variable leads to the code that it was taken from, unless the
   * function is exported or the module was linked with `smf link --hot`.
   *
   * Without types values are copied as bytes. If the new version means
   * something else by a variable of the same name, size and version, its code
   * works on a wrong value, or crashes. Workers that write to variables while they are
   * carried race with the copy.
   *
   * @default "fresh"; of modules linked with `smf link --hot` `keep`; of a watch `keep` where both versions have
   * homes for variables, else `fresh`
   *
   * @example Variables that stay where they are
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * const sample = (version: number) =>
   *   Deno.readFileSync(`fixtures/platform/${Deno.build.os}-${Deno.build.arch}_v${version}.smf`);
   * const host_value = { parameters: ["i32"], result: "i32", callback: (value: number) => value } as const;
   * using registry = new ModuleRegistry({ imports: { host_value } });
   * registry.loadBytes("sample", sample(1));
   * const { symbols } = registry.open("sample", { increment: { parameters: [], result: "i64" } });
   * assertEquals(symbols.increment(), 41n); // adds 1
   * const { carried } = registry.reload("sample", { bytes: sample(2), state: "keep" });
   * assertEquals(symbols.increment(), 43n); // adds 2
   * assertEquals(carried?.kept.includes("counter"), true);
   * ```
   */
  readonly state?: "fresh" | "carry" | "keep" | "keep-or-carry";
  /**
   * Moves what cannot be carried by itself; an exception ends the reload.
   *
   * Safety: the callback works on the memory of both versions; a write outside
   * a variable crashes the process or corrupts it.
   */
  readonly migrate?: (previous: LoadedModule, candidate: LoadedModule) => void;
  /** Tests the candidate, with its state; `false` or an exception ends the reload. */
  readonly verify?: (candidate: LoadedModule) => boolean | void;
  /**
   * Which names in use by live bindings, importers and leases a new version may
   * lack: none (`strict`), or functions and variables that then stay those of the
   * old version (`allow`). A name must not change between function and data. With
   * `strict` it must be declared as its users were made for, where the files tell
   * it: the result and parameters of functions, the type of numbers, and the
   * layout of variables that are imported or leased; with `allow`
   * {@linkcode LoadedModule.changedUses} lists what differs.
   *
   * @default "strict"
   */
  readonly compatibility?: "strict" | "allow";
}

/** The checks of {@linkcode TakeoverOptions}. */
export const TAKEOVER_OPTIONS: OptionTable<TakeoverOptions> = {
  state: oneOf("fresh", "carry", "keep", "keep-or-carry"),
  migrate: FUNCTION,
  verify: FUNCTION,
  compatibility: oneOf("strict", "allow"),
  take: kindOf(
    'an array of names, or "unwritten"',
    (value) => value === "unwritten" || STRINGS.accepts(value),
  ),
  oldPointers: oneOf("keep", "refuse"),
};

/** The fate of variables; with `keep-or-…` the second one where the versions have no homes for them. */
export type ReloadState = NonNullable<TakeoverOptions["state"]> | "keep-or-fresh";

/** The options of a takeover, with the states that only this package asks for. */
export type ReloadTakeover = Omit<TakeoverOptions, "state"> & { readonly state?: ReloadState };
