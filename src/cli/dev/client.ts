/**
 * The part of `smf dev` in the program: a file that Deno runs before the program's first starts it. It hears of each
 * registry, and reloads its modules when the parent has built them anew. Its timer keeps no program alive.
 */
import type { LoadError } from "../../errors/load_error.ts";
import type { LoadedModule } from "../../module/handle.ts";
import { DEVELOPMENT_HOOK, type DevelopmentHook } from "../../registry/development.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import { KeptModules } from "./kept_modules.ts";
import { type BuildNote, type ClientSettings, INTERVAL, type WatchedFile } from "./notes.ts";
import { crashLines, failureLines, reloadLines } from "./report.ts";

/** The registries that are open. A program may drop one, and go on calling the functions of its modules. */
const registries = new Set<ModuleRegistry>();

/** Hears of registries from now on, and reloads the modules whose files change. */
export function reloadChangedModules({ manifest, restarts, onCrash, ...how }: ClientSettings): void {
  const kept = new KeptModules(manifest, restarts);
  (globalThis as { [DEVELOPMENT_HOOK]?: DevelopmentHook })[DEVELOPMENT_HOOK] = {
    keepVersions: Infinity,
    onCrash,
    opened(registry, end) {
      registries.add(registry as ModuleRegistry);
      end.addEventListener("abort", () => registries.delete(registry as ModuleRegistry));
    },
    keptModule: (wanted) => kept.find(wanted),
  };
  const timer = setInterval(() => {
    for (const file of kept.changed()) reload(file, how, () => kept.reloaded(file.path));
  }, INTERVAL);
  Deno.unrefTimer(timer);
  addEventListener("error", (event) => {
    if (goesOn(event.error, kept.files, how)) event.preventDefault();
  });
  addEventListener("unhandledrejection", (event) => {
    if (goesOn(event.reason, kept.files, how)) event.preventDefault();
  });
}

/** How modules are reloaded, and failures shown. */
type How = Omit<ClientSettings, "manifest" | "restarts" | "onCrash">;

/** Whether the program can go on after an error that nobody has caught: a crash, whose module has an earlier version. */
function goesOn(error: unknown, files: readonly WatchedFile[], how: How): boolean {
  if (!isCrash(error)) return false;
  const file = files.find(({ path }) => path === realPath(error.data.path));
  if (file === undefined) return false;
  let canGoOn = false;
  for (const registry of registries) {
    if (!registry.modules().includes(file.path)) continue;
    canGoOn = goesBack(registry, file, error, how);
    if (!canGoOn) break;
  }
  return canGoOn;
}

/** Goes back to the version before the current one if that has crashed. Returns whether the current one has not. */
function goesBack(
  registry: ModuleRegistry,
  { name, path }: WatchedFile,
  error: LoadError,
  { state, format }: How,
): boolean {
  using current = registry.load(path);
  const { version, isQuarantined } = current;
  // Another call has crashed as well, whose error came first.
  if (!isQuarantined) return true;
  try {
    using earlier = registry.rollback(path, { state });
    complain(crashLines(name, version, earlier.version, error, format));
    return true;
  } catch {
    // There is none, or it cannot serve: the program ends as without this tool.
    return false;
  }
}

/** The program may have loaded this package from another place, so that its class is another one. */
function isCrash(error: unknown): error is LoadError {
  return error instanceof Error && error.name === "LoadError" && (error as LoadError).kind === "Crashed";
}

function realPath(path: string | undefined): string | undefined {
  try {
    return path && Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

function complain(lines: readonly string[]): void {
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
}

/** Ends the wait of a file's reload for a safe point, by its path. */
const waits = new Map<string, AbortController>();

/** Reloads a module in each registry that has loaded it, and tells of each reload. */
function reload(file: WatchedFile, how: How, reloaded: () => void): void {
  const { name, path, note } = file;
  // Its file is read when the reload is made: one that still waits would make the same.
  waits.get(path)?.abort();
  const wait = new AbortController();
  waits.set(path, wait);
  for (const registry of registries) {
    if (!registry.modules().includes(path)) continue;
    const start = performance.now();
    const done = (module: LoadedModule): void => {
      const taken = performance.now() - start;
      const built: BuildNote = JSON.parse(Deno.readTextFileSync(note));
      complain(reloadLines(name, module, built, taken, Date.now()));
      module.close();
      reloaded();
    };
    const failed = (error: unknown): void => {
      if (!wait.signal.aborted) complain(failureLines(name, error, path, how.format));
    };
    const { state, when: { at, timeout } } = how;
    if (at !== undefined) {
      registry.reload(path, { state, at, signal: wait.signal, ...timeout !== undefined && { timeout } })
        .then(done, failed);
      continue;
    }
    let module: LoadedModule;
    try {
      module = registry.reload(path, { state });
    } catch (error) {
      failed(error);
      continue;
    }
    done(module);
  }
}
