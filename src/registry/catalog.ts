/**
 * Which modules a registry has, by key: the real path of a file, or the name
 * that was given for bytes.
 */

import { basename, dirname, join, resolve } from "@std/path";
import { LoadError } from "../errors.ts";
import { ExportIndex } from "./export_index.ts";
import type { Lifetime } from "../module/lifetime.ts";
import { pathOf, realPath, realPathAsync } from "../load/file/source.ts";
import type { StableExports } from "./reload/stable_exports.ts";
import type { ModuleVersion } from "../module/version.ts";

/** One module of a registry. */
export interface Entry {
  readonly key: string;
  /** What others import from it, over all its versions. */
  readonly exports: StableExports;
  /** Earlier versions that are kept, oldest first. */
  readonly history: ModuleVersion[];
  /** Of all its versions that are not freed. */
  readonly lifetimes: Set<Lifetime>;
  /** The highest version number so far. */
  newest: number;
}

/** The modules of one registry, in load order. */
export class Catalog {
  readonly #entries = new Map<string, Entry>();
  readonly #exports = new ExportIndex<Entry>();
  /** Paths that were asked for, to find a module whose file is gone. */
  readonly #aliases = new Map<string, string>();
  /** Keys that are names of bytes, not paths. */
  readonly #names = new Set<string>();
  /** Of every version and live library whose memory is not freed, in load order. */
  readonly #lifetimes = new Set<Lifetime>();

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Makes a name for bytes a key. */
  name(name: string): string {
    this.#names.add(name);
    return name;
  }

  /** Whether a key is a name for bytes, so that there is no file. */
  isNamed(key: string): boolean {
    return this.#names.has(key);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** The modules that may export a name, in load order: whether one does, it knows itself. */
  mayExport(name: string): Entry[] {
    return this.#exports.candidates(name);
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** Of everything that has not come to its end, also of modules that were unloaded. */
  lifetimes(): Lifetime[] {
    return [...this.#lifetimes];
  }

  /** Settles when every call that is out now, of any module, has come back; undefined if none is. */
  callsDrained(): Promise<unknown> | undefined {
    const out: Promise<unknown>[] = [];
    for (const lifetime of this.#lifetimes) {
      const wait = lifetime.callsDrained();
      if (wait !== undefined) out.push(wait);
    }
    return out.length === 0 ? undefined : Promise.all(out);
  }

  /** The real path; of a file that is gone, the one that it had when it was loaded. */
  keyOf(file: string): string {
    try {
      return this.#remember(file, realPath(file));
    } catch (error) {
      return this.#recall(file, error);
    }
  }

  /** As {@linkcode Catalog.keyOf}, without blocking the event loop. */
  async keyOfAsync(file: string): Promise<string> {
    try {
      return this.#remember(file, await realPathAsync(file));
    } catch (error) {
      return this.#recall(file, error);
    }
  }

  /** The entry for a path, URL or name; undefined if it is not loaded, whether or not its file exists. */
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
   * As {@linkcode Catalog.find}, of the module that was loaded under this path,
   * also if the path leads to another file by now.
   */
  findLoaded(path: string | URL): Entry | undefined {
    const known = this.#aliases.get(pathOf(path));
    return (known === undefined ? undefined : this.#entries.get(known)) ?? this.find(path);
  }

  /** Enters a module. */
  add(key: string, exports: StableExports): Entry {
    const entry: Entry = { key, exports, history: [], lifetimes: new Set(), newest: 1 };
    this.watch(entry, exports.version);
    this.#entries.set(key, entry);
    this.#exports.add(entry);
    exports.whenReplaced(() => this.#exports.refresh(entry));
    return entry;
  }

  /** Forgets a module, and the earlier versions that were kept of it. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#exports.delete(entry);
    for (const version of entry.history.splice(0)) version.closeHandleQuietly();
  }

  clear(): void {
    this.#entries.clear();
    this.#exports.clear();
  }

  /** Lists something that must end with the registry, until it has. */
  addLifetime(lifetime: Lifetime): void {
    this.#lifetimes.add(lifetime);
    lifetime.whenFreed(() => this.#lifetimes.delete(lifetime));
  }

  /** Forgets a version when it ends, without holding it: it may end by garbage collection. */
  watch({ key, lifetimes }: Entry, version: ModuleVersion): void {
    const { lifetime } = version;
    this.addLifetime(lifetime);
    lifetimes.add(lifetime);
    lifetime.whenFreed(() => lifetimes.delete(lifetime));
    version.whenRevoked(() => {
      const entry = this.#entries.get(key);
      if (entry?.exports.version.lifetime === lifetime) this.delete(key);
    });
  }

  #remember(file: string, key: string): string {
    this.#aliases.set(file, key);
    return key;
  }

  /** The file is gone: under which of its paths is it known? */
  #recall(file: string, error: unknown): string {
    const absolute = resolve(file);
    for (
      const known of [this.#aliases.get(file), absolute, realParent(absolute), this.#aliases.get(absolute)]
    ) {
      if (known !== undefined && this.#entries.has(known)) return known;
    }
    throw error;
  }
}

/** A path whose folders are real ones, whether or not the file exists. */
function realParent(path: string): string | undefined {
  try {
    return join(realPath(dirname(path)), basename(path));
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
