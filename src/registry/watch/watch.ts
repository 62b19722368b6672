/**
 * File changes to reloads.
 *
 * Directories are watched, not files: so a rename over the file, a write in
 * place, deleting and creating it, and a link that is led elsewhere all count.
 */

import { dirname, join, parse, resolve, SEPARATOR_PATTERN } from "@std/path";
import type { CarryReport } from "../../module/carry.ts";
import { LoadError } from "../../errors.ts";
import type { FileFacts } from "../../load/file/stamp.ts";
import { fromSystem, readFile, wholeFile } from "../../load/file/source.ts";

/** What a watch does and reports. */
export interface WatchOptions {
  /**
   * The modules to watch, as they were loaded.
   *
   * @default all that are loaded
   */
  readonly paths?: readonly (string | URL)[];
  /**
   * Milliseconds without a change before a file is looked at, and between looks
   * at one that is not whole yet, of which there are {@linkcode LOOKS}.
   *
   * @default 50
   */
  readonly debounce?: number;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /**
   * Whether modules that are not marked RELOADABLE are reloaded too.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** What became of a changed file. */
export type WatchEvent =
  | {
    /** The new version runs. */
    readonly kind: "reloaded";
    /** The module, as it was loaded. */
    readonly path: string;
    /** The new version's number. */
    readonly version: number;
    /** How long the reload took, without waiting for the file. */
    readonly milliseconds: number;
    /** Milliseconds from when the change was noticed first until the new version ran. */
    readonly sinceChange: number;
    /** What became of the variables, with `state: "carry"`. */
    readonly carried: CarryReport | undefined;
  }
  | {
    /** The old version goes on. */
    readonly kind: "failed";
    /** The module, as it was loaded. */
    readonly path: string;
    /** Why: a `LoadError`, or what `migrate` or `verify` threw. */
    readonly error: unknown;
  }
  | {
    /** The file was touched, its contents are the same. */
    readonly kind: "unchanged";
    /** The module, as it was loaded. */
    readonly path: string;
  }
  | {
    /** The module is not marked RELOADABLE. */
    readonly kind: "skipped";
    /** The module, as it was loaded. */
    readonly path: string;
  };

/** How often a file that is not whole is looked at before the watch gives up on it. */
export const LOOKS = 20;

/** A module whose file is watched. */
export interface Watched {
  /** As it was asked for. */
  readonly path: string;
  /** Whether what runs was read from these bytes, of a file of which the system says `info`. */
  isLoaded(bytes: Uint8Array, info: FileFacts): boolean;
  /** Whether it may be reloaded. */
  mayReload(): boolean;
  /** Puts the new contents in place. */
  reload(bytes: Uint8Array): { readonly version: number; readonly carried: CarryReport | undefined };
}

interface Target {
  readonly watched: Watched;
  /** Every name whose change may change the file: its own, and those of links on the way to it. */
  names: ReadonlySet<string>;
  looks: number;
  /** When the change that is waited for was noticed first. */
  changed: number | undefined;
  /** Whether what its file holds could not be put in place. */
  failed: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Watches from now on, until the signal or the consumer ends it; leaves
 * nothing open.
 */
export function watchFiles(
  modules: readonly Watched[],
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, void> {
  const watch = new Watch(modules, options);
  const events = watch.events();
  const { return: leave } = events;
  // A generator that was never asked for anything would end without telling.
  events.return = async () => {
    await watch.stop();
    return await leave.call(events);
  };
  return events;
}

class Watch {
  readonly #targets: readonly Target[];
  readonly #queue = new EventQueue();
  readonly #debounce: number;
  readonly #signal: AbortSignal | undefined;
  readonly #watchers = new Map<string, Deno.FsWatcher>();
  readonly #pumps: Promise<void>[] = [];
  readonly #abort = (): void => void this.stop();
  #open = true;

  constructor(modules: readonly Watched[], { debounce = 50, signal }: WatchOptions) {
    this.#debounce = debounce;
    this.#signal = signal;
    this.#targets = signal?.aborted === true ? [] : modules.map((watched) => ({
      watched,
      names: new Set(),
      looks: 0,
      changed: undefined,
      failed: false,
      timer: undefined,
    }));
    if (signal?.aborted === true) {
      this.#close();
      return;
    }
    signal?.addEventListener("abort", this.#abort);
    try {
      for (const target of this.#targets) {
        this.#follow(target);
        // What changed before counts as well.
        if (!isCurrent(target)) this.#schedule(target);
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** What happens, until the end. */
  async *events(): AsyncGenerator<WatchEvent, void, void> {
    try {
      yield* this.#queue.drain();
    } finally {
      await this.stop();
    }
  }

  /** Ends everything; settles when nothing is left open. */
  async stop(): Promise<void> {
    this.#close();
    await Promise.all(this.#pumps);
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#signal?.removeEventListener("abort", this.#abort);
    for (const target of this.#targets) clearTimeout(target.timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#queue.end();
  }

  /** Watches the directories of all names of a target: of links, too, which may be led elsewhere. */
  #follow(target: Target): void {
    target.names = new Set(namesOf(target.watched.path));
    for (const name of target.names) {
      const directory = dirname(name);
      if (this.#watchers.has(directory) || name === directory) continue;
      const watcher = watchDirectory(directory, target.watched.path);
      this.#watchers.set(directory, watcher);
      this.#pumps.push(this.#pump(watcher));
    }
  }

  async #pump(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { paths } of watcher) {
      for (const target of this.#targets) {
        if (!paths.some((path) => target.names.has(path))) continue;
        target.looks = 0;
        this.#schedule(target);
      }
    }
  }

  #schedule(target: Target): void {
    clearTimeout(target.timer);
    // The last events of the system may come when the watch has ended.
    if (!this.#open) return;
    target.changed ??= performance.now();
    target.timer = setTimeout(() => {
      target.timer = undefined;
      const event = this.#examine(target);
      // What a reload runs may have ended the watch.
      if (!this.#open) return;
      if (event === "again") this.#schedule(target);
      else {
        target.changed = undefined;
        target.failed = event.kind === "failed";
        this.#queue.push(event);
        if (event.kind === "reloaded") this.#retryOthers(target);
      }
    }, this.#debounce);
  }

  /** What failed may have missed what another module has only now. */
  #retryOthers(reloaded: Target): void {
    for (const target of this.#targets) {
      if (target !== reloaded && target.failed && target.timer === undefined) this.#schedule(target);
    }
  }

  /** Looks at a file that may have changed. */
  #examine(target: Target): WatchEvent | "again" {
    const { watched } = target;
    const { path } = watched;
    let found: FoundFile;
    try {
      this.#follow(target);
      found = read(path);
    } catch (error) {
      // Between deleting and creating there is no file.
      return ++target.looks < LOOKS ? "again" : { kind: "failed", path, error };
    }
    const { bytes } = found;
    if (watched.isLoaded(bytes, found.info)) return { kind: "unchanged", path };
    if (!watched.mayReload()) return { kind: "skipped", path };
    const start = performance.now();
    try {
      const { version, carried } = watched.reload(bytes);
      const now = performance.now();
      const sinceChange = now - target.changed!;
      return { kind: "reloaded", path, version, milliseconds: now - start, sinceChange, carried };
    } catch (error) {
      // A file that is being written is not a module yet; one that is whole fails for good.
      const isUnfinished = error instanceof LoadError &&
        (error.kind === "InvalidFormat" || error.kind === "Io");
      return isUnfinished && ++target.looks < LOOKS ? "again" : { kind: "failed", path, error };
    }
  }
}

/** A file as it is now. */
interface FoundFile {
  readonly bytes: Uint8Array;
  readonly info: FileFacts;
}

/** @throws {LoadError} If there is none, it is no regular file, too large, or changes at this moment. */
function read(path: string): FoundFile {
  return readFile(path, function* (size, stamp) {
    return { bytes: yield* wholeFile(size), info: stamp!.info };
  });
}

/** @throws {LoadError} `PermissionDenied`; `Io` if the system cannot watch it. */
function watchDirectory(directory: string, path: string): Deno.FsWatcher {
  try {
    return Deno.watchFs(directory, { recursive: false });
  } catch (error) {
    throw fromSystem(error, path, { verb: "watch", needs: directory });
  }
}

/** Whether a module runs what its file holds now. */
function isCurrent({ watched }: Target): boolean {
  try {
    const { bytes, info } = read(watched.path);
    return watched.isLoaded(bytes, info);
  } catch {
    // Whoever looks again will say what is wrong.
    return false;
  }
}

/** More links than this on one path lead in a circle. */
const MAX_LINKS = 40;

/** The real path of every link on the way to a file, and of the file itself, whether or not it exists. */
function namesOf(path: string): string[] {
  const names: string[] = [];
  const follow = (path: string): string => {
    const absolute = resolve(path);
    const { root } = parse(absolute);
    let at = root;
    for (const part of absolute.slice(root.length).split(SEPARATOR_PATTERN)) {
      if (part === "") continue;
      at = join(at, part);
      const target = names.length < MAX_LINKS ? linkTarget(at) : undefined;
      if (target === undefined) continue;
      names.push(at);
      at = follow(resolve(dirname(at), target));
    }
    return at;
  };
  names.push(follow(path));
  return names;
}

/** Where a link leads; undefined if it is none, does not exist, or may not be looked at. */
function linkTarget(path: string): string | undefined {
  try {
    return Deno.lstatSync(path).isSymlink ? Deno.readLinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Events that wait for their consumer. */
class EventQueue {
  readonly #events: WatchEvent[] = [];
  #ended = false;
  #wake: () => void = () => {};

  push(event: WatchEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *drain(): AsyncGenerator<WatchEvent, void, void> {
    while (true) {
      while (this.#events.length > 0) yield this.#events.shift()!;
      if (this.#ended) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
