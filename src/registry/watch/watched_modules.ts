/**
 * The modules of a registry as a watch sees them.
 */
import { LoadError } from "../../errors/load_error.ts";
import { pathOf } from "../../load/file/source.ts";
import type { Entry } from "../catalog.ts";
import type { Loading } from "../loading.ts";
import type { Reloader } from "../reload/reloader.ts";
import type { TakeoverOptions } from "../reload/takeover.ts";
import { requireNoWait, type SafePointOptions } from "../reload/safe_point.ts";
import type { WatchEvent, WatchOptions } from "./options.ts";
import { type Watched, watchFiles } from "./watch.ts";
import { WatchedModule } from "./watched_module.ts";

/** Reloads modules whenever their files change, until the signal aborts or the registry ends. */
export function watchModules(
  loading: Loading,
  reloader: Reloader,
  options: WatchOptions & TakeoverOptions & Partial<SafePointOptions>,
): AsyncGenerator<WatchEvent, void, void> {
  const { catalog, ending } = loading;
  const entries = options.paths?.map((path) => requireFile(loading, path)) ??
    [...catalog.entries()].filter(({ key }) => !catalog.isNamed(key));
  const watched = entries.map((entry) => {
    entry.isWatched = true;
    return watchedEntry(entry, loading, reloader, options);
  });
  const signals = [ending.signal, ...options.signal === undefined ? [] : [options.signal]];
  const signal = AbortSignal.any(signals), { at, timeout } = options;
  if (at === undefined) requireNoWait("watch", { timeout });
  const atSafePoint = at &&
    (<T>(work: () => T) => loading.safePoints.run("reload module", work, { timeout, signal }));
  return watchFiles(watched, { ...options, signal, atSafePoint });
}

/** Lets a watch reload a module whenever its file changes. */
function watchedEntry(
  { key, exports }: Entry,
  loading: Loading,
  reloader: Reloader,
  options: WatchOptions & TakeoverOptions,
): Watched {
  const { path } = exports.version;
  const { catalog } = loading;
  return new WatchedModule({
    path,
    force: options.force === true,
    find: () => {
      const found = catalog.get(key) ?? catalog.findLoaded(path);
      return found === undefined || catalog.isNamed(found.key) ? undefined : found;
    },
    reload: (entry, bytes) => {
      loading.ending.requireOpen();
      entry.isWatched = true;
      return reloader.reload(
        [{ entry, options: { ...options, state: options.state ?? "keep-or-fresh" } }],
        ([order]) => [loading.read(entry.key, path, order.number, { bytes }, order)],
      )[0];
    },
  });
}

/**
 * Finds a module that was loaded from a file.
 *
 * @throws {LoadError} `Io` if the module is not loaded, or was loaded from bytes.
 */
function requireFile(loading: Loading, path: string | URL): Entry {
  const entry = loading.requireLoaded(path);
  if (!loading.catalog.isNamed(entry.key)) return entry;
  throw new LoadError("Io", "Cannot watch module: it was loaded from bytes", {
    path: pathOf(path),
    hint: "load the module from a file, or call reload with its new bytes",
  });
}
