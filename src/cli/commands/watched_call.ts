/**
 * The function that `smf watch` calls after each load, and the way back when it crashes.
 */
import { LoadError } from "../../errors/load_error.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import type { TakeoverOptions } from "../../registry/reload/takeover.ts";
import { UsageError } from "../terminal/command.ts";
import { printable } from "../terminal/table.ts";
import { noSuchFunction } from "./loading.ts";
import { ModuleFile } from "./module_file.ts";
import type { Signature } from "./signature.ts";
import { typedSignature } from "./typed_signature.ts";

/** The function to call after each load, and its arguments. */
export interface CallRequest {
  readonly name: string;
  readonly texts: readonly string[];
  /** Undefined: the types that the module keeps. */
  readonly signature: Signature | undefined;
}

/** A version has crashed in the call. */
export interface CrashedCall {
  readonly kind: "crashed";
  /** The version that crashed. */
  readonly version: number;
  /** The version that runs from now on; undefined if there is no other one. */
  readonly continues: number | undefined;
  readonly error: LoadError;
}

type Callable = (...values: readonly unknown[]) => unknown;

/** Calls a function of the version that serves, by its own types or by a signature that was given. */
export class WatchedCall {
  readonly #registry: ModuleRegistry;
  readonly #module: LoadedModule;
  readonly #file: string;
  readonly #call: CallRequest;
  #bound = "";
  #live: Callable = () => undefined;

  constructor(
    registry: ModuleRegistry,
    module: LoadedModule,
    file: string,
    call: CallRequest,
  ) {
    this.#registry = registry;
    this.#module = module;
    this.#file = file;
    this.#call = call;
  }

  /**
   * Calls the function; its result as text.
   *
   * @throws {UsageError} if the module does not export the function, or it does not take the arguments.
   */
  result(): string | undefined {
    const { name, texts, signature: given } = this.#call;
    const signature = given ?? this.#ownSignature();
    const { definition } = signature;
    const values = signature.values(texts);
    // Each version may have other types.
    const wanted = JSON.stringify(definition);
    if (wanted !== this.#bound) {
      if (this.#module.getFunction(name, definition) === null) {
        throw noSuchFunction(this.#module, name, new ModuleFile(this.#file).exports());
      }
      this.#live = this.#registry.open(this.#file, { [name]: definition }).symbols[name] as Callable;
      this.#bound = wanted;
    }
    return signature.text(this.#live(...values));
  }

  #ownSignature(): Signature {
    const exports = new ModuleFile(this.#file).exports();
    if (exports !== undefined) return typedSignature(exports, this.#call.name);
    throw new UsageError(
      `a function to call needs a name and --signature: ${printable(this.#file)} keeps no types`,
    );
  }
}

/** Takes the version back that has just crashed in a call: the one before serves again. */
export function takeBack(
  registry: ModuleRegistry,
  file: string,
  error: LoadError,
  options: TakeoverOptions,
): CrashedCall {
  const versions = registry.versions(file);
  const { version } = versions.find(({ current }) => current)!;
  const crashed = { kind: "crashed", version, error } as const;
  if (versions.length === 1) return { ...crashed, continues: undefined };
  try {
    using handle = registry.rollback(file, options);
    return { ...crashed, continues: handle.version };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { ...crashed, continues: undefined };
  }
}
