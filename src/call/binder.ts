/**
 * `call/`: turns addresses into JavaScript functions, each by the call path that
 * suits it.
 */

import { LazyMap, LazySet } from "../os/lazy_collections.ts";
import { adaptedSource } from "./adapter/adapted_source.ts";
import {
  type AdaptedRequest,
  adaptedRequest,
  convertedCall,
  type FastRequest,
  fastRequest,
} from "./adapter/adapted_targets.ts";
import { copyDefinition } from "./definition.ts";
import type { FunctionDefinition } from "./function_definition.ts";
import { CallCell } from "./wrapper_source.ts";
import { type CallOwner, type CallTarget, wrapCalls } from "./gate.ts";
import { type CallGuards, guardedNonblocking, stackSizeOf } from "./guard.ts";
import { LazyCall } from "./lazy_call.ts";
import { needsStruct } from "../os/float_results.ts";
import { type CallFunction, pointerCall, withoutNull } from "../os/pointer.ts";
import { type BindRequest, type CallPath, hasFastCall, type TakenPath } from "./path.ts";
import { type CallResources, whyNotFast } from "./resources.ts";

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

const isNonblocking = ({ definition }: BindRequest): boolean => definition.nonblocking === true;

/** Binds functions for one owner, each name and definition once. */
export class Binder {
  readonly #owner: CallOwner;
  readonly #resources: CallResources;
  readonly #bindings = new LazyMap<string, Binding>();
  /** The functions that wait for a fast call. */
  readonly #lazy = new LazySet<LazyCall>();
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
   * @param guards Makes crashes exceptions of the calls; undefined: they end the process.
   * @throws {LoadError} `Unsupported` if `fast` is asked for and not possible; `OutOfMemory` for guards.
   */
  bind(requests: readonly BindRequest[], path: CallPath, guards?: CallGuards): CallFunction[] {
    const keys = keysOf(requests, guards === undefined ? path : `${path} guarded`);
    const fresh = new Map<string, BindRequest>();
    for (let index = 0; index < keys.length; index++) {
      if (!this.#bindings.has(keys[index])) fresh.set(keys[index], requests[index]);
    }
    if (fresh.size > 0) {
      this.#resources.used = true;
      const targets = this.#targets([...fresh.values()], path, guards);
      const calls = wrapCalls(targets, this.#owner, guards);
      let index = 0;
      for (const key of fresh.keys()) {
        const { path, lazy } = targets[index];
        this.#bindings.set(key, { call: calls[index++], path, lazy });
        this.#heard?.("bind", fresh.get(key)!, path);
      }
    }
    return keys.map((key) => this.#bindings.get(key)!.call);
  }

  #targets(
    requests: readonly BindRequest[],
    wanted: CallPath,
    guards: CallGuards | undefined,
  ): BindingTarget[] {
    if (guards === undefined) {
      const prepared = requests.map((request) =>
        isNonblocking(request)
          ? { ...request, address: this.#resources.onAnyThread(request.address) }
          : request
      );
      return this.#directTargets(prepared, wanted);
    }
    const guarded = requests.filter((request) => !isNonblocking(request))
      .map((request) => this.#guarded(request, guards));
    const targets = this.#directTargets(guarded, wanted);
    let next = 0;
    return requests.map((request) =>
      isNonblocking(request) ? this.#guardedNonblocking(request, guards) : targets[next++]
    );
  }

  /** The targets of functions that are called at the addresses of their requests. */
  #directTargets(requests: readonly BindRequest[], wanted: CallPath): BindingTarget[] {
    if (wanted === "auto") this.#fallbackReason ??= whyNotFast(requests);
    const path = wanted === "auto" && this.#fallbackReason !== undefined ? "pointer" : wanted;
    const adapted = requests.map(adaptedRequest);
    this.#resources.openCapturing(adapted);
    const direct = path === "fast" && requests.length > 0
      ? this.#resources.openStub(requests.map((request, index) => fastRequest(request, adapted[index])))
      : undefined;
    return requests.map((request, index): BindingTarget => {
      const known = adapted[index];
      if (known === undefined) return this.#plainTarget(request, path, direct?.[index]);
      return this.#adaptedTarget(request, known, path, direct?.[index]);
    });
  }

  /** A function whose values need no more than Deno does. */
  #plainTarget(request: BindRequest, path: CallPath, direct: CallFunction | undefined): BindingTarget {
    const { name, address } = request;
    // One that Deno does not know has an adaptation.
    const definition = request.definition as Deno.ForeignFunction;
    const target = {
      name,
      parameterCount: definition.parameters.length,
      nonblocking: definition.nonblocking === true,
    };
    if (direct !== undefined && !needsStruct(definition)) {
      const cell = hasFastCall(definition) ? cellOf(direct) : undefined;
      return { ...target, call: withoutNull(direct, definition), path: "fast", cell };
    }
    const copied = copyDefinition(definition);
    const slow = pointerCall(address, copied);
    if (path === "pointer" || !hasFastCall(definition)) return { ...target, call: slow, path: "pointer" };
    return this.#lazyTarget(target, { name, address, definition: copied, adapted: undefined }, slow);
  }

  /** A function whose values an adapter converts, or JavaScript. */
  #adaptedTarget(
    request: BindRequest,
    adapted: AdaptedRequest,
    path: CallPath,
    direct: CallFunction | undefined,
  ): BindingTarget {
    const { name } = request;
    const { adaptation, cell } = adapted;
    const { parameterCount, nonblocking } = adaptation;
    const target = { name, parameterCount, nonblocking };
    const { definition } = adapted.long;
    if (cell === undefined) {
      const isDirect = direct !== undefined && !needsStruct(definition);
      const call = convertedCall(adapted, isDirect ? withoutNull(direct, definition) : undefined);
      return { ...target, call, path: isDirect ? "fast" : "pointer" };
    }
    const slow = convertedCall(adapted);
    if (path === "pointer") return { ...target, call: slow, path };
    const source: BindingTarget["source"] = (...names) => adaptedSource(adaptation, ...names);
    if (direct === undefined) {
      return { ...this.#lazyTarget(target, fastRequest(request, adapted), slow), source };
    }
    cell.direct = direct;
    return { ...target, call: cell.callOr(slow), path: "fast", cell, source };
  }

  #lazyTarget(
    target: Pick<BindingTarget, "name" | "parameterCount" | "nonblocking">,
    request: FastRequest,
    slow: CallFunction,
  ): BindingTarget {
    const lazy = new LazyCall(request, slow, this.#warmedUp);
    this.#lazy.add(lazy);
    return { ...target, call: lazy.call, path: "fast", lazy, cell: lazy.cell };
  }

  /** Leads synchronous calls through a guard. */
  #guarded(request: BindRequest, guards: CallGuards): BindRequest {
    const { address, definition } = request;
    const entry = this.#resources.guards.use(guards.enter(address, stackSizeOf(definition)));
    return { ...request, address: entry.address };
  }

  /** A nonblocking function behind guards, of which each call has one. */
  #guardedNonblocking(request: BindRequest, guards: CallGuards): BindingTarget {
    const { name, address } = request;
    const adapted = adaptedRequest(request);
    const definition = adapted?.adaptation.plain ?? copyDefinition(request.definition);
    const parameterCount = adapted?.adaptation.parameterCount ?? definition.parameters.length;
    const call = guardedNonblocking(name, {
      enter: () => this.#resources.guards.use(guards.enterAlone(address, stackSizeOf(definition))),
      callOf: (entry) => {
        if (adapted === undefined) return pointerCall(entry, definition);
        const throughEntry = { ...adapted, long: { address: entry, definition } };
        this.#resources.openCapturing([throughEntry]);
        return convertedCall(throughEntry);
      },
    });
    return { name, parameterCount, nonblocking: true, call, path: "pointer" };
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
function keysOf(requests: readonly BindRequest[], path: string): string[] {
  // Many functions often share one definition.
  const signatures = new Map<FunctionDefinition, string>();
  return requests.map(({ name, address, definition }) => {
    let signature = signatures.get(definition);
    if (signature === undefined) {
      const { parameters, result, nonblocking, integers, resultBuffer, captureErrno } = definition;
      const facts = [parameters, result, nonblocking === true, integers, resultBuffer, captureErrno];
      signatures.set(definition, signature = JSON.stringify(facts));
    }
    return `${path} ${address} ${signature} ${name}`;
  });
}

function cellOf(direct: CallFunction): CallCell {
  const cell = new CallCell();
  cell.direct = direct;
  return cell;
}
