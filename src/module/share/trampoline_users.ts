/**
 * The users of a module's trampolines: nonblocking calls in flight in this
 * isolate, and other isolates, whichever version their calls reach. They belong
 * to the current version and are handed on to the next.
 */

import { type CallsDrained, CallsInFlight, whenAll } from "../../call/in_flight.ts";
import { LazySet } from "../../os/lazy_collections.ts";
import { ControlOwner } from "./control.ts";

/** Something that ends with the module. */
export interface Revocable {
  revokeQuietly(): void;
}

/** Counts the users of one module's trampolines. Leads back to no module, so that a module can own it. */
export class TrampolineUsers {
  #onIdle: () => void = () => {};
  #control: ControlOwner | undefined;

  /** Nonblocking calls of this isolate that are in flight. */
  readonly calls: CallsInFlight = new CallsInFlight((count) => {
    if (count === 0) this.#onIdle();
  });

  /** Live libraries of this isolate, which are revoked with the module. */
  readonly libraries: LazySet<Revocable> = new LazySet();
  /** Called when another version has taken over: the views of live libraries end. They must not fail. */
  readonly viewers: LazySet<() => void> = new LazySet();

  /** Ends the views of live libraries, now that another version has taken over. Cannot fail. */
  endViews(): void {
    for (const end of this.viewers) end();
  }

  /** The owner's side of sharing live functions, made when it is first asked for. */
  get control(): ControlOwner {
    return this.#control ??= new ControlOwner();
  }

  /** Whether live functions were ever shared with other isolates. */
  get isShared(): boolean {
    return this.#control !== undefined;
  }

  /** The number of nonblocking calls in flight, in all isolates. */
  callsInFlight(): number {
    return this.calls.count + (this.#control?.callsInFlight() ?? 0);
  }

  /** Whether an isolate died while its nonblocking calls were in flight: they may be running for ever. */
  hasLostCalls(): boolean {
    return this.#control?.hasLostCalls === true;
  }

  /** The number of isolates that are attached. */
  attachedIsolates(): number {
    return this.#control?.attachments() ?? 0;
  }

  /** Calls `listener` when no isolate is attached any more. */
  whenEmpty(listener: () => void): void {
    this.control.whenEmpty(listener);
  }

  /** Calls `listener` whenever the last nonblocking call has returned; replaces the listener before. */
  whenIdle(listener: () => void): void {
    this.#onIdle = listener;
  }

  /**
   * Ends the live functions in all isolates.
   *
   * @param allLeft Called in the event loop, once all other isolates have left.
   */
  revoke(allLeft: () => void): void {
    for (const library of [...this.libraries]) library.revokeQuietly();
    this.#control?.revoke(allLeft);
  }

  /** Keeps the process alive until all isolates have left: somebody awaits that. */
  keepProcessAlive(): void {
    this.#control?.keepProcessAlive();
  }

  /** Settles when all calls that are in flight now have returned or are lost; undefined if there are none. */
  callsDrained(): CallsDrained | undefined {
    return whenAll([this.calls.whenReturned(), this.#control?.callsDrained()]);
  }
}
