/**
 * One version of a module: its image, its life, and its bound functions.
 *
 * Two objects, because garbage collection decides between them:
 *
 * ```text
 * handle ─┐
 * bound function ─┼─→ ModuleVersion ─→ VersionBody ─→ image, stub libraries
 * registry, importer ─┘                     ↑
 *                          FinalizationRegistry
 * ```
 *
 * Nothing in the body leads back to the {@linkcode ModuleVersion}. When that is
 * unreachable nobody can call the module any more, and the body is freed.
 */

import { Binder, CallResources } from "../call/binder.ts";
import { CallGate, type CallOwner } from "../call/gate.ts";
import { CallsInFlight, whenAll } from "../call/in_flight.ts";
import { LoadError } from "../errors.ts";
import { registerFrames } from "../load/runtime/unwind_registration.ts";
import type { Provider } from "../load/imports/resolve.ts";
import { Lifetime } from "./lifetime.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import { attachImage, describeImage } from "./share/attach.ts";
import type { Attachment } from "./share/attachment.ts";
import { ControlOwner } from "./share/control.ts";
import type { TrampolineUsers } from "./share/trampoline_users.ts";
import { type ModuleToken, openToken, sealToken } from "./share/token.ts";
import { runFinalisers, runInitialisers } from "../load/start.ts";

/** What a version owns; outlives every way to reach it. */
class VersionBody {
  readonly gate = new CallGate();
  readonly calls = new CallsInFlight((count) => {
    this.attachment?.setInFlight(count);
    if (count === 0) this.lifetime.tryDrain();
  });
  readonly resources = new CallResources();
  readonly lifetime: Lifetime;
  readonly image: LoadedImage;
  /** In an isolate that does not own the module: its place among the attached ones. */
  readonly attachment: Attachment | undefined;
  /** In the isolate that owns it, once it is shared. */
  control: ControlOwner | undefined;
  /** In the current version of a module that is called through trampolines: who calls it. */
  live: TrampolineUsers | undefined;
  /** What lies beside the image and goes with it. */
  readonly belongings: Disposable[] = [];
  /** What is told when the version is revoked, such as a registry that lists it. */
  readonly revoked = new Set<() => void>();
  /** Whether the initialisers have run, and the finalisers not yet. */
  owesFinalisers = false;

  constructor(image: LoadedImage, attachment?: Attachment) {
    this.image = image;
    this.attachment = attachment;
    this.lifetime = new Lifetime(image.identity, {
      revoke: () => this.#revoke(),
      wasBound: () => this.resources.used,
      callsInFlight: () =>
        this.calls.count + (this.control?.callsInFlight() ?? 0) + (this.live?.callsInFlight() ?? 0),
      otherIsolates: () => (this.control?.attachments() ?? 0) + (this.live?.isolates() ?? 0),
      isShared: () => this.control !== undefined || this.live?.isShared === true,
      passed: () => this.#passed(),
      awaited: () => {
        this.control?.keepAlive();
        this.live?.keepAlive();
      },
      finish: () => this.#finish(),
      free: () => this.#free(),
      keep: () => this.#keep(),
    });
  }

  /** Ends it as soon as no other isolate uses it. */
  revokeWhenLeft(): void {
    const users = [this.control, this.live?.isShared ? this.live.control : undefined];
    const used = users.find((control) => control !== undefined && control.attachments() > 0);
    if (used === undefined) {
      left.delete(this);
      this.lifetime.revokeQuietly();
    } else {
      left.add(this);
      used.whenEmpty(() => this.revokeWhenLeft());
    }
  }

  /** Settles when every call that is out now has come back, in all isolates; undefined if none can be. */
  #passed(): Promise<unknown> | undefined {
    const { control, live } = this;
    // Most versions were never shared: a reload asks all of them.
    if (this.calls.count === 0 && control === undefined && live === undefined) return undefined;
    const waits = [this.calls.whenReturned(), live?.passed()];
    if (control !== undefined && control.attachments() > 0) {
      waits.push(new Promise<void>((resolve) => control.advance(resolve)));
    }
    return whenAll(waits);
  }

  #revoke(): void {
    this.gate.close();
    this.control?.revoke(() => this.lifetime.tryDrain());
    this.live?.revoke(() => this.lifetime.tryDrain());
    for (const tell of this.revoked) tell();
  }

  #finish(): void {
    if (!this.owesFinalisers) return;
    this.owesFinalisers = false;
    runFinalisers(this.image);
  }

  #free(): void {
    this.resources[Symbol.dispose]();
    while (this.belongings.length > 0) {
      this.belongings.at(-1)![Symbol.dispose]();
      this.belongings.pop();
    }
    this.image[Symbol.dispose]();
  }

  /** JavaScript lets go of it; native code does not. */
  #keep(): void {
    this.resources[Symbol.dispose]();
    pinned.add(this);
  }
}

/** Bodies whose memory stays, and all that they need, until the process ends. */
const pinned = new Set<VersionBody>();

const unreachable = new FinalizationRegistry<VersionBody>((body) => body.revokeWhenLeft());

/** Bodies that nobody can reach here, but other isolates can. */
const left = new Set<VersionBody>();

/** Another version, which stays for addresses in variables. */
export interface PointedImage {
  readonly memory: ExecutableMemory;
  readonly lifetime: Lifetime;
  /** For people. */
  readonly why: string;
}

/** One version of a module, as handles and bound functions know it. */
export class ModuleVersion implements CallOwner {
  /** As it was asked for, or the name that was given for bytes. */
  readonly path: string;
  /** Counts the versions of one module from 1. */
  readonly number: number;
  /** What its variables hold addresses in beside itself. */
  pointsInto: readonly PointedImage[] = [];
  readonly #body: VersionBody;
  readonly binder: Binder;
  /** This version as what others import from. */
  readonly provider: Provider;
  #handles = 0;
  #token: ModuleToken | undefined;

  /** Takes over `image`. */
  private constructor(body: VersionBody, path: string, number: number, token?: ModuleToken) {
    this.path = path;
    this.number = number;
    this.#body = body;
    this.#token = token;
    const { lifetime, resources } = body;
    this.provider = {
      description: body.image.identity.description,
      hold: (importer) => lifetime.holdFor(importer),
    };
    this.binder = new Binder(this, resources);
    unreachable.register(this, body);
  }

  /** A version in the isolate that owns it, before its initialisers have run. */
  static create(image: LoadedImage, path: string, number: number): ModuleVersion {
    return new ModuleVersion(new VersionBody(image), path, number);
  }

  /** Tells the unwinder about the module, once it is linked. If that fails, the version has ended. */
  registerFrames(): this {
    try {
      const frames = registerFrames(this.image);
      if (frames !== undefined) this.own(frames);
    } catch (error) {
      this.lifetime.revokeQuietly();
      throw error;
    }
    return this;
  }

  /** Runs the module's initialisers. If one fails, the version has ended. */
  start(): this {
    try {
      runInitialisers(this.image);
      this.#body.owesFinalisers = true;
    } catch (error) {
      this.lifetime.revokeQuietly();
      throw error;
    }
    return this;
  }

  /**
   * A version that another isolate owns.
   *
   * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`.
   */
  static attach(token: unknown): ModuleVersion {
    const { module, control } = openToken(token);
    let body: VersionBody | undefined = undefined;
    const { image, attachment } = attachImage(module, control, {
      revoked: () => body?.lifetime.revokeQuietly(),
      callsOut: () => body?.calls.whenReturned(),
    });
    body = new VersionBody(image, attachment);
    return new ModuleVersion(body, module.path, module.version, token as ModuleToken);
  }

  /**
   * A token with which other isolates can attach.
   *
   * @throws {LoadError} `Closed`; `Unsupported` if the module cannot be shared.
   */
  share(): ModuleToken {
    this.lifetime.requireOpen();
    if (this.#token !== undefined) return this.#token;
    const { image } = this;
    const reason = image.whyNotShareable();
    if (reason !== undefined) {
      throw new LoadError("Unsupported", `Cannot share module: ${reason}`, { path: this.path });
    }
    const control = this.#body.control ??= new ControlOwner();
    return this.#token = sealToken(describeImage(image, this.path, this.number), control.buffer);
  }

  get image(): LoadedImage {
    return this.#body.image;
  }

  get gate(): CallGate {
    return this.#body.gate;
  }

  get calls(): CallsInFlight {
    return this.#body.calls;
  }

  get lifetime(): Lifetime {
    return this.#body.lifetime;
  }

  closedError(name: string): Error {
    return this.lifetime.closedError(name);
  }

  /** Disposes of `belonging` when the version's memory is freed. */
  own(belonging: Disposable): void {
    this.#body.belongings.push(belonging);
  }

  /** Functions of it are called through trampolines, unseen by its own bindings. */
  serveLive(use: TrampolineUsers): void {
    this.#body.live = use;
    this.#body.resources.used = true;
    const { lifetime } = this.#body;
    use.whenIdle(() => lifetime.tryDrain());
  }

  /** Another version serves from now on. */
  endLive(use: TrampolineUsers): void {
    if (this.#body.live !== use) return;
    this.#body.live = undefined;
  }

  /** Takes `count` handles away, and hands them on to the next version if there is one; ends nothing. */
  moveHandles(count: number, next?: ModuleVersion): void {
    this.#handles -= count;
    if (next !== undefined) next.#handles += count;
  }

  /** Gives back a handle on a version that is no longer the current one. */
  dropKept(): void {
    if (--this.#handles === 0) this.lifetime.revokeQuietly();
  }

  /** Gives back a handle on the current version, which stays for its importers if there are any. */
  dropLive(): void {
    if (--this.#handles === 0 && !this.lifetime.isImported()) this.lifetime.revokeQuietly();
  }

  /** Whether handles on it are open. */
  get hasHandles(): boolean {
    return this.#handles > 0;
  }

  /** Calls `tell` once, when the version is revoked. */
  whenRevoked(tell: () => void): void {
    this.#body.revoked.add(tell);
  }

  /** Counts a handle. */
  addHandle(): void {
    this.lifetime.requireOpen();
    this.#handles++;
  }

  /**
   * Gives a handle back; the last one revokes.
   *
   * @throws {LoadError} `Busy`, or what freeing the memory throws; then the
   * handle counts on, and giving it back tries again.
   */
  dropHandle(): void {
    if (this.#handles === 1) {
      if (this.lifetime.state === "open") this.lifetime.requireIdle();
      this.lifetime.revoke();
    }
    this.#handles--;
  }

  /** As {@linkcode ModuleVersion.dropHandle}, but revokes also what is busy; settles when it is freed. */
  async dropHandleAsync(): Promise<void> {
    if (--this.#handles === 0) await this.lifetime.freed();
  }
}
