/**
 * The variables of a loaded module, as JavaScript reads and writes them.
 */

import { checkOptions, kindOf, type OptionTable } from "../errors/options.ts";
import { shapeOfDescription, type ViewDescription, type ViewOf } from "../call/view/description.ts";
import { ModuleDescription } from "./description.ts";
import type { ModuleVersion } from "./version.ts";

/** The part of a {@linkcode LoadedModule} that gives access to variables. */
export abstract class ViewedModule extends ModuleDescription {
  readonly #version: ModuleVersion;

  /** Gives access to the variables of a version. */
  protected constructor(version: ModuleVersion) {
    super(version);
    this.#version = version;
  }

  /** Whether this handle can be used: neither it nor the module is closed. */
  abstract get isOpen(): boolean;

  /**
   * Gives a view of a variable's own memory: it reads what native code writes, and
   * writes what native code reads.
   *
   * | the variable is | the view is |
   * |---|---|
   * | an array of numbers, of any number of dimensions | a typed array of all elements, in the order of memory: `grid[row * width + column]` |
   * | one number | a typed array of one |
   * | `i64`, `u64` | a typed array of bigints |
   * | pointers | a `BigUint64Array` of addresses |
   * | bools | a `Uint8Array` of 0 and 1 |
   * | an array of `char` | a {@linkcode CharArray}: a `Uint8Array` with `text` |
   * | a struct, a union, a class | an accessor: an object with a property for each field |
   * | an array of structs | an array of accessors |
   * | anything else, such as a `long double` | a `Uint8Array` of its bytes |
   *
   * In an accessor a number, an enum or a bit-field is a number (of 64 bits: a
   * bigint), a pointer a bigint, a bool a boolean; arrays and structs are views
   * like these. All can be assigned to; fields of base classes and of unnamed
   * structs are fields of their own.
   *
   * The view of a constant is a copy of it. The same call gives the same view.
   *
   * When the module is closed, or this version of it ends after a reload, the view
   * is detached at once: typed arrays have the length 0 from then on, and accessors
   * throw a `TypeError`. In another isolate that is attached, this happens at its
   * next turn, and the memory stays until then.
   *
   * Safety: native code that runs on another thread changes values while they are
   * read. Asynchronous operations of the runtime that got a view, such as reading a
   * file into it, must have ended before the module is closed. A buffer that is
   * moved out of its view (`postMessage` with a transfer list, `transfer`) leaves the
   * module's memory mapped until the process ends, because nothing can detach it
   * there. Pointers that are written have to be valid.
   *
   * @param name The name of a variable that this module defines, of any binding.
   * @param description Describes the variable, if the module keeps no types of it (it does when it is compiled
   * with `-g`), or to view it in another way.
   * @returns the view.
   * @throws {LoadError} `UndefinedSymbol`; `Unsupported` if neither the module's types nor `description` describe
   * the variable; `Incompatible` if it is a function, or smaller than its description; `Closed`.
   * @throws {TypeError} for a description that is not one.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/data.smf");
   * const counter = module.view("counter", { type: "i64" });
   * const increment = module.getFunction("increment", { parameters: [], result: "i64" });
   * counter[0] = 41n;
   * assertEquals(increment?.(), 42n);
   * assertEquals(counter[0], 42n);
   * ```
   */
  view<const D extends ViewDescription>(name: string, description: D): ViewOf<D>;
  /** Gives a view of a variable by the types that the module keeps. */
  view<V = unknown>(name: string): V;
  /** Implements both. */
  view(name: string, description?: ViewDescription): unknown {
    if (!this.isOpen) throw this.#version.lifetime.closedError();
    checkDescription(description);
    return this.#version.views.of(name, description);
  }
}

const DESCRIPTION: OptionTable<ViewDescription> = {
  type: kindOf("a type", (value) => typeof value === "string" || typeof value === "object"),
  count: kindOf("a number", (value) => typeof value === "number"),
};

/**
 * Checks a description.
 *
 * @returns the bytes of a variable that it describes; of numbers without a count, those of one. 0 without a description.
 * @throws {TypeError} for a description with other properties than it has.
 */
export function checkDescription(description: ViewDescription | undefined): number {
  if (description === undefined) return 0;
  checkOptions("view variable", description, DESCRIPTION);
  return shapeOfDescription(description, 0).size;
}
