/**
 * The directories of a watch: each is watched by the system's notifications.
 * When another directory takes its place, it is watched anew, and looked at
 * regularly besides: Deno 2.9 sends no notifications for a path whose first
 * directory is gone.
 */

/** How often each directory is compared with the one that is watched, in milliseconds. */
const CHECK_INTERVAL = 250;

/** The listeners of {@linkcode WatchedDirectories}. */
export interface DirectoryEvents {
  /** Something has happened to these paths. */
  changed(paths: readonly string[]): void;
  /**
   * Another directory is at this path, or none. What happened to its files
   * meanwhile is not known.
   */
  replaced(directory: string): void;
  /** Called regularly for a directory that was replaced: its files may have changed without a notification. */
  unnoticed(directory: string): void;
}

/** One directory, and the one that is watched under its path. */
interface WatchedDirectory {
  readonly path: string;
  watcher: Deno.FsWatcher | undefined;
  /** The identity of the watched directory; undefined if it is gone. */
  identity: string | undefined;
  /** Whether notifications of it may be missing. */
  isReplaced: boolean;
}

/** A set of directories that are watched until it is disposed of. */
export class WatchedDirectories implements Disposable {
  readonly #events: DirectoryEvents;
  readonly #directories = new Map<string, WatchedDirectory>();
  readonly #pumps = new Set<Promise<void>>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(events: DirectoryEvents) {
    this.#events = events;
  }

  /**
   * Watches a directory, unless that happens already. If it cannot be watched
   * now, it is looked at regularly once it is there.
   *
   * @throws What `Deno.watchFs` throws, the first time.
   */
  add(path: string): void {
    if (this.#directories.has(path)) return;
    const directory = { path, watcher: undefined, identity: undefined, isReplaced: false };
    this.#directories.set(path, directory);
    // Notifications end without a word when a directory is renamed, or one above it.
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL);
    this.#watch(directory);
  }

  /** Settles when nothing is left open after disposing. */
  async ended(): Promise<void> {
    await Promise.all(this.#pumps);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const { watcher } of this.#directories.values()) watcher?.close();
    this.#directories.clear();
  }

  #watch(directory: WatchedDirectory): void {
    // Before it is watched: if it is replaced in between, the next check sees that.
    const identity = identityOf(directory.path);
    const watcher = Deno.watchFs(directory.path, { recursive: false });
    directory.watcher = watcher;
    directory.identity = identity;
    const pump = this.#pump(watcher).finally(() => this.#pumps.delete(pump));
    this.#pumps.add(pump);
  }

  async #pump(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { paths } of watcher) this.#events.changed(paths);
  }

  #check(): void {
    for (const directory of this.#directories.values()) {
      const { path } = directory;
      const identity = identityOf(path);
      if (identity === directory.identity) {
        if (directory.isReplaced) this.#events.unnoticed(path);
        continue;
      }
      directory.isReplaced = true;
      directory.watcher?.close();
      directory.watcher = undefined;
      try {
        if (identity !== undefined) this.#watch(directory);
      } catch {
        // It is looked at regularly.
      }
      directory.identity = identity;
      this.#events.replaced(path);
    }
  }
}

/** Tells directories at one path apart; undefined if there is none, or it may not be asked. */
function identityOf(path: string): string | undefined {
  try {
    // The time of birth, because the number of a directory that was removed is used again.
    const { dev, ino, birthtime } = Deno.statSync(path);
    return `${dev} ${ino} ${birthtime?.getTime()}`;
  } catch {
    return undefined;
  }
}
