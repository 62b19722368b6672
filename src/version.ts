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

import { Binder, CallResources } from "./call/binder.ts";
import type { CallGate, CallOwner } from "./call/gate.ts";
import { isAddress } from "./image.ts";
import type { Provider } from "./imports/resolve.ts";
import { Lifetime } from "./lifetime.ts";
import type { LoadedImage } from "./loader.ts";
import type { SmfFile } from "./smf/file.ts";
import type { SmfSymbol } from "./smf/symbol.ts";
import { runFinalisers, runInitialisers } from "./start.ts";

/** What a version owns; outlives every way to reach it. */
class VersionBody {
  readonly gate: CallGate = { open: true, inFlight: 0 };
  readonly resources = new CallResources();
  readonly lifetime: Lifetime;
  readonly image: LoadedImage;
  /** What is told when the version is revoked, such as a registry that lists it. */
  readonly revoked = new Set<() => void>();

  constructor(image: LoadedImage, description: string) {
    this.image = image;
    this.lifetime = new Lifetime(description, {
      revoke: () => this.#revoke(),
      callsInFlight: () => this.gate.inFlight,
      free: () => this.#free(),
    });
  }

  #revoke(): void {
    this.gate.open = false;
    for (const tell of this.revoked) tell();
  }

  #finished = false;

  #free(): void {
    if (!this.#finished) runFinalisers(this.image);
    this.#finished = true;
    this.resources[Symbol.dispose]();
    this.image[Symbol.dispose]();
  }
}

const unreachable = new FinalizationRegistry<VersionBody>((body) => {
  try {
    body.lifetime.revoke();
  } catch {
    // Nobody is left to tell; the memory stays mapped and counted.
  }
});

/** One version of a module, as handles and bound functions know it. */
export class ModuleVersion implements CallOwner {
  /** As it was asked for, or the name that was given for bytes. */
  readonly path: string;
  /** Counts the versions of one module from 1. */
  readonly number: number;
  readonly #body: VersionBody;
  readonly binder: Binder;
  #handles = 0;

  /**
   * Takes over `image` and runs the module's initialisers.
   *
   * If one fails, the image is gone.
   */
  constructor(image: LoadedImage, path: string, number: number) {
    this.path = path;
    this.number = number;
    this.#body = new VersionBody(image, `module '${path}'`);
    const { lifetime } = this.#body;
    this.provider = {
      description: `module '${path}'`,
      hold: (importer) => lifetime.hold("importer", importer),
    };
    this.binder = new Binder(this, this.#body.resources);
    unreachable.register(this, this.#body);
    try {
      runInitialisers(image);
    } catch (error) {
      this.lifetime.revoke();
      throw error;
    }
  }

  /** This version as what others import from. */
  readonly provider: Provider;

  get image(): LoadedImage {
    return this.#body.image;
  }

  get gate(): CallGate {
    return this.#body.gate;
  }

  get lifetime(): Lifetime {
    return this.#body.lifetime;
  }

  closedError(name: string): Error {
    return this.lifetime.closedError(name);
  }

  settled(): void {
    this.lifetime.drain();
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
   * @throws {LoadError} `Busy`; then the handle counts on.
   */
  dropHandle(): void {
    if (this.#handles === 1 && this.lifetime.state === "open") this.lifetime.requireIdle();
    if (--this.#handles === 0) this.lifetime.revoke();
  }

  /** As {@linkcode ModuleVersion.dropHandle}, but revokes also what is busy; settles when it is freed. */
  async dropHandleAsync(): Promise<void> {
    if (--this.#handles === 0) await this.lifetime.freed();
  }
}

/** The symbol of that name that other modules may use, if it has an address. */
export function findExport(file: SmfFile, name: string): SmfSymbol | undefined {
  const symbol = file.symbols.findExport(name);
  return symbol !== undefined && isAddress(symbol.type) ? symbol : undefined;
}
