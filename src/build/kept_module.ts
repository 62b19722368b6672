/**
 * Modules of a program that `smf dev` runs: it has compiled them already, and does so again whenever a source changes.
 */
import { LoadError } from "../errors/load_error.ts";
import type { LiveLibrary } from "../module/live.ts";
import type { DevelopmentHook } from "../registry/development.ts";
import type { BuildOptions, BuiltModule, Sources } from "./build.ts";
import { type CompiledLibrary, type LibrarySource, openAdded } from "./compiled_library.ts";
import { moduleRequest, type SourceText } from "./request.ts";

/** A module that was opened. */
export interface OpenedModule {
  readonly library: LiveLibrary;
  readonly source: LibrarySource;
  /** Hears of the library that was made of it. */
  readonly created?: (library: CompiledLibrary<unknown>) => void;
}

/**
 * Opens the module that the tool keeps built for these sources and options.
 *
 * @throws {LoadError} `Unsupported` if it keeps none.
 */
export async function openKept(
  hook: DevelopmentHook,
  source: Sources | SourceText,
  options: BuildOptions,
  open: (name: string, built: BuiltModule) => LiveLibrary,
): Promise<OpenedModule> {
  const kept = await hook.keptModule!(moduleRequest(source, options));
  if ("problem" in kept) {
    throw new LoadError("Unsupported", `Cannot compile module: ${kept.problem}`, { hint: kept.hint });
  }
  const { path } = kept;
  const built = (): BuiltModule => ({
    ...kept.facts() as Omit<BuiltModule, "bytes">,
    get bytes(): Uint8Array<ArrayBuffer> {
      return Deno.readFileSync(path);
    },
  });
  return {
    library: open(path, built()),
    source: { built, rebuild: () => Promise.resolve(undefined) },
    created: (library) => kept.onReload(() => openAdded(library)),
  };
}
