/**
 * Who may be calling a module through its trampolines, whichever version that
 * reaches: nonblocking calls of this isolate, and other isolates. It belongs to
 * the current version and is handed on to the next.
 */

import { CallsInFlight, whenAll } from "../../call/in_flight.ts";
import { ControlOwner } from "./control.ts";

/** Something that ends with the module. */
export interface Ending {
  revokeQuietly(): void;
}

/** See above. Leads back to no module, so that it can belong to one. */
export class TrampolineUsers {
  #idle: () => void = () => {};
  #control: ControlOwner | undefined;

  /** Nonblocking calls of this isolate that have not come back. */
  readonly calls = new CallsInFlight((count) => {
    if (count === 0) this.#idle();
  });

  /** Bindings of this isolate: told when the module ends. */
  readonly libraries = new Set<Ending>();

  /** What isolates that call live functions have in common with this one. */
  get control(): ControlOwner {
    return this.#control ??= new ControlOwner();
  }

  /** Nonblocking calls of all isolates. */
  callsInFlight(): number {
    return this.calls.count + (this.#control?.callsInFlight() ?? 0);
  }

  /** Isolates that are attached. */
  isolates(): number {
    return this.#control?.attachments() ?? 0;
  }

  /** Calls `empty` when no isolate is attached any more. */
  whenEmpty(empty: () => void): void {
    this.control.whenEmpty(empty);
  }

  /** Whom to tell when the last nonblocking call has come back. */
  whenIdle(idle: () => void): void {
    this.#idle = idle;
  }

  /** Ends it in all isolates. */
  revoke(left: () => void): void {
    for (const library of [...this.libraries]) library.revokeQuietly();
    this.#control?.revoke(left);
  }

  /** Somebody waits until all isolates have left. */
  keepAlive(): void {
    this.#control?.keepAlive();
  }

  /** Settles when every call that is out now has come back, in all isolates; undefined if none can be. */
  passed(): Promise<unknown> | undefined {
    const waits: (Promise<unknown> | undefined)[] = [this.calls.whenReturned()];
    if (this.isolates() > 0) waits.push(new Promise<void>((resolve) => this.control.advance(resolve)));
    return whenAll(waits);
  }

  /** Whether other isolates were ever given its functions. */
  get isShared(): boolean {
    return this.#control !== undefined;
  }
}
