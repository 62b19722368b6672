/**
 * File changes to reloads.
 *
 * Directories are watched, not files: so a rename over the file, a write in
 * place, deleting and creating it, and a link that is led elsewhere all count.
 */

import { basename, dirname, resolve } from "@std/path";
import type { CarryReport } from "./carry.ts";
import { LoadError } from "./errors.ts";
import { MAX_FILE_SIZE } from "./source.ts";

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
    readonly path: string;
    /** The new version's number. */
    readonly version: number;
    /** How long the reload took, without waiting for the file. */
    readonly milliseconds: number;
    /** What became of the variables, with `state: "carry"`. */
    readonly carried: CarryReport | undefined;
  }
  | {
    /** The old version goes on. */
    readonly kind: "failed";
    readonly path: string;
    readonly error: unknown;
  }
  | {
    /** The file was touched, its contents are the same. */
    readonly kind: "unchanged";
    readonly path: string;
  }
  | {
    /** The module is not marked RELOADABLE. */
    readonly kind: "skipped";
    readonly path: string;
  };

/** How often a file that is not whole is looked at before the watch gives up on it. */
export const LOOKS = 20;

/** A module whose file is watched. */
export interface Watched {
  /** As it was asked for. */
  readonly path: string;
  /** Whether it may be reloaded. */
  mayReload(): boolean;
  /** Puts the new contents in place. */
  reload(bytes: Uint8Array): { readonly version: number; readonly carried: CarryReport | undefined };
}

interface Target {
  readonly watched: Watched;
  /** Every name under which the file can change: as asked for, and where links lead. */
  readonly names: Set<string>;
  contents: Uint8Array;
  looks: number;
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
  const { debounce = 50, signal } = options;
  const queue = new EventQueue();
  if (signal?.aborted === true) {
    queue.end();
    return queue.drain(() => Promise.resolve());
  }
  const targets = modules.map(targetOf);
  const names = targets.flatMap((target) => [...target.names]);
  const watcher = Deno.watchFs([...new Set(names.map((name) => dirname(name)))], { recursive: false });
  const schedule = (target: Target): void => {
    clearTimeout(target.timer);
    target.timer = setTimeout(() => {
      target.timer = undefined;
      const event = examine(target);
      if (event === "again") schedule(target);
      else queue.push(event);
    }, debounce);
  };
  const pump = (async () => {
    for await (const { paths } of watcher) {
      for (const target of targets) {
        if (!paths.some((path) => target.names.has(path))) continue;
        target.looks = 0;
        schedule(target);
      }
    }
  })();
  let open = true;
  const stop = (): void => {
    if (!open) return;
    open = false;
    signal?.removeEventListener("abort", stop);
    for (const target of targets) clearTimeout(target.timer);
    watcher.close();
    queue.end();
  };
  signal?.addEventListener("abort", stop);
  return queue.drain(() => {
    stop();
    return pump;
  });
}

function targetOf(watched: Watched): Target {
  const path = resolve(watched.path);
  const directory = Deno.realPathSync(dirname(path));
  return {
    watched,
    names: new Set([resolve(directory, basename(path)), Deno.realPathSync(path)]),
    contents: Deno.readFileSync(path),
    looks: 0,
    timer: undefined,
  };
}

/** Looks at a file that may have changed. */
function examine(target: Target): WatchEvent | "again" {
  const { watched } = target;
  const { path } = watched;
  let bytes: Uint8Array;
  try {
    const { size } = Deno.statSync(path);
    if (size > MAX_FILE_SIZE) {
      throw new LoadError("Io", "Cannot read module: the file is too large", { path, size });
    }
    bytes = Deno.readFileSync(path);
    target.names.add(Deno.realPathSync(path));
  } catch (error) {
    // Between deleting and creating there is no file.
    return ++target.looks < LOOKS ? "again" : { kind: "failed", path, error };
  }
  if (equalBytes(bytes, target.contents)) return { kind: "unchanged", path };
  if (!watched.mayReload()) return { kind: "skipped", path };
  const start = performance.now();
  try {
    const { version, carried } = watched.reload(bytes);
    target.contents = bytes;
    return { kind: "reloaded", path, version, milliseconds: performance.now() - start, carried };
  } catch (error) {
    // A file that is being written is not a module yet; one that is whole fails for good.
    const isUnfinished = error instanceof LoadError &&
      (error.kind === "InvalidFormat" || error.kind === "Io");
    return isUnfinished && ++target.looks < LOOKS ? "again" : { kind: "failed", path, error };
  }
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
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

  /** @param close Called when nobody takes events any more. */
  async *drain(close: () => Promise<void>): AsyncGenerator<WatchEvent, void, void> {
    try {
      while (true) {
        while (this.#events.length > 0) yield this.#events.shift()!;
        if (this.#ended) return;
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      await close();
    }
  }
}
