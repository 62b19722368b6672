/**
 * Tells of changed files in some folders, which may be other ones each time.
 */
import { dirname } from "../../os/path.ts";

/** Milliseconds without a change before changes are told: editors write a file in several steps. */
const QUIET = 15;

/** A queue of changed paths. */
export class Changes implements Disposable {
  #watcher: Deno.FsWatcher | undefined;
  #folders: readonly string[] = [];
  #changed = new Map<string, number>();
  #wake: (() => void) | undefined;
  #ended = false;

  /**
   * Watches the folders of some files, in place of those of before.
   *
   * @param files Absolute paths without links on the way.
   */
  watch(files: readonly string[]): void {
    const folders = [...new Set(files.map(dirname))].filter(isFolder).sort();
    if (folders.join("\0") === this.#folders.join("\0") || this.#ended) return;
    this.#watcher?.close();
    this.#folders = folders;
    this.#watcher = Deno.watchFs(folders, { recursive: false });
    this.#listen(this.#watcher);
  }

  async #listen(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || kind === "any") continue;
      for (const path of paths) if (!this.#changed.has(path)) this.#changed.set(path, Date.now());
      this.#wake?.();
    }
  }

  /**
   * Adds files that have changed since a time, such as when their folders were not watched yet.
   *
   * @param present Files that were there at that time.
   * @param absent Paths that were not.
   */
  addMissed(time: number, present: readonly string[], absent: readonly string[]): void {
    for (const path of present) if ((modified(path) ?? Infinity) > time) this.#changed.set(path, Date.now());
    for (const path of absent) if (modified(path) !== undefined) this.#changed.set(path, Date.now());
  }

  /** Ends a wait for changes. */
  wake(): void {
    this.#wake?.();
  }

  /**
   * Waits for changes.
   *
   * @returns the changed paths, and when each was noticed, in milliseconds since 1970; empty if it was woken, or at the
   * end.
   */
  async next(): Promise<ReadonlyMap<string, number>> {
    if (this.#changed.size === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    for (let known = -1; known !== this.#changed.size && !this.#ended;) {
      known = this.#changed.size;
      if (known === 0) break;
      await new Promise((resolve) => setTimeout(resolve, QUIET));
    }
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#watcher?.close();
    this.#wake?.();
  }
}

/** When a file was modified, in milliseconds since 1970; undefined if there is none. */
function modified(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch {
    return undefined;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
