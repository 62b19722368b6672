/**
 * `call/`: turns addresses into JavaScript functions, each by the call path that
 * suits it.
 */

import { LoadError } from "../errors/load_error.ts";
import { copyDefinition } from "./definition.ts";
import { CallCell } from "./wrapper_source.ts";
import { type CallOwner, type CallTarget, holdDirectCalls, wrapCalls } from "./gate.ts";
import { LazyCall } from "./lazy_call.ts";
import { needsStruct } from "../os/float_results.ts";
import { type CallFunction, pointerCall, withoutNull } from "../os/pointer.ts";
import { type BindRequest, type CallPath, hasFastCall, type TakenPath } from "./path.ts";
import { holdStubMaker, stubMaker, whyNoStubs } from "./stub/library.ts";

/** Owns the stub libraries of bound functions; dispose it when the functions can no longer be called. */
export class CallResources implements Disposable {
  /** Absent until a stub library is asked for. */
  #owned: DisposableStack | undefined;
  /** Whether anything was ever bound, by any path. */
  used = false;

  /**
   * Opens one stub library for all of `requests`.
   *
   * @returns the fast calls, in the order of the requests.
   * @throws {LoadError} `Unsupported` if no library can be made; `PermissionDenied`.
   */
  openStub(requests: readonly BindRequest[]): readonly CallFunction[] {
    try {
      const owned = this.#owned ??= holdFastCalls();
      const maker = stubMaker();
      if (typeof maker === "string") throw noFastCalls(maker, requests);
      return owned.use(maker.open(requests)).calls;
    } catch (error) {
      // A wrong definition is wrong by any path.
      if (error instanceof TypeError || !(error instanceof Error)) throw error;
      if (error instanceof LoadError && error.kind !== "OutOfMemory") throw error;
      throw noFastCalls(error.message, requests, error);
    }
  }

  [Symbol.dispose](): void {
    const owned = this.#owned;
    this.#owned = undefined;
    owned?.dispose();
  }
}

/** Owns all that fast calls need beside their libraries. */
function holdFastCalls(): DisposableStack {
  const owned = new DisposableStack();
  owned.use(holdStubMaker());
  owned.use(holdDirectCalls());
  return owned;
}

function noFastCalls(reason: string, requests: readonly BindRequest[], cause?: unknown): LoadError {
  return new LoadError("Unsupported", `Cannot bind for fast calls: ${reason}`, {
    symbols: requests.map((request) => request.name),
    hint: 'bind with callPath "auto", which falls back to calls by address',
  }, { cause });
}

/** The reason why no call is fast on this system; undefined where only trying can tell. */
function whyNotFast(requests: readonly BindRequest[]): string | undefined {
  const reason = whyNoStubs();
  return reason === undefined ? undefined : noFastCalls(reason, requests).message;
}

/** A bound function. */
interface Binding {
  readonly call: CallFunction;
  readonly path: TakenPath;
  /** Present if the function takes the fast path after a warm-up only. */
  readonly lazy?: LazyCall;
}

/** Told that a function was bound, or promoted to a fast call. */
export type BindListener = (kind: "bind" | "promote", request: BindRequest, path: TakenPath) => void;

/** The native side of a binding, before it is wrapped. */
type BindingTarget = CallTarget & Binding;

/** Binds functions for one owner, each name and definition once. */
export class Binder {
  readonly #owner: CallOwner;
  readonly #resources: CallResources;
  readonly #bindings = new Map<string, Binding>();
  /** The functions that wait for a fast call. */
  readonly #lazy = new Set<LazyCall>();
  #fallbackReason: string | undefined;
  readonly #heard: BindListener | undefined;

  /** @param heard Told of what is bound, and of what gets a fast call later. */
  constructor(owner: CallOwner, resources: CallResources, heard?: BindListener) {
    this.#owner = owner;
    this.#resources = resources;
    this.#heard = heard;
  }

  /** The reason why `auto` makes no fast calls; undefined if it does. */
  get fallbackReason(): string | undefined {
    return this.#fallbackReason;
  }

  /** The functions that were bound, with the path that each takes or will take after its warm-up. */
  *callPaths(): Iterable<{ readonly name: string; readonly path: TakenPath }> {
    for (const { call, path, lazy } of this.#bindings.values()) {
      const staysSlow = lazy !== undefined && lazy.cell.direct === undefined &&
        this.#fallbackReason !== undefined;
      yield { name: call.name, path: staysSlow ? "pointer" : path };
    }
  }

  /**
   * Binds all of `requests`. Functions for `fast` get one stub library now; those
   * that `auto` makes fast get it after their warm-up.
   *
   * Safety: an address that is not that of a function, or a definition that
   * differs from its signature, ends the process or corrupts its memory when the
   * function is called.
   *
   * @throws {LoadError} `Unsupported` if `fast` is asked for and not possible.
   */
  bind(requests: readonly BindRequest[], path: CallPath): CallFunction[] {
    const keys = keysOf(requests, path);
    const fresh = new Map<string, BindRequest>();
    for (let index = 0; index < keys.length; index++) {
      if (!this.#bindings.has(keys[index])) fresh.set(keys[index], requests[index]);
    }
    if (fresh.size > 0) {
      this.#resources.used = true;
      const targets = this.#targets([...fresh.values()], path);
      const calls = wrapCalls(targets, this.#owner);
      let index = 0;
      for (const key of fresh.keys()) {
        const { path, lazy } = targets[index];
        this.#bindings.set(key, { call: calls[index++], path, lazy });
        this.#heard?.("bind", fresh.get(key)!, path);
      }
    }
    return keys.map((key) => this.#bindings.get(key)!.call);
  }

  #targets(requests: readonly BindRequest[], wanted: CallPath): BindingTarget[] {
    if (wanted === "auto") this.#fallbackReason ??= whyNotFast(requests);
    const path = wanted === "auto" && this.#fallbackReason !== undefined ? "pointer" : wanted;
    const direct = path === "fast" ? this.#resources.openStub(requests) : undefined;
    return requests.map((request, index): BindingTarget => {
      const { name, address, definition } = request;
      const target = {
        name,
        parameterCount: definition.parameters.length,
        nonblocking: definition.nonblocking === true,
      };
      if (direct !== undefined && !needsStruct(definition)) {
        const cell = hasFastCall(definition) ? cellOf(direct[index]) : undefined;
        return { ...target, call: withoutNull(direct[index], definition), path: "fast", cell };
      }
      if (path === "pointer" || !hasFastCall(definition)) {
        return { ...target, call: pointerCall(address, copyDefinition(definition)), path: "pointer" };
      }
      const lazy = new LazyCall(request, this.#warmedUp);
      this.#lazy.add(lazy);
      return { ...target, call: lazy.call, path: "fast", lazy, cell: lazy.cell };
    });
  }

  /** Gives fast calls to all functions in use, in one library. */
  readonly #warmedUp = (): void => {
    if (this.#fallbackReason !== undefined) return;
    const inUse = [...this.#lazy].filter(({ isWorthSharing }) => isWorthSharing);
    if (inUse.length === 0) return;
    try {
      const direct = this.#resources.openStub(inUse.map(({ request }) => request));
      inUse.forEach((lazy, index) => {
        lazy.cell.direct = direct[index];
        this.#lazy.delete(lazy);
      });
      if (this.#heard !== undefined) {
        for (const { request } of inUse) this.#heard("promote", request, "fast");
      }
    } catch (error) {
      // The call that asked goes on by its address: it must not fail for this.
      this.#fallbackReason = error instanceof Error ? error.message : String(error);
      this.#lazy.clear();
    }
  };
}

/** Keys that are equal for equal symbols and definitions, whatever objects hold them. */
function keysOf(requests: readonly BindRequest[], path: CallPath): string[] {
  // Many functions often share one definition.
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
