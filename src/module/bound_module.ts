/**
 * The functions and variables of a handle: binding them, and leasing addresses.
 */

import type { CallPath } from "../call/path.ts";
import type { Callable, Definitions, FunctionDefinition } from "../call/function_definition.ts";
import type { OnCrash } from "../call/guard.ts";
import type { BindingOptions } from "../call/symbols.ts";
import type { Wanted } from "../call/typed_definitions.ts";
import { checkOptions } from "../errors/options.ts";
import {
  type AddressLease,
  type AnyFunction,
  BIND_OPTIONS,
  bindAll,
  bindEntryPoint,
  bindFunction,
  type BindOptions,
  type BoundByTypes,
  type BoundSymbols,
  leaseAddress,
} from "./binding.ts";
import type { ModuleVersion } from "./version.ts";
import { ViewedModule } from "./viewed_module.ts";

/** How a handle binds functions, unless an option of the binding says otherwise. */
export interface HandleOptions {
  readonly callPath: CallPath;
  /** @default "end" */
  readonly onCrash?: OnCrash | undefined;
}

/** The part of a {@linkcode LoadedModule} that binds its functions and variables. */
export abstract class BoundModule extends ViewedModule {
  readonly #version: ModuleVersion;
  readonly #options: HandleOptions;

  /** Binds symbols of a version. */
  protected constructor(version: ModuleVersion, options: HandleOptions) {
    super(version);
    this.#version = version;
    this.#options = options;
  }

  /**
   * Binds a function of the module by its symbol's name.
   *
   * Safety: the definition is compared with the types that the module keeps. If
   * it keeps none, a wrong signature corrupts memory or crashes the process, and
   * so does, in any module, a pointer that native code must not use.
   *
   * Platforms: fast calls work on Linux and Windows; on Windows they need
   * `--allow-read` and `--allow-write` for the folder of temporary files.
   * Elsewhere `callPath: "auto"` calls through `Deno.UnsafeFnPointer`.
   *
   * @param name The name of a Function symbol that this module defines, of any binding.
   * @param definition The function's signature, as `Deno.dlopen` takes it.
   * @returns `null` if the symbol does not exist or is not a function.
   * @throws {LoadError} `Incompatible` if the definition does not agree with the module's types;
   * `Closed`; `Unsupported` if `callPath: "fast"` is not possible.
   * @throws {TypeError} for a definition that describes no function.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/mylib.smf");
   * assertEquals(module.getFunction("missing", { parameters: [], result: "void" }), null);
   * ```
   */
  getFunction<const D extends FunctionDefinition>(
    name: string,
    definition: D,
    options?: BindOptions,
  ): Callable<D> | null;
  /**
   * Binds a function of the module by its symbol's name and the module's own
   * types, as {@linkcode BoundModule.bind} does without definitions.
   *
   * Safety, Platforms: as above.
   *
   * @param name The name of a Function symbol that this module defines, of any binding.
   * @returns `null` if the symbol does not exist or is not a function.
   * @throws {LoadError} `Unsupported` if the module keeps no types; `Incompatible`, with the reason, if the
   * function cannot be called; `Closed`.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/c/typed.smf");
   * assertEquals(module.getFunction("add")?.(2, 3), 5);
   * ```
   */
  getFunction(name: string, definition?: undefined, options?: BindOptions): AnyFunction | null;
  getFunction(
    name: string,
    definition?: FunctionDefinition,
    options: BindOptions = {},
  ): AnyFunction | null {
    return bindFunction(this.#version, name, definition, this.#optionsOf("bind function", options));
  }

  /**
   * Binds the function that the header names as the entry point.
   *
   * Safety, Platforms: as for {@linkcode BoundModule.getFunction}.
   *
   * @returns `null` unless the file is marked EXECUTABLE.
   * @throws {LoadError} As {@linkcode BoundModule.getFunction}.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/main.sme");
   * const main = module.entryPoint({ parameters: [], result: "i32" });
   * assertEquals(main?.(), 7);
   * ```
   */
  entryPoint<const D extends FunctionDefinition>(
    definition: D,
    options: BindOptions = {},
  ): Callable<D> | null {
    return bindEntryPoint(
      this.#version,
      definition,
      this.#optionsOf("bind entry point", options),
    ) as Callable<D> | null;
  }

  /**
   * Binds many symbols at once, as `Deno.dlopen` does. All functions that take
   * the fast path share one library, so this is the cheap way to bind many.
   *
   * `optional`, `name` and `nonblocking` have the same meaning as there. A static
   * (`{ type }`) becomes a getter that reads the variable's current value.
   *
   * Safety, Platforms: as for {@linkcode BoundModule.getFunction}. A module
   * without types checks the size of a static, not its type; one that is a pointer
   * is only as valid as native code keeps it.
   *
   * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing;
   * `Incompatible` for a definition that does not agree with the module's types, a
   * static that does not have its variable's size, a function bound as a static,
   * or a variable bound as a function; `Closed`.
   * @throws {TypeError} for a definition that describes no function or variable.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/data.smf");
   * const { symbols } = module.bind({
   *   increment: { parameters: [], result: "i64" },
   *   counter: { type: "i64" },
   * });
   * const before = symbols.counter;
   * symbols.increment();
   * assertEquals(symbols.counter, before + 1n);
   * ```
   */
  bind<const S extends Definitions>(
    definitions: S,
    options?: BindOptions,
  ): BoundSymbols<S>;
  /**
   * Binds functions and variables by the types that the module keeps: those
   * with the given names, or all exports.
   *
   * | type | JavaScript |
   * |---|---|
   * | integers up to 32 bits, enumerations, floats | a number |
   * | integers of 64 bits | a bigint; as an argument a number, too |
   * | pointers | a pointer object or null: `Deno.UnsafePointer.of(array)` is that of an array |
   * | `char *` as a result | a pointer: `Deno.UnsafePointerView.getCString(pointer)` is the string |
   * | function pointers | the pointer of a `Deno.UnsafeCallback` |
   * | structs by value | a `Uint8Array` of the struct's size |
   * | variables of these, except pointers and structs | a getter of the current value |
   * | variables that are pointers, structs, unions or arrays | the address of the variable |
   *
   * `leftOut` has the exports that cannot be called: functions that are variadic, or that
   * take or return a `long double`, an `__int128`, a complex number, a union or
   * bit-fields by value, or an object of C++ or Rust that is more than its bytes.
   *
   * Safety, Platforms: as for {@linkcode BoundModule.getFunction}. The types are
   * those that the compiler wrote; a pointer is only as valid as native code keeps
   * it.
   *
   * @param names The symbols to bind. Default: all exports.
   * @throws {LoadError} `Unsupported` if the module keeps no types; `UndefinedSymbol`, listing every name that is
   * missing; `Incompatible`, with the reason, for a name that cannot be called; `Closed`.
   * @throws {TypeError} for a name that is not a string.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/c/typed.smf");
   * const { symbols, leftOut } = module.bind();
   * assertEquals(symbols.add(2, 3), 5);
   * assertEquals(Deno.UnsafePointerView.getCString(symbols.greeting()), "hello");
   * assertEquals([...leftOut], [["sum_of", "it is variadic"]]);
   * ```
   */
  bind<const Name extends string = string>(
    names?: readonly Name[],
    options?: BindOptions,
  ): BoundByTypes<Name>;
  bind(wanted: Wanted, options: BindOptions = {}): BoundSymbols<Definitions> | BoundByTypes {
    return bindAll(this.#version, wanted, this.#optionsOf("bind", options));
  }

  /**
   * Leases a raw address, for native code. The module's memory stays until the
   * lease is disposed of, also after `close`. A registry's modules have one
   * address for an exported function, over all reloads: it leads to the current
   * version. Until the lease ends, an export counts as in use: a reload refuses to
   * lack it or to declare it in another way, as for live bindings. Leases in
   * isolates that have attached do not count.
   *
   * Safety: calls and accesses through the address are not checked. After the
   * lease is disposed of, they reach freed memory and can crash the process.
   *
   * @returns `null` if the module does not define such a symbol.
   * @throws {LoadError} `Closed`.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assert } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/mylib.smf");
   * using lease = module.addressOf("add");
   * assert(lease !== null && lease.address > 0n);
   * ```
   */
  addressOf(name: string): AddressLease | null {
    this.#requireOpen();
    return leaseAddress(this.#version, name);
  }

  /** The options of a binding, which are checked. */
  #optionsOf(task: string, options: BindOptions): BindingOptions {
    this.#requireOpen();
    checkOptions(task, options, BIND_OPTIONS);
    const { onCrash } = this.#options;
    const { callPath = this.#options.callPath, types = "check", integers } = options;
    return { callPath, types, integers, guards: onCrash === "throw" ? this.#version.guards() : undefined };
  }

  #requireOpen(): void {
    if (!this.isOpen) throw this.#version.lifetime.closedError();
  }
}
