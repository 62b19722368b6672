/**
 * Modules that can be looked into: what there is, what is at an address, and which
 * native code has called a callback.
 */

import { judgeCallback } from "../call/definition.ts";
import { aboutArgument } from "../errors/edge.ts";
import { describeValue } from "../errors/options.ts";
import { type ImportedFunction, OwnedCallback } from "../load/imports/owned_callback.ts";
import { inspectCatalog, type RegistryInspection } from "./inspection.ts";
import { loadingOf, ModuleSet } from "./module_set.ts";
import { locatorOf, symbolize, type SymbolizedAddress } from "./symbolize.ts";

/** A JavaScript function with an address, for native code to call. */
export interface NativeCallback extends Disposable {
  /** What native code calls, as `Deno.UnsafeCallback` has it. It fits any definition. */
  // deno-lint-ignore no-explicit-any
  readonly pointer: Deno.PointerObject<any>;
  /** Has other threads wake the event loop, which does not end then: `Deno.UnsafeCallback.ref`. */
  ref(): number;
  /** Takes one `ref` back. */
  unref(): number;
}

/** The part of a {@linkcode ModuleRegistry} that says what is in it. */
export abstract class ObservedSet extends ModuleSet {
  /**
   * Describes the registry as it is now: its modules, the versions that are in
   * memory, who holds them, and where their memory is. `console.log(registry)` shows
   * the same. Works on a registry that was disposed of, too.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/provider.smf");
   * registry.load("fixtures/importer.smf");
   * const [{ path, versions: [{ state, holders }] }] = registry.inspect().modules;
   * assertEquals([path, state, holders.length], ["fixtures/provider.smf", "open", 1]);
   * ```
   */
  inspect(): RegistryInspection {
    return inspectCatalog(loadingOf(this).catalog);
  }

  /**
   * Says what is at an address of native code or data: the module, its version,
   * the function, and with debug information (`gcc -g`) the place in the source,
   * functions that are inlined there included. Earlier versions that are still in
   * memory count, and so do the addresses that `addressOf` returns.
   *
   * Debug information is read when it is first needed: from the module's file or
   * its companion file, which takes `--allow-read`, and only if they are still those
   * that were loaded. Parts that are not known are undefined; damaged debug
   * information counts as none.
   *
   * An address on a stack is that of the instruction behind the call: give the
   * address before it.
   *
   * @returns undefined if no module of this registry is at the address.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * const mylib = registry.load("fixtures/mylib.smf");
   * using lease = mylib.addressOf("add")!;
   * const found = registry.symbolize(lease.address);
   * assertEquals([found?.module, found?.function, found?.offset], ["fixtures/mylib.smf", "add", 0]);
   * ```
   */
  symbolize(address: bigint): SymbolizedAddress | undefined {
    if (typeof address !== "bigint") throw new TypeError("Cannot symbolize address: it is not a bigint");
    return symbolize(loadingOf(this).catalog, address);
  }

  /**
   * Makes a JavaScript function callable from native code, like `Deno.UnsafeCallback`. In addition the stack of an
   * error that it throws has the functions of native code between it and the JavaScript that has called them: what
   * {@linkcode ImportedFunction} says of its errors holds here, too.
   *
   * Safety: native code must not call it after it was disposed of.
   *
   * Platforms: everywhere; the stack has native functions on Linux.
   *
   * @returns the callback, which its user disposes of.
   * @throws {TypeError} For a definition that Deno does not take, with the reason.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * using twice = registry.callback({ parameters: ["i32"], result: "i32", callback: (value: number) => 2 * value });
   * const call = new Deno.UnsafeFnPointer(twice.pointer, { parameters: ["i32"], result: "i32" } as const);
   * assertEquals(call.call(21), 42);
   * ```
   */
  callback(definition: ImportedFunction): NativeCallback {
    if (typeof definition?.callback !== "function") {
      throw aboutArgument(
        new TypeError(`Cannot make callback: ${describeValue(definition?.callback)} is not a function`),
      );
    }
    const name = definition.callback.name || "callback";
    judgeCallback(name, definition, `Cannot make callback '${name}'`);
    return new OwnedCallback(name, definition, locatorOf(loadingOf(this).catalog));
  }
}
