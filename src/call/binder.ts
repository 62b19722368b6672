/**
 * Turns addresses into JavaScript functions, by the way that suits each.
 */

import { LoadError } from "../errors.ts";
import { type CallFunction, type CallOwner, gateCalls } from "./gate.ts";
import { type CallPath, isFastDefinition, type TakenPath } from "./path.ts";
import { pointerCall } from "./pointer.ts";
import { holdStubMaker, stubMaker } from "./stub_library.ts";

/** A function that is wanted. */
export interface BindRequest {
  /** For errors and as the function's own name. */
  readonly name: string;
  readonly address: bigint;
  readonly definition: Deno.ForeignFunction;
}

/** A function that can be called. */
export interface BoundCall {
  readonly call: CallFunction;
  readonly path: TakenPath;
}

/** What bound functions rest on; closed when nobody can call them any more. */
export class CallResources implements Disposable {
  #libraries: { close(): void }[] = [];
  #hold: Disposable | undefined;
  /** Whether anything was ever bound, by any path. */
  used = false;

  /**
   * Opens one stub library for all sites.
   *
   * @throws {LoadError} `Unsupported` if none can be made; `PermissionDenied`.
   */
  openStub(requests: readonly BindRequest[]): readonly CallFunction[] {
    const refuse = (reason: string, cause?: unknown): LoadError =>
      new LoadError("Unsupported", `Cannot bind for fast calls: ${reason}`, {
        symbols: requests.map((request) => request.name),
      }, { cause });
    try {
      this.#hold ??= holdStubMaker();
      const maker = stubMaker();
      if (typeof maker === "string") throw refuse(maker);
      const library = maker.open(requests);
      this.#libraries.push(library);
      return library.calls;
    } catch (error) {
      // A wrong definition is wrong by any path.
      if (error instanceof TypeError || !(error instanceof Error)) throw error;
      if (error instanceof LoadError && error.kind !== "OutOfMemory") throw error;
      throw refuse(error.message, error);
    }
  }

  [Symbol.dispose](): void {
    for (const library of this.#libraries.splice(0)) library.close();
    this.#hold?.[Symbol.dispose]();
    this.#hold = undefined;
  }
}

/** Binds functions for one owner, each name and definition once. */
export class Binder {
  readonly #owner: CallOwner;
  readonly #resources: CallResources;
  readonly #bound = new Map<string, BoundCall>();
  #fallbackReason: string | undefined;

  constructor(owner: CallOwner, resources: CallResources) {
    this.#owner = owner;
    this.#resources = resources;
  }

  /** Why `auto` does without fast calls, if it does. */
  get fallbackReason(): string | undefined {
    return this.#fallbackReason;
  }

  /** The functions that were bound, with the path that each took. */
  *taken(): Iterable<{ readonly name: string; readonly path: TakenPath }> {
    for (const { call, path } of this.#bound.values()) yield { name: call.name, path };
  }

  /**
   * Binds all of `requests`; those that take the fast path share one library.
   *
   * @throws {LoadError} `Unsupported` if `fast` is asked for and cannot be had.
   */
  bind(requests: readonly BindRequest[], path: CallPath): BoundCall[] {
    const keys = requests.map((request) => keyOf(request, path));
    const fresh = [
      ...new Map(requests.map((request, index) => [keys[index], request] as const))
        .entries(),
    ].filter(([key]) => !this.#bound.has(key)).map(([, request]) => request);
    if (fresh.length > 0) {
      this.#resources.used = true;
      const fast = fresh.filter(({ definition }) =>
        path === "fast" || (path === "auto" && isFastDefinition(definition))
      );
      const stub = this.#openStub(fast, path);
      const taken = fresh.map((request): TakenPath => stub?.has(request) ? "fast" : "pointer");
      const calls = gateCalls(
        fresh.map((request) => ({
          name: request.name,
          call: stub?.get(request) ?? pointerCall(request.address, request.definition),
          parameterCount: request.definition.parameters.length,
          nonblocking: request.definition.nonblocking === true,
        })),
        this.#owner,
      );
      fresh.forEach((request, index) => {
        this.#bound.set(keyOf(request, path), { call: calls[index], path: taken[index] });
      });
    }
    return keys.map((key) => this.#bound.get(key)!);
  }

  #openStub(requests: readonly BindRequest[], path: CallPath): Map<BindRequest, CallFunction> | undefined {
    if (requests.length === 0 || (path === "auto" && this.#fallbackReason !== undefined)) return undefined;
    try {
      const calls = this.#resources.openStub(requests);
      return new Map(requests.map((request, index) => [request, calls[index]]));
    } catch (error) {
      if (path === "fast" || !(error instanceof LoadError)) throw error;
      this.#fallbackReason = error.message;
      return undefined;
    }
  }
}

/** Equal for equal symbols and definitions, whoever wrote the objects. */
function keyOf({ name, address, definition }: BindRequest, path: CallPath): string {
  const { parameters, result, nonblocking } = definition;
  return JSON.stringify([path, name, `${address}`, parameters, result, nonblocking === true]);
}
