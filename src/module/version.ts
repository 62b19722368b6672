/**
 * One version of a module: its image, its lifetime, and its bound functions.
 *
 * A version consists of two objects, so that garbage collection can end it:
 *
 * ```text
 * handle ─┐
 * bound function ─┼─→ ModuleVersion ─→ VersionBody ─→ image, stub libraries
 * registry, importer ─┘                     ↑
 *                          FinalizationRegistry
 * ```
 *
 * Nothing in the body leads back to the {@linkcode ModuleVersion}. Once that is
 * unreachable, nobody can call the module any more, and the body is freed.
 */

import { Binder } from "../call/binder.ts";
import type { CallGate, CallOwner } from "../call/gate.ts";
import type { CallGuards } from "../call/guard.ts";
import type { CallsInFlight } from "../call/in_flight.ts";
import { LoadError } from "../errors/load_error.ts";
import type { Provider } from "../load/imports/resolve.ts";
import type { LoadedImage } from "../load/loader.ts";
import { CrashGuards, prepareGuards } from "../load/runtime/crash_guard.ts";
import { bindListener } from "./bind_listener.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import type { Lifetime } from "./lifetime.ts";
import { SymbolType } from "../smf/enums.ts";
import { attachImage, describeImage } from "./share/attach.ts";
import { type CanonicalAddress, type ModuleToken, openToken, sealToken } from "./share/token.ts";
import type { TrampolineUsers } from "./share/trampoline_users.ts";
import { VersionBody } from "./version_body.ts";
import { VersionViews } from "./views.ts";

const unreachable = new FinalizationRegistry<VersionBody>((body) => body.revokeWhenUnused());

/** An earlier version that stays because variables hold addresses in it. */
export interface PointedImage {
  readonly memory: ExecutableMemory;
  readonly lifetime: Lifetime;
  /** Why it stays, as `holders()` shows it. */
  readonly why: string;
}

/** A name in use whose declaration differs from the one that its users were made for. */
export interface ChangedUse {
  /** The export's name; more than once if its users were made for different declarations. */
  readonly name: string;
  /** The declaration in the version that the users were made for, as C writes it. */
  readonly before: string;
  /** The declaration in this version. */
  readonly after: string;
}

/** The addresses of a version's exports that stay the same over all versions. */
export interface CanonicalAddresses {
  /** Returns the address of a function; undefined for other names. */
  of(name: string): bigint | undefined;
  /** Counts a use of an export by its address until the result is disposed of; undefined for other names. */
  lease(name: string): Disposable | undefined;
  /** Returns the address of a function for other isolates, whose uses nobody counts. */
  share(name: string): bigint | undefined;
}

/** One version of a module, as handles and bound functions refer to it. */
export class ModuleVersion implements CallOwner {
  /** The path that was asked for, or the name that was given for bytes. */
  readonly path: string;
  /** Counts the versions of one module from 1. */
  readonly number: number;
  /** The other versions that its variables hold addresses in. */
  pointsInto: readonly PointedImage[] = [];
  /** The names in use that it declares in another way than their users were made for. */
  changedUses: readonly ChangedUse[] = [];
  /** The addresses of its exports over all versions; undefined before the version serves. */
  canonicalAddresses: CanonicalAddresses | undefined;
  readonly #body: VersionBody;
  readonly binder: Binder;
  /** The views of its variables. */
  readonly views: VersionViews;
  /** This version as its importers hold it. */
  readonly provider: Provider;
  #handles = 0;
  #token: ModuleToken | undefined;
  #guards: CallGuards | undefined;

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
    this.binder = new Binder(this, resources, bindListener(body.image.identity.trace));
    this.views = new VersionViews(this, body.buffers);
    unreachable.register(this, body);
  }

  /** Makes a version in the isolate that owns it, and takes over `image`. Its initialisers have not run yet. */
  static create(image: LoadedImage, path: string, number: number): ModuleVersion {
    return new ModuleVersion(new VersionBody(image), path, number);
  }

  /** Runs the module's initialisers. A failure ends the version. */
  start(): this {
    using undo = new DisposableStack();
    undo.defer(() => this.lifetime.revokeQuietly());
    this.#body.initialise();
    undo.move();
    return this;
  }

  /**
   * Attaches to a version that another isolate owns.
   *
   * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`.
   */
  static attach(token: unknown): ModuleVersion {
    const { module, control } = openToken(token);
    using undo = new DisposableStack();
    let body: VersionBody | undefined = undefined;
    const { image, attachment } = attachImage(module, control, {
      revoked: () => body?.lifetime.revokeQuietly(),
      callsInFlight: () => body?.calls.whenReturned(),
    });
    undo.use(image);
    body = new VersionBody(image, attachment);
    const version = new ModuleVersion(body, module.path, module.version, token as ModuleToken);
    const canonical = new Map(module.canonical.map(({ name, address }) => [name, address]));
    version.canonicalAddresses = {
      of: (name) => canonical.get(name),
      // The owner does not learn of leases in other isolates.
      lease: () => undefined,
      share: (name) => canonical.get(name),
    };
    undo.move();
    return version;
  }

  /**
   * Makes a token with which other isolates can attach.
   *
   * @throws {LoadError} `Closed`; `Unsupported` if the module cannot be shared.
   */
  share(): ModuleToken {
    this.lifetime.requireOpen();
    if (this.#token !== undefined) return this.#token;
    const { image } = this;
    const reason = image.whyNotShareable();
    if (reason !== undefined) {
      throw new LoadError("Unsupported", `Cannot share module: ${reason}`, {
        path: this.path,
        hint: LOAD_IN_EACH_ISOLATE,
      });
    }
    const { buffer } = this.#body.shareControl();
    return this.#token = sealToken(
      describeImage(image, this.path, this.number, this.#canonicalAddresses()),
      buffer,
    );
  }

  /** The canonical addresses of all exported functions, for other isolates. */
  #canonicalAddresses(): CanonicalAddress[] {
    const { canonicalAddresses, image: { file: { symbols } } } = this;
    const addresses: CanonicalAddress[] = [];
    for (let index = 0; canonicalAddresses !== undefined && index < symbols.length; index++) {
      if (!symbols.isExport(index) || symbols.type(index) !== SymbolType.Function) continue;
      const name = symbols.name(index), address = canonicalAddresses.share(name);
      if (address !== undefined) addresses.push({ name, address });
    }
    return addresses;
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

  /**
   * Makes guards in front of its functions.
   *
   * @throws {LoadError} `Unsupported` where a crash cannot become an exception.
   */
  guards(): CallGuards {
    if (this.#guards === undefined) {
      prepareGuards(this.image, this.path, this.number);
      this.#guards = new CrashGuards(this.path, 0n);
    }
    return this.#guards;
  }

  /** Disposes of `resource` before the version's memory is freed. */
  own(resource: Disposable): void {
    this.#body.own(resource);
  }

  /** Counts the callers of the module's trampolines as users of this version, which is the current one now. */
  addTrampolineUsers(users: TrampolineUsers): void {
    this.#body.addTrampolineUsers(users);
  }

  /** Ends {@linkcode ModuleVersion.addTrampolineUsers}: another version is the current one now. */
  removeTrampolineUsers(users: TrampolineUsers): void {
    this.#body.removeTrampolineUsers(users);
  }

  /** Calls `listener` once, when the version is revoked. */
  whenRevoked(listener: () => void): void {
    this.#body.whenRevoked(listener);
  }

  /** Whether handles on it are open. */
  get hasHandles(): boolean {
    return this.#handles > 0;
  }

  /** Counts a handle. */
  addHandle(): void {
    this.lifetime.requireOpen();
    this.#handles++;
  }

  /** Uncounts a handle; never ends the version. */
  releaseHandle(): void {
    this.#handles--;
  }

  /** Hands `count` handles on to the next version; never ends this one. */
  transferHandles(count: number, next: ModuleVersion): void {
    this.#handles -= count;
    next.#handles += count;
  }

  /**
   * Closes a handle; closing the last one revokes the version.
   *
   * @throws {LoadError} `Busy`, or what freeing the memory throws; then the
   * handle still counts, and closing it tries again.
   */
  closeHandle(): void {
    if (this.#handles === 1) {
      if (this.lifetime.state === "open") this.lifetime.requireIdle();
      this.lifetime.revoke();
    }
    this.#handles--;
  }

  /** Like {@linkcode ModuleVersion.closeHandle}, but revokes also a busy version, and settles when it is freed. */
  async closeHandleAsync(): Promise<void> {
    if (--this.#handles === 0) await this.lifetime.revokeAndWait();
  }

  /** Closes a handle on a version that is not the current one; the last one revokes it, without throwing. */
  closeHandleQuietly(): void {
    if (--this.#handles === 0) this.lifetime.revokeQuietly();
  }

  /** Like {@linkcode ModuleVersion.closeHandleQuietly}, on the current version, which stays while it has importers. */
  closeHandleUnlessImported(): void {
    if (--this.#handles === 0 && !this.lifetime.isImported()) this.lifetime.revokeQuietly();
  }
}

const LOAD_IN_EACH_ISOLATE =
  "load the module in each isolate that uses it, or load it without callbacks and without an allocator of your own";
