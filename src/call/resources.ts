/**
 * Owns the stub libraries, adapters and guards of bound functions.
 */

import { LoadError } from "../errors/load_error.ts";
import type { CallFunction } from "../os/pointer.ts";
import {
  type AdaptedRequest,
  adaptTargets,
  type FastRequest,
  openCapturing,
} from "./adapter/adapted_targets.ts";
import { holdDirectCalls } from "./gate.ts";
import type { GuardEntry } from "./guard.ts";
import type { BindRequest } from "./path.ts";
import { holdStubMaker, stubMaker, whyNoStubs } from "./stub/library.ts";

/** Makes what stands in front of a function that is called on other threads; undefined if nothing has to. */
export type ThreadEntry = (address: bigint) => GuardEntry | undefined;

/** Owns the stub libraries of bound functions; dispose it when the functions can no longer be called. */
export class CallResources implements Disposable {
  /** Absent until a stub library is asked for. */
  #owned: DisposableStack | undefined;
  /** The guards of functions, once there are any. */
  #guards: DisposableStack | undefined;
  /** Whether anything was ever bound, by any path. */
  used = false;
  readonly #enterThread: ThreadEntry;

  /** @param enterThread Makes what stands in front of functions that are called on other threads. */
  constructor(enterThread: ThreadEntry = () => undefined) {
    this.#enterThread = enterThread;
  }

  /** The address at which a function is called on threads other than the isolate's. */
  onAnyThread(address: bigint): bigint {
    const entry = this.#enterThread(address);
    return entry === undefined ? address : this.guards.use(entry).address;
  }

  /** The owner of guards. */
  get guards(): DisposableStack {
    return this.#guards ??= new DisposableStack();
  }

  /**
   * Opens one stub library for all of `requests`.
   *
   * @returns the fast calls, in the order of the requests.
   * @throws {LoadError} `Unsupported` if no library can be made; `PermissionDenied`.
   */
  openStub(requests: readonly FastRequest[]): readonly CallFunction[] {
    try {
      const owned = this.#owned ??= holdFastCalls();
      const maker = stubMaker();
      if (typeof maker === "string") throw noFastCalls(maker, requests);
      return owned.use(maker.open(adaptTargets(requests, owned))).calls;
    } catch (error) {
      // A wrong definition is wrong by any path.
      if (error instanceof TypeError || !(error instanceof Error)) throw error;
      if (error instanceof LoadError && error.kind !== "OutOfMemory") throw error;
      throw noFastCalls(error.message, requests, error);
    }
  }

  /**
   * Makes the adapters that store `errno`, which functions need by every call path.
   *
   * @throws {LoadError} `OutOfMemory`, `PermissionDenied`.
   */
  openCapturing(requests: readonly (AdaptedRequest | undefined)[]): void {
    openCapturing(requests, () => this.#owned ??= holdFastCalls());
  }

  [Symbol.dispose](): void {
    const owned = this.#owned;
    this.#owned = undefined;
    owned?.dispose();
    const guards = this.#guards;
    this.#guards = undefined;
    guards?.dispose();
  }
}

/** A function, as errors mention it. */
type Named = Pick<BindRequest, "name">;

/** Owns all that fast calls need beside their libraries. */
function holdFastCalls(): DisposableStack {
  const owned = new DisposableStack();
  owned.use(holdStubMaker());
  owned.use(holdDirectCalls());
  return owned;
}

function noFastCalls(reason: string, requests: readonly Named[], cause?: unknown): LoadError {
  return new LoadError("Unsupported", `Cannot bind for fast calls: ${reason}`, {
    symbols: requests.map((request) => request.name),
    hint: 'bind with callPath "auto", which falls back to calls by address',
  }, { cause });
}

/** The reason why no call is fast on this system; undefined where only trying can tell. */
export function whyNotFast(requests: readonly Named[]): string | undefined {
  const reason = whyNoStubs();
  return reason === undefined ? undefined : noFastCalls(reason, requests).message;
}
