/**
 * Reloads of modules that are named by their paths.
 */

import { checkReplacement } from "./integrity.ts";
import { pathOf } from "../load/file/source.ts";
import type { Loading } from "./loading.ts";
import type { LoadedModule } from "../module/handle.ts";
import type { ModuleVersion } from "../module/version.ts";
import type { ModuleSet } from "./module_set.ts";
import type { ReloadOptions } from "./options.ts";
import type { Exporter } from "./reload/exports.ts";
import type { Reloader } from "./reload/reloader.ts";
import type { TakeoverOptions } from "./reload/takeover.ts";

/** Reloads one module; one that is not loaded is loaded. */
export function reloadModule(
  modules: ModuleSet,
  loading: Loading,
  reloader: Reloader,
  path: string | URL,
  options: ReloadOptions,
): LoadedModule {
  const entry = loading.catalog.findLoaded(path);
  if (entry === undefined) {
    const { callPath, integrity, onCrash, pin } = options;
    const loadOptions = { callPath, integrity, onCrash, pin };
    return options.bytes === undefined
      ? modules.load(path, loadOptions)
      : modules.loadBytes(pathOf(path), options.bytes, loadOptions);
  }
  loading.expectCrashes(options);
  const file = pathOf(path);
  const [report] = reloader.reload(
    [{ entry, options }],
    ([order]) => [loading.read(entry.key, file, order.number, options, order)],
  );
  return loading.handle(entry, options, report);
}

/** Reloads several modules: all or none. */
export function reloadModules(
  loading: Loading,
  reloader: Reloader,
  paths: readonly (string | URL)[],
  options: TakeoverOptions,
): LoadedModule[] {
  const entries = paths.map((path) => loading.requireLoaded(path));
  const files = new Map(entries.map((entry, index) => [entry, pathOf(paths[index])]));
  const replacements = [...files.keys()].map((entry) => ({ entry, options }));
  const reports = reloader.reload(
    replacements,
    (orders) =>
      loading.loadTogether([...files].map(([entry, file], index) => {
        checkReplacement(entry, undefined);
        const { key, exports } = entry, { number, near, linked } = orders[index];
        const expose = (version: ModuleVersion): Exporter => exports.exposeCandidate(version);
        return { key, file, number, near, expose, sealed: linked };
      })),
  );
  const reportOf = new Map(replacements.map(({ entry }, index) => [entry, reports[index]]));
  return entries.map((entry) => loading.handle(entry, {}, reportOf.get(entry)));
}
