/**
 * Imports that the user gives as values: addresses, and JavaScript functions
 * for native code to call.
 */

import { judgeCallback } from "../../call/definition.ts";
import { describeValue } from "../../errors/options.ts";
import type { SourceLocator } from "../../errors/native_stack.ts";
import { type ImportedFunction, OwnedCallback } from "./owned_callback.ts";
import type { FoundImport, ImportSource } from "./resolve.ts";
import { addressOf } from "../../os/pointer.ts";

/**
 * A value for a name that modules import.
 *
 * Safety: an address is used as it is. It must be that of a function or a
 * variable of the type that the module expects, for as long as the module is
 * loaded.
 */
export type ImportValue = bigint | Deno.PointerObject | Deno.UnsafeCallback | ImportedFunction;

/** The values that a registry was given, by name. */
export class GivenImports implements ImportSource, Disposable {
  readonly #values: ReadonlyMap<string, ImportValue>;
  readonly #callbacks = new Map<string, OwnedCallback>();

  readonly #locate: SourceLocator;

  /**
   * @param locate Finds the source of native frames, for errors of callbacks.
   * @throws {TypeError} for a value that is not an {@linkcode ImportValue}.
   */
  constructor(values: Readonly<Record<string, ImportValue>>, locate: SourceLocator = () => undefined) {
    this.#locate = locate;
    this.#values = new Map(Object.entries(values));
    for (const [name, value] of this.#values) {
      const problem = problemOf(value);
      const refusal = `Cannot import '${name}'`;
      if (problem === undefined && isImportedFunction(value)) judgeCallback(name, value, refusal);
      if (problem !== undefined) throw new TypeError(`${refusal}: ${problem}`);
    }
  }

  find(name: string): FoundImport | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "bigint") return { address: value, from: "given" };
    if (value instanceof Deno.UnsafeCallback) {
      return { address: addressOf(value.pointer), from: "given", isIsolateLocal: always };
    }
    if (isImportedFunction(value)) {
      let callback = this.#callbacks.get(name);
      if (callback === undefined) {
        this.#callbacks.set(name, callback = new OwnedCallback(name, value, this.#locate));
      }
      return { address: callback.address, from: "given", provider: callback, isIsolateLocal: always };
    }
    return { address: addressOf(value), from: "given" };
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }

  /** Releases the callbacks; each is closed once no module holds it. */
  [Symbol.dispose](): void {
    for (const callback of this.#callbacks.values()) callback[Symbol.dispose]();
  }
}

/** The values that a name can be given, for messages. */
const VALUES =
  "a 64-bit address (bigint), a pointer, a Deno.UnsafeCallback or { parameters, result, callback }";

/** The reason why a value cannot be imported; undefined if it can. */
function problemOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "bigint") {
    return BigInt.asUintN(64, value) === value ? undefined : `${value} is not a 64-bit address`;
  }
  if (typeof value !== "object" || value === null) return `${describeValue(value)} is not ${VALUES}`;
  if (value instanceof Deno.UnsafeCallback) return undefined;
  // Pointers are the only objects without names and without a prototype.
  if (Object.getPrototypeOf(value) === null && Object.keys(value).length === 0) return undefined;
  const { callback } = value as Partial<ImportedFunction>;
  return typeof callback === "function"
    ? undefined
    : `its callback is ${describeValue(callback)}, not a function`;
}

const always = (): boolean => true;

function isImportedFunction(value: ImportValue): value is ImportedFunction {
  return typeof value === "object" && !(value instanceof Deno.UnsafeCallback) && "callback" in value;
}
