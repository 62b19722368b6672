/**
 * The modules of a registry by key: the real path of a file, or the name that
 * was given for bytes.
 */

import { basename, dirname, join, resolve } from "../os/path.ts";
import { type CallsDrained, whenAll } from "../call/in_flight.ts";
import { attempt, ignore, LoadError } from "../errors/load_error.ts";
import { ExportIndex } from "./export_index.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { HomeTable } from "../module/keep/table.ts";
import type { Lifetime } from "../module/lifetime.ts";
import { pathOf, realPath, realPathAsync } from "../load/file/source.ts";
import type { StableExports } from "./reload/stable_exports.ts";
import type { ModuleVersion } from "../module/version.ts";

/** One module of a registry. */
export interface Entry {
  readonly key: string;
  /** Its exports over all versions; they know the current one. */
  readonly exports: StableExports;
  /** Earlier versions that are kept, oldest first. */
  readonly history: ModuleVersion[];
  /** The lifetimes of all versions that are not freed. */
  readonly lifetimes: Set<Lifetime>;
  /** The highest number that a version of the module has had. */
  highestNumber: number;
  /** Where its variables are; undefined before a reload keeps them. */
  homes: HomeTable | undefined;
  /** Whether a watch reloads it: then all its versions are kept, unless the registry sets a number. */
  isWatched: boolean;
}

/** Facts about the version that an image is of, which outlive the version. */
export interface ImageFacts {
  /** The module's path as it was asked for, or the name that was given for bytes. */
  readonly path: string;
  /** The version's number, which counts from 1. */
  readonly number: number;
  /** The real path of its file; undefined for bytes. */
  readonly file: string | undefined;
}

/** Whether a version has ended in which calls of a dead isolate may be running, and through it in others. */
interface LostCalls {
  exist: boolean;
}

/**
 * The modules of one registry, in load order.
 *
 * Versions' bodies, which outlive all references to their versions, get
 * listeners here. These refer to the catalog weakly: it leads to all versions,
 * so that otherwise none of a registry that a program has dropped would be
 * garbage collected.
 */
export class Catalog {
  readonly #entries = new Map<string, Entry>();
  readonly #exportIndex = new ExportIndex<Entry>();
  /** Keys by the paths that were asked for, to find a module whose file is gone. */
  readonly #keysByPath = new Map<string, string>();
  /** Keys that are names of bytes, not paths. */
  readonly #names = new Set<string>();
  /** The lifetimes of all versions and live libraries that are not freed, in load order. */
  readonly #lifetimes = new Set<Lifetime>();
  /** The images of all versions that are mapped. */
  readonly #images = new Map<Lifetime, LoadedImage>();
  readonly #facts = new WeakMap<LoadedImage, ImageFacts>();
  readonly #lost: LostCalls = { exist: false };
  readonly #weak = new WeakRef<Catalog>(this);

  /**
   * Settles when every call into any module that is in flight now has returned
   * or is lost; undefined if none is. Does not refer to the catalog.
   */
  readonly callsDrained: () => CallsDrained | undefined = drainOf(this.#lifetimes, this.#lost);

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Makes a key of a name that was given for bytes. */
  addName(name: string): string {
    this.#names.add(name);
    return name;
  }

  /** Whether a key is a name that was given for bytes: such a module has no file. */
  isNamed(key: string): boolean {
    return this.#names.has(key);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** The modules that may export a name, in load order. The caller asks each whether it does. */
  mayExport(name: string): Entry[] {
    return this.#exportIndex.candidates(name);
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** The lifetimes of everything that is not freed, in load order, unloaded modules included. */
  lifetimes(): Lifetime[] {
    return [...this.#lifetimes];
  }

  /** The images that are mapped, of all versions of all modules, unloaded ones included. */
  images(): Iterable<readonly [Lifetime, LoadedImage]> {
    return this.#images;
  }

  /** Returns the facts about the version that an image is of. */
  factsOf(image: LoadedImage): ImageFacts | undefined {
    return this.#facts.get(image);
  }

  /** The real path of a file; if the file is gone, the real path under which it was loaded. */
  keyOf(file: string): string {
    try {
      return this.#remember(file, realPath(file));
    } catch (error) {
      return this.#recall(file, error);
    }
  }

  /** Like {@linkcode Catalog.keyOf}, without blocking the event loop. */
  async keyOfAsync(file: string): Promise<string> {
    try {
      return this.#remember(file, await realPathAsync(file));
    } catch (error) {
      return this.#recall(file, error);
    }
  }

  /** The module at a path, URL or name; undefined if it is not loaded, whether or not its file exists. */
  find(path: string | URL): Entry | undefined {
    const file = pathOf(path);
    const named = this.#entries.get(file);
    if (named !== undefined) return named;
    try {
      return this.#entries.get(this.keyOf(file));
    } catch (error) {
      if (error instanceof LoadError && error.kind === "Io") return undefined;
      throw error;
    }
  }

  /**
   * Like {@linkcode Catalog.find}, but prefers the module that was loaded under
   * this path, even if the path leads to another file by now.
   */
  findLoaded(path: string | URL): Entry | undefined {
    const known = this.#keysByPath.get(pathOf(path));
    return (known === undefined ? undefined : this.#entries.get(known)) ?? this.find(path);
  }

  /** Enters a module. */
  add(key: string, exports: StableExports): Entry {
    const entry: Entry = {
      key,
      exports,
      history: [],
      lifetimes: new Set(),
      highestNumber: 1,
      homes: undefined,
      isWatched: false,
    };
    this.addVersion(entry, exports.version);
    this.#entries.set(key, entry);
    this.#exportIndex.add(entry);
    exports.whenReplaced(refresher(this.#weak, key));
    return entry;
  }

  /** Forgets a module and drops the earlier versions that were kept of it. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#exportIndex.delete(entry);
    for (const version of entry.history.splice(0)) version.closeHandleQuietly();
  }

  clear(): void {
    this.#entries.clear();
    this.#exportIndex.clear();
  }

  /** Lists something that must end with the registry, until it is freed. */
  addLifetime(lifetime: Lifetime): void {
    this.#lifetimes.add(lifetime);
    forgetWhenFreed(this.#lifetimes, lifetime, this.#lost);
  }

  /**
   * Lists a version of a module until it is freed, and forgets the module when
   * its current version ends. Holds no version: it may be garbage collected.
   */
  addVersion({ key, lifetimes }: Entry, version: ModuleVersion): void {
    const { lifetime } = version;
    this.addLifetime(lifetime);
    lifetimes.add(lifetime);
    const { image, path, number } = version;
    this.#images.set(lifetime, image);
    this.#facts.set(image, { path, number, file: this.isNamed(key) ? undefined : key });
    forgetImageWhenFreed(lifetimes, this.#images, lifetime);
    version.whenRevoked(forgetter(this.#weak, key, lifetime));
  }

  /** Forgets the module of a key if its current version is the one that has ended. */
  forgetEnded(key: string, lifetime: Lifetime): void {
    if (this.#entries.get(key)?.exports.version.lifetime === lifetime) this.delete(key);
  }

  /** Lists the names of a module's current version, which has replaced another. */
  refresh(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#exportIndex.refresh(entry);
  }

  #remember(file: string, key: string): string {
    this.#keysByPath.set(file, key);
    return key;
  }

  /** The key of a loaded module whose file is gone. Rethrows `error` if no spelling of the path is known. */
  #recall(file: string, error: unknown): string {
    const absolute = absoluteOf(file);
    if (absolute === undefined) throw error;
    for (
      const known of [
        this.#keysByPath.get(file),
        absolute,
        realParent(absolute),
        this.#keysByPath.get(absolute),
      ]
    ) {
      if (known !== undefined && this.#entries.has(known)) return known;
    }
    throw error;
  }
}

// The closures below are made outside the class, where they capture nothing but what they name.

function drainOf(lifetimes: ReadonlySet<Lifetime>, lost: LostCalls): () => CallsDrained | undefined {
  return () => {
    const waits: CallsDrained[] = [];
    for (const lifetime of lifetimes) {
      const wait = lifetime.callsDrained();
      if (wait !== undefined) waits.push(wait);
    }
    if (lost.exist) waits.push(Promise.resolve(false));
    return whenAll(waits);
  };
}

function forgetWhenFreed(lifetimes: Set<Lifetime>, lifetime: Lifetime, lost: LostCalls): void {
  lifetime.whenFreed(() => {
    lifetimes.delete(lifetime);
    if (lifetime.hasLostCalls) lost.exist = true;
  });
}

function forgetImageWhenFreed(
  lifetimes: Set<Lifetime>,
  images: Map<Lifetime, LoadedImage>,
  lifetime: Lifetime,
): void {
  lifetime.whenFreed(() => {
    lifetimes.delete(lifetime);
    if (!lifetime.staysMapped) images.delete(lifetime);
  });
}

function forgetter(catalog: WeakRef<Catalog>, key: string, lifetime: Lifetime): () => void {
  return () => catalog.deref()?.forgetEnded(key, lifetime);
}

function refresher(catalog: WeakRef<Catalog>, key: string): () => void {
  return () => catalog.deref()?.refresh(key);
}

/** The absolute path; undefined if it is relative and the working directory was deleted. */
function absoluteOf(path: string): string | undefined {
  try {
    return resolve(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The path with its directory resolved to the real one; the file itself need not exist. */
function realParent(path: string): string | undefined {
  return attempt(ignore, () => join(realPath(dirname(path)), basename(path)));
}
