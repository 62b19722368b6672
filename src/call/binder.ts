/**
 * Turns addresses into JavaScript functions, by the way that suits each.
 */

import { LoadError } from "../errors.ts";
import { CallCell } from "./wrapper_source.ts";
import { type CallOwner, type CallTarget, gateCalls, holdDirectCalls } from "./gate.ts";
import { LazyCall } from "./lazy_call.ts";
import { type CallFunction, pointerCall } from "../os/pointer.ts";
import { type BindRequest, type CallPath, hasFastCall, type TakenPath } from "./path.ts";
import { holdStubMaker, stubMaker, whyNoStubs } from "./stub/library.ts";

/** What bound functions rest on; closed when nobody can call them any more. */
export class CallResources implements Disposable {
  #libraries: { close(): void }[] = [];
  #holds: Disposable[] = [];
  /** Whether anything was ever bound, by any path. */
  used = false;

  /**
   * Opens one stub library for all sites.
   *
   * @throws {LoadError} `Unsupported` if none can be made; `PermissionDenied`.
   */
  openStub(requests: readonly BindRequest[]): readonly CallFunction[] {
    try {
      if (this.#holds.length === 0) this.#holds = [holdStubMaker(), holdDirectCalls()];
      const maker = stubMaker();
      if (typeof maker === "string") throw noFastCalls(maker, requests);
      const library = maker.open(requests);
      this.#libraries.push(library);
      return library.calls;
    } catch (error) {
      // A wrong definition is wrong by any path.
      if (error instanceof TypeError || !(error instanceof Error)) throw error;
      if (error instanceof LoadError && error.kind !== "OutOfMemory") throw error;
      throw noFastCalls(error.message, requests, error);
    }
  }

  [Symbol.dispose](): void {
    for (const library of this.#libraries.splice(0)) library.close();
    for (const hold of this.#holds.splice(0)) hold[Symbol.dispose]();
  }
}

function noFastCalls(reason: string, requests: readonly BindRequest[], cause?: unknown): LoadError {
  return new LoadError("Unsupported", `Cannot bind for fast calls: ${reason}`, {
    symbols: requests.map((request) => request.name),
  }, { cause });
}

/** Why nothing is fast on this system; undefined where that is not known before it is tried. */
function whyNotFast(requests: readonly BindRequest[]): string | undefined {
  const reason = whyNoStubs();
  return reason === undefined ? undefined : noFastCalls(reason, requests).message;
}

/** A bound function. */
interface Bound {
  readonly call: CallFunction;
  readonly path: TakenPath;
  /** If it takes its path once it is called often enough. */
  readonly lazy?: LazyCall;
}

/** How a function is called. */
type Way = CallTarget & Bound;

/** Binds functions for one owner, each name and definition once. */
export class Binder {
  readonly #owner: CallOwner;
  readonly #resources: CallResources;
  readonly #bound = new Map<string, Bound>();
  /** Those without a fast call that are to get one. */
  readonly #lazy = new Set<LazyCall>();
  #fallbackReason: string | undefined;

  constructor(owner: CallOwner, resources: CallResources) {
    this.#owner = owner;
    this.#resources = resources;
  }

  /** Why `auto` does without fast calls, if it does. */
  get fallbackReason(): string | undefined {
    return this.#fallbackReason;
  }

  /** The functions that were bound, with the path that each takes or, once it is called often, will take. */
  *taken(): Iterable<{ readonly name: string; readonly path: TakenPath }> {
    for (const { call, path, lazy } of this.#bound.values()) {
      const isLeft = lazy !== undefined && lazy.cell.direct === undefined &&
        this.#fallbackReason !== undefined;
      yield { name: call.name, path: isLeft ? "pointer" : path };
    }
  }

  /**
   * Binds all of `requests`. What `fast` asks for gets one library now; what
   * `auto` makes fast gets it when it is called often enough.
   *
   * @throws {LoadError} `Unsupported` if `fast` is asked for and cannot be had.
   */
  bind(requests: readonly BindRequest[], path: CallPath): CallFunction[] {
    const keys = keysOf(requests, path);
    const fresh = new Map<string, BindRequest>();
    for (let index = 0; index < keys.length; index++) {
      if (!this.#bound.has(keys[index])) fresh.set(keys[index], requests[index]);
    }
    if (fresh.size > 0) {
      this.#resources.used = true;
      const ways = this.#ways([...fresh.values()], path);
      const calls = gateCalls(ways, this.#owner);
      let index = 0;
      for (const key of fresh.keys()) {
        const { path, lazy } = ways[index];
        this.#bound.set(key, { call: calls[index++], path, lazy });
      }
    }
    return keys.map((key) => this.#bound.get(key)!.call);
  }

  #ways(requests: readonly BindRequest[], wanted: CallPath): Way[] {
    if (wanted === "auto") this.#fallbackReason ??= whyNotFast(requests);
    const path = wanted === "auto" && this.#fallbackReason !== undefined ? "pointer" : wanted;
    // What only Deno can judge does not wait, so that it is judged now.
    const now = requests.filter(({ definition }) =>
      path === "fast" || (path === "auto" && hasFastCall(definition) === undefined)
    );
    let direct: readonly CallFunction[] = [];
    try {
      if (now.length > 0) direct = this.#resources.openStub(now);
    } catch (error) {
      if (path === "fast" || !(error instanceof LoadError)) throw error;
      this.#fallbackReason = error.message;
      return this.#ways(requests, wanted);
    }
    let next = 0;
    return requests.map((request): Way => {
      const { name, address, definition } = request;
      const way = {
        name,
        parameterCount: definition.parameters.length,
        nonblocking: definition.nonblocking === true,
      };
      if (request === now[next]) {
        const call = direct[next++];
        return {
          ...way,
          call,
          path: "fast",
          cell: hasFastCall(definition) === false ? undefined : cellOf(call),
        };
      }
      if (path === "pointer" || hasFastCall(definition) === false) {
        return { ...way, call: pointerCall(address, definition), path: "pointer" };
      }
      const lazy = new LazyCall(request, this.#warmed);
      this.#lazy.add(lazy);
      return { ...way, call: lazy.call, path: "fast", lazy, cell: lazy.cell };
    });
  }

  /** Gives fast calls to all that were called a while. */
  readonly #warmed = (): void => {
    if (this.#fallbackReason !== undefined) return;
    const warm = [...this.#lazy].filter(({ isWarm }) => isWarm);
    if (warm.length === 0) return;
    try {
      const direct = this.#resources.openStub(warm.map(({ request }) => request));
      warm.forEach((lazy, index) => {
        lazy.cell.direct = direct[index];
        this.#lazy.delete(lazy);
      });
    } catch (error) {
      // The call goes on by its pointer: what it was made for does not fail for this.
      this.#fallbackReason = error instanceof Error ? error.message : String(error);
      this.#lazy.clear();
    }
  };
}

/** Equal for equal symbols and definitions, whoever wrote the objects. */
function keysOf(requests: readonly BindRequest[], path: CallPath): string[] {
  // Many functions often have one definition.
  const signatures = new Map<Deno.ForeignFunction, string>();
  return requests.map(({ name, address, definition }) => {
    let signature = signatures.get(definition);
    if (signature === undefined) {
      const { parameters, result, nonblocking } = definition;
      signatures.set(definition, signature = JSON.stringify([parameters, result, nonblocking === true]));
    }
    return `${path} ${address} ${signature} ${name}`;
  });
}

function cellOf(direct: CallFunction): CallCell {
  const cell = new CallCell();
  cell.direct = direct;
  return cell;
}
