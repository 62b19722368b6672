/**
 * The body of a version: everything that it owns. It outlives every reference
 * to the version, and nothing in it leads back to the `ModuleVersion`.
 */

import { LazySet } from "../os/lazy_collections.ts";
import { CallResources } from "../call/resources.ts";
import { CallGate } from "../call/gate.ts";
import { type CallsDrained, CallsInFlight, whenAll } from "../call/in_flight.ts";
import { ViewBuffers } from "../call/view/buffers.ts";
import type { LoadedImage } from "../load/loader.ts";
import { hasEnds, runFinalisers, runInitialisers } from "../load/start.ts";
import { StepTimer } from "../load/trace.ts";
import { abandon } from "../os/memory/deferred_release.ts";
import { Lifetime } from "./lifetime.ts";
import type { Attachment } from "./share/attachment.ts";
import { ControlOwner } from "./share/control.ts";
import type { TrampolineUsers } from "./share/trampoline_users.ts";
import { enterThread } from "../load/runtime/crash_report.ts";

/** The image of a version, its lifetime, and what has to go before the image does. */
export class VersionBody {
  readonly gate = new CallGate();
  readonly calls = new CallsInFlight((count) => {
    this.#attachment?.setInFlight(count);
    if (count === 0) this.lifetime.tryDrain();
  });
  readonly resources = new CallResources(enterThread);
  /** The buffers over its variables, which are detached before the memory goes. */
  readonly buffers = new ViewBuffers(() => {
    this.lifetime.suspect();
    this.#attachment?.lose();
  });
  readonly lifetime: Lifetime;
  readonly image: LoadedImage;
  /** In an isolate that does not own the module: its own attachment. */
  readonly #attachment: Attachment | undefined;
  /** In the isolate that owns the module, once it is shared. */
  #control: ControlOwner | undefined;
  /** In the current version of a module that is called through trampolines: who calls it. */
  #trampolineUsers: TrampolineUsers | undefined;
  /** Resources that refer to the image. */
  readonly #owned = new DisposableStack();
  readonly #revokedListeners = new LazySet<() => void>();
  /** Whether the initialisers have run, and the finalisers have not. */
  #isInitialised = false;

  constructor(image: LoadedImage, attachment?: Attachment) {
    this.image = image;
    this.#attachment = attachment;
    this.lifetime = new Lifetime(image.identity, {
      revoke: () => this.#revoke(),
      wasBound: () => this.resources.used,
      callsInFlight: () =>
        this.calls.count + (this.#control?.callsInFlight() ?? 0) +
        (this.#trampolineUsers?.callsInFlight() ?? 0),
      attachedIsolates: () =>
        (this.#control?.attachments() ?? 0) + (this.#trampolineUsers?.attachedIsolates() ?? 0),
      isShared: () => this.#control !== undefined || this.#trampolineUsers?.isShared === true,
      hasLostCalls: () =>
        // A buffer that was moved to another isolate reads the memory as a call there does.
        this.buffers.areLost || this.#control?.hasLostCalls === true ||
        this.#trampolineUsers?.hasLostCalls() === true,
      controls: () => this.#controls(),
      callsDrained: () => this.#callsDrained(),
      keepProcessAlive: () => {
        this.#control?.keepProcessAlive();
        this.#trampolineUsers?.keepProcessAlive();
      },
      finalise: () => this.#finalise(),
      free: () => this.#free(),
      keepMapped: () => this.#keepMapped(),
    });
  }

  /** Runs the module's initialisers; its finalisers are due from then on. */
  initialise(): void {
    const timer = new StepTimer(this.image.identity.trace);
    runInitialisers(this.image);
    this.#isInitialised = true;
    timer.done((milliseconds) => ({ kind: "start", milliseconds }));
  }

  /** Disposes of `resource` before the image's memory is freed; a failure is deferred. */
  own(resource: Disposable): void {
    this.#owned.adopt(resource, abandon);
  }

  /** Calls `listener` once, when the version is revoked. */
  whenRevoked(listener: () => void): void {
    this.#revokedListeners.add(listener);
  }

  /** The owner's side of sharing, made when it is first asked for. */
  shareControl(): ControlOwner {
    this.lifetime.suspect();
    return this.#control ??= new ControlOwner();
  }

  /** Counts the callers of trampolines as users of this version, until another version gets them. */
  addTrampolineUsers(users: TrampolineUsers): void {
    this.#trampolineUsers = users;
    this.lifetime.suspect();
    this.resources.used = true;
    users.whenIdle(() => this.lifetime.tryDrain());
  }

  /** Ends {@linkcode VersionBody.addTrampolineUsers}. */
  removeTrampolineUsers(users: TrampolineUsers): void {
    if (this.#trampolineUsers !== users) return;
    this.#trampolineUsers = undefined;
    if (this.#control === undefined && !this.buffers.areLost) this.lifetime.endSuspicion();
  }

  #controls(): ControlOwner[] {
    const users = this.#trampolineUsers;
    return [this.#control, users?.isShared === true ? users.control : undefined]
      .filter((control) => control !== undefined);
  }

  /** Revokes the version as soon as no other isolate uses it. */
  revokeWhenUnused(): void {
    const inUse = this.#controls().find((control) => control.attachments() > 0);
    if (inUse === undefined) {
      usedElsewhere.delete(this);
      this.lifetime.revokeQuietly();
    } else {
      usedElsewhere.add(this);
      inUse.whenEmpty(() => this.revokeWhenUnused());
    }
  }

  /** Settles when all calls that are in flight now have returned or are lost, in all isolates; undefined if there are none. */
  #callsDrained(): CallsDrained | undefined {
    const control = this.#control;
    const users = this.#trampolineUsers;
    // Most versions were never shared, and a reload asks all of them.
    if (this.calls.count === 0 && control === undefined && users === undefined) return undefined;
    return whenAll([this.calls.whenReturned(), users?.callsDrained(), control?.callsDrained()]);
  }

  #revoke(): void {
    this.gate.close();
    const threads = this.image.heldThreads?.drop() ?? "none";
    // Destructors of objects that know a thread must not run if it has not: that of a `std::thread` ends the process.
    if (threads === "running" || (threads === "ended" && hasEnds(this.image))) this.lifetime.pin();
    this.#control?.revoke(() => this.lifetime.tryDrain());
    this.#trampolineUsers?.revoke(() => this.lifetime.tryDrain());
    for (const listener of this.#revokedListeners) listener();
    this.buffers.endAll();
  }

  #finalise(): void {
    if (!this.#isInitialised) return;
    this.#isInitialised = false;
    runFinalisers(this.image);
  }

  /** The image goes last; if the system refuses its memory, a second call tries only that again. */
  #free(): void {
    // Revoking may have failed to, near the end of the stack.
    this.buffers.endAll();
    this.resources[Symbol.dispose]();
    this.#owned.dispose();
    this.image[Symbol.dispose]();
    const { identity, memory: { size } } = this.image;
    identity.trace?.({ kind: "free", size });
  }

  /** JavaScript lets go of the module; native code does not. */
  #keepMapped(): void {
    this.resources[Symbol.dispose]();
    pinned.add(this);
  }
}

/** Bodies whose memory stays until the process ends, with everything that they need. */
const pinned = new Set<VersionBody>();

/** Bodies that are unreachable in this isolate but in use by others. */
const usedElsewhere = new Set<VersionBody>();
