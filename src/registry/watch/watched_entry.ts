/**
 * A module of a registry as a watch sees it.
 */
import { LoadError } from "../../errors/load_error.ts";
import { pathOf } from "../../load/file/source.ts";
import type { Entry } from "../catalog.ts";
import type { Loading } from "../loading.ts";
import type { Reloader } from "../reload/reloader.ts";
import type { TakeoverOptions } from "../reload/takeover.ts";
import type { WatchOptions } from "./options.ts";
import type { Watched } from "./watch.ts";
import { WatchedModule } from "./watched_module.ts";

/** Lets a watch reload a module whenever its file changes. */
export function watchedEntry(
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
export function requireFile(loading: Loading, path: string | URL): Entry {
  const entry = loading.requireLoaded(path);
  if (!loading.catalog.isNamed(entry.key)) return entry;
  throw new LoadError("Io", "Cannot watch module: it was loaded from bytes", {
    path: pathOf(path),
    hint: "load the module from a file, or call reload with its new bytes",
  });
}
