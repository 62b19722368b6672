/**
 * Compiles and opens in one step, as a script wants it.
 */
import { callAtEdge } from "../errors/edge.ts";
import { checkOptions, kindOf, type OptionTable, RECORD, STRINGS } from "../errors/options.ts";
import { LoadError } from "../errors/load_error.ts";
import type { Definitions, SymbolsOf } from "../call/function_definition.ts";
import type { LiveLibrary } from "../module/live.ts";
import { LinkCache } from "../link/link_cache.ts";
import { join } from "../os/path.ts";
import { developmentHook } from "../registry/development.ts";
import { ModuleRegistry } from "../registry/registry.ts";
import { equalBytes } from "../smf/equal.ts";
import {
  build,
  BUILD_OPTIONS,
  type BuildOptions,
  type BuiltModule,
  foldersOf,
  sourcePaths,
  type Sources,
} from "./build.ts";
import { type CompiledLibrary, compiledLibrary } from "./compiled_library.ts";
import { leavesOutTypes } from "./dialects.ts";
import { type OpenedModule, openKept } from "./kept_module.ts";
import { replaceFile, within } from "./files.ts";
import { hashText } from "./object_cache.ts";
import type { SourceText } from "./request.ts";

/** How {@linkcode cc} builds and opens a module. */
export interface CcOptions<S extends Definitions = Definitions> extends BuildOptions {
  /**
   * Definitions of the exports to open, as for `Deno.dlopen`, or their names. Default: all exports, by the types that
   * the compiler tells; `tcc` and `cl` tell none.
   */
  readonly symbols?: S | readonly string[];
  /**
   * The registry that loads the module, with `imports` and `libraries` of the program. A module of the same sources
   * that it has loaded is reloaded, and keeps its state. Default: a registry of its own, which ends with the library.
   */
  readonly registry?: ModuleRegistry;
}

const CC_OPTIONS: OptionTable<CcOptions> = {
  ...BUILD_OPTIONS,
  symbols: kindOf(
    "an object of definitions or an array of names",
    (value) => RECORD.accepts(value) || STRINGS.accepts(value),
  ),
  registry: kindOf("a ModuleRegistry", (value) => value instanceof ModuleRegistry),
};

/**
 * Compiles sources, loads the module and opens its exports by the types that the compiler tells: no definitions are
 * needed.
 *
 * Permissions: those of {@linkcode build}, and `--allow-ffi`.
 *
 * Safety: compiled code may do anything that this process can do.
 *
 * Platforms: as for {@linkcode build}.
 *
 * @param source A file or several, or a text.
 * @throws {CompileError} if sources do not compile, with what the compilers print.
 * @throws {LoadError} As {@linkcode build}, {@linkcode ModuleRegistry.loadBytes} and {@linkcode ModuleRegistry.open}.
 *
 * @example An object, for which no compiler is needed
 * ```ts
 * import { cc } from "@simple/loader/build";
 * import { assertEquals } from "@std/assert";
 *
 * using typed = await cc("fixtures/c/typed.o", { cache: Deno.makeTempDirSync() });
 * assertEquals(typed.symbols.add(2, 3), 5);
 * ```
 *
 * @example Files
 * ```ts ignore
 * import { cc } from "@simple/loader/build";
 *
 * using counter = await cc("counter.c");
 * console.log(counter.symbols.count());
 * ```
 *
 * @example Text
 * ```ts ignore
 * import { cc } from "@simple/loader/build";
 *
 * const { symbols } = await cc`int add(int a, int b) { return a + b; }`;
 * console.log(symbols.add(2, 3)); // 5
 * ```
 */
export function cc<const S extends Definitions>(
  source: Sources | SourceText,
  options: CcOptions<S> & { readonly symbols: S },
): Promise<CompiledLibrary<SymbolsOf<S>>>;
/** Opens all exports, or those that are named. */
export function cc(source: Sources | SourceText, options?: CcOptions): Promise<CompiledLibrary>;
/** Compiles C from a template; escapes are those of C. */
export function cc(
  text: TemplateStringsArray,
  ...values: readonly (string | number | bigint)[]
): Promise<CompiledLibrary>;
// The implementation of all.
export function cc(
  source: Sources | SourceText | TemplateStringsArray,
  ...rest: readonly unknown[]
): Promise<CompiledLibrary<unknown>> {
  return callAtEdge(cc as (...args: never[]) => unknown, () => compileAndOpen(source, rest));
}

async function compileAndOpen(
  source: Sources | SourceText | TemplateStringsArray,
  rest: readonly unknown[],
): Promise<CompiledLibrary<unknown>> {
  const template = isTemplate(source);
  const options = (template ? {} : rest[0] ?? {}) as CcOptions;
  checkOptions("compile module", options, CC_OPTIONS);
  const { symbols, registry: given, ...how } = options;
  const text = template ? { text: String.raw(source, ...rest) } : isText(source) ? source : undefined;
  using undo = new DisposableStack();
  const owned = given === undefined ? undo.use(new ModuleRegistry()) : undefined;
  const registry = given ?? owned!;
  const hook = developmentHook();
  const open = (name: string, built: BuiltModule): LiveLibrary => openBuilt(registry, name, built, symbols);
  const opened = hook?.keptModule === undefined
    ? await openOwn(text === undefined ? source as Sources : await textFile(text, how), how, registry, open)
    : await openKept(hook, text ?? source as Sources, how, open);
  undo.move();
  const library = compiledLibrary({ ...opened, owned, opensAll: symbols === undefined });
  opened.created?.(library);
  return library;
}

/** Builds a module, loads it and opens it. */
async function openOwn(
  sources: Sources,
  how: BuildOptions,
  registry: ModuleRegistry,
  open: (name: string, built: BuiltModule) => LiveLibrary,
): Promise<OpenedModule> {
  const name = sourcePaths(sources).join(" ");
  let built = await build(sources, how);
  let { linkCache } = how;
  if (registry.modules().includes(name)) {
    registry.reload(name, { bytes: built.bytes, state: "keep-or-carry" });
  } else registry.loadBytes(name, built.bytes);
  return {
    library: open(name, built),
    source: {
      built: () => built,
      async rebuild() {
        // A library that nobody rebuilds keeps nothing.
        linkCache ??= new LinkCache();
        const next = await build(sources, { ...how, linkCache });
        const isSame = equalBytes(next.bytes, built.bytes);
        const carried = isSame
          ? undefined
          : registry.reload(name, { bytes: next.bytes, state: "keep-or-carry" }).carried;
        built = next;
        return carried;
      },
    },
  };
}

/** @throws {LoadError} As {@linkcode ModuleRegistry.open}. */
function openBuilt(
  registry: ModuleRegistry,
  name: string,
  { runs }: BuiltModule,
  symbols: CcOptions["symbols"],
): LiveLibrary {
  try {
    return registry.open(name, symbols as Definitions);
  } catch (error) {
    const { command: [program] = [] } = runs.find(({ command }) => leavesOutTypes(command)) ?? {};
    const needsTypes = symbols === undefined || Array.isArray(symbols);
    if (
      !(error instanceof LoadError) || error.kind !== "Unsupported" || program === undefined || !needsTypes
    ) {
      throw error;
    }
    throw new LoadError("Unsupported", `Cannot open module: ${program} tells no types of its exports`, {
      path: name,
      hint: "give definitions as the option `symbols`, or another compiler",
    }, { cause: error });
  }
}

function isTemplate(source: unknown): source is TemplateStringsArray {
  return Array.isArray(source) && "raw" in source;
}

function isText(source: Sources | SourceText): source is SourceText {
  return typeof source === "object" && "text" in source;
}

/** Writes a text to a file in the cache, named by its contents; the file's path, from the folder of the build. */
async function textFile({ text, language = "c" }: SourceText, options: BuildOptions): Promise<string> {
  const { folder, cache } = foldersOf(options);
  const name = join(cache, `text_${(await hashText(text)).slice(0, 16)}.${language}`);
  replaceFile(within(folder, name), new TextEncoder().encode(text));
  return name;
}
