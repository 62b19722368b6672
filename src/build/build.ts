/**
 * Builds modules: compiles sources, in parallel and only those that have changed, and links the objects.
 */
import { aboutArgument, callAtEdge } from "../errors/edge.ts";
import { LoadError } from "../errors/load_error.ts";
import {
  BOOLEAN,
  checkOptions,
  kindOf,
  NUMBER,
  type OptionTable,
  PATH,
  RECORD,
  SIGNAL,
  STRING,
  STRINGS,
} from "../errors/options.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../load/runtime/host.ts";
import { LinkCache } from "../link/link_cache.ts";
import { type LinkInput, linkReporting } from "../link/linker.ts";
import type { LinkMap } from "../link/map.ts";
import type { LinkOptions } from "../link/options.ts";
import type { LinkProgress } from "../link/progress.ts";
import { fromFileUrl } from "../os/path.ts";
import { parseSmf } from "../smf/file.ts";
import { type CompiledSource, type CompilerRun, compileSource } from "./compile.ts";
import { CompileError, type FailedSource } from "./compile_error.ts";
import { asLoadError, CACHE_FOLDER, makeCacheFolder, within } from "./files.ts";
import { neededLibraries, sourceKind } from "./languages.ts";
import { type Target, targetNamed } from "./targets.ts";

/** How {@linkcode build} makes a module. */
export interface BuildOptions {
  /**
   * The C and C++ compiler, with its first arguments: `clang`, `zig cc`, `["ccache", "gcc"]`. Default: the one that
   * the environment variable `CC` or `CXX` names, if it may be read; else the first of `cc`, `clang`, `gcc` and
   * `zig cc`, or of `c++`, `clang++`, `g++` and `zig c++`, and on Windows then `cl`, that is there and may be run.
   * `cl` and `clang-cl` get flags of their own, and so does `tcc`, which compiles C alone: C++ beside it is compiled
   * as if no compiler was named. The compilers of other languages are `rustc`, `cargo` and `zig`, or the ones that
   * `RUSTC`, `CARGO` and `ZIG` name.
   */
  readonly compiler?: string | readonly string[];
  /**
   * Flags for the compiler, behind the flags that modules need: `-O2 -g -fPIC -ffunction-sections -fdata-sections` for
   * C and C++, and the like for other compilers and languages.
   */
  readonly flags?: readonly string[];
  /**
   * The system to build for: `linux-x64`, `linux-arm64`, `macos-x64`, `macos-arm64` or `windows-x64`. On another
   * system C and C++ are then compiled with `zig cc`, or with `compiler`, which must make objects for that system;
   * Rust needs its standard library for it (`rustup target add`). Default: this system.
   */
  readonly target?: string;
  /** How the objects are linked. Default: `reloadable`, with the libraries that the languages need. */
  readonly link?: LinkOptions;
  /**
   * Keeps what the linker reads of objects, for builds that follow with the same cache: one for each module. Default:
   * nothing is kept in memory.
   */
  readonly linkCache?: LinkCache;
  /** The folder for objects that are used again. Default: `.smf` in `folder`. */
  readonly cache?: string | URL;
  /** The folder that relative paths start at, and that compilers run in. Default: the current one. */
  readonly folder?: string | URL;
  /** Whether compilers write their messages in colours. Default: false. */
  readonly color?: boolean;
  /** How many compilers run at once. Default: one for each processor. */
  readonly jobs?: number;
  /** Ends the compilers; the build rejects with the signal's reason then. */
  readonly signal?: AbortSignal;
}

/** A module as {@linkcode build} makes it. */
export interface BuiltModule {
  /** The module. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The link map. */
  readonly map: LinkMap;
  /** How each source was compiled, in the order of the sources: command, time, warnings. */
  readonly runs: readonly CompilerRun[];
  /** The files that the module is made of, with its headers but without headers of the system. */
  readonly dependencies: readonly string[];
  /**
   * The paths where a compiler would find another header, if one came to be there: of a header that is included as
   * `"by.h"` in other folders that are searched. A path may be that of a folder which is missing.
   */
  readonly absentHeaders: readonly string[];
  /** How long all compilers together kept the build waiting, and the linker. */
  readonly milliseconds: { readonly compile: number; readonly link: number };
}

const COMMAND = kindOf(
  "a command as a string or an array of strings",
  (value) => typeof value === "string" || STRINGS.accepts(value),
);

/** The checks of {@linkcode BuildOptions}. */
export const BUILD_OPTIONS: OptionTable<BuildOptions> = {
  compiler: COMMAND,
  flags: STRINGS,
  target: STRING,
  link: RECORD,
  linkCache: kindOf("a LinkCache", (value) => value instanceof LinkCache),
  cache: PATH,
  folder: PATH,
  color: BOOLEAN,
  jobs: NUMBER,
  signal: SIGNAL,
};

/** The sources of a module: a file, or several. */
export type Sources = string | URL | readonly (string | URL)[];

/**
 * Compiles sources and links them to a module. C, C++, assembly, Rust (a file, or a crate by its `Cargo.toml`) and
 * Zig may be mixed, and objects and archives be added; the name of a file says what it is.
 *
 * A source is compiled if it, a header that it includes, the compiler or a flag has changed since the objects in the
 * cache were made. Objects keep their debug information, so the module keeps the types of its exports.
 *
 * Permissions: `--allow-run` of the compiler, `--allow-read` of sources, headers and the cache, `--allow-write` of the
 * cache. Environment variables are read if `--allow-env` lets them.
 *
 * Platforms: a compiler must make ELF objects, or COFF objects for Windows, or Mach-O
 * objects for macOS. Tested on Linux.
 *
 * @throws {CompileError} if sources do not compile, with what the compilers print.
 * @throws {LoadError} `Unsupported` if there is no compiler; `PermissionDenied`; `Io` for a source that cannot be read;
 * all that `linkObjects` throws.
 * @throws {TypeError} for an option that is not one.
 *
 * @example
 * ```ts
 * import { build } from "@simple/loader/build";
 * import { assertEquals } from "@std/assert";
 *
 * const { bytes, runs } = await build("fixtures/c/arith.o", { cache: Deno.makeTempDirSync() });
 * assertEquals(bytes.subarray(0, 3), new TextEncoder().encode("SMF"));
 * assertEquals(runs[0].command, []); // an object needs no compiler
 * ```
 */
export function build(sources: Sources, options: BuildOptions = {}): Promise<BuiltModule> {
  return callAtEdge(build, () => buildReporting(sources, options));
}

/** Hears how far a build is. */
export interface BuildProgress {
  /** A source is compiled. */
  compiled(): void;
  /** The link has come so far. */
  readonly linking: LinkProgress;
}

/** Like {@linkcode build}; tells how far it is. */
export async function buildReporting(
  sources: Sources,
  options: BuildOptions,
  progress?: BuildProgress,
): Promise<BuiltModule> {
  checkOptions("build module", options, BUILD_OPTIONS);
  const { jobs = navigator.hardwareConcurrency, flags = [], color = false, compiler, signal } = options;
  const paths = sourcePaths(sources);
  const { folder, cache } = foldersOf(options);
  const target = options.target === undefined ? undefined : targetNamed(options.target);
  const isHere = target?.platform === HOST_PLATFORM && target?.arch === HOST_ARCH;
  const context = {
    ...(target !== undefined && !isHere && { target }),
    folder,
    cache,
    flags,
    color,
    ...(compiler !== undefined && { compiler }),
    ...(signal !== undefined && { signal }),
  };
  const start = performance.now();
  const compiled = await compileAll(paths, Math.max(1, jobs), async (path) => {
    const source = await compileSource(path, context);
    progress?.compiled();
    return source;
  });
  const compile = performance.now() - start;
  const kinds = paths.map(sourceKind);
  const { needed = [], ...link } = options.link ?? {};
  const linkStart = performance.now();
  const inputs = [...compiled.flatMap(({ inputs }) => inputs), ...readRuntimes(compiled)];
  const linkOptions = {
    reloadable: true,
    needed: [...new Set([...needed, ...neededLibraries(kinds, context.target)])],
    ...link,
  };
  const { file, map } = linkReporting(inputs, linkOptions, progress?.linking, options.linkCache);
  const bytes = file.join();
  if (target !== undefined) checkTarget(bytes, target);
  return {
    bytes,
    map: { ...map },
    runs: compiled.map(({ run }) => run),
    dependencies: [...new Set(compiled.flatMap(({ dependencies }) => dependencies))],
    absentHeaders: [...new Set(compiled.flatMap(({ absent }) => absent))],
    milliseconds: { compile, link: performance.now() - linkStart },
  };
}

/** The archives that code of the compilers needs besides, each once; the module does not export what they define. */
function readRuntimes(compiled: readonly CompiledSource[]): LinkInput[] {
  const paths = new Set(compiled.map(({ runtime }) => runtime).filter((path) => path !== undefined));
  return [...paths].map((name) => {
    try {
      return { name, bytes: Deno.readFileSync(name), excluded: true };
    } catch (error) {
      throw asLoadError(error, name);
    }
  });
}

/** @throws {LoadError} `Unsupported` if a module is for another system. */
function checkTarget(bytes: Uint8Array, { name, platform, arch }: Target): void {
  const { header } = parseSmf(bytes);
  if (header.platform === platform && header.arch === arch) return;
  throw new LoadError(
    "Unsupported",
    `Cannot build module for ${name}: its compiler makes objects for another system`,
    { hint: `give a compiler for ${name}, or none, so that zig cc is taken` },
  );
}

/** The folder that relative paths start at, and the one for objects, which is there then. */
export function foldersOf(
  { folder: base = ".", cache: objects = CACHE_FOLDER }: BuildOptions,
): { readonly folder: string; readonly cache: string } {
  const folder = pathOf(base), cache = pathOf(objects);
  makeCacheFolder(within(folder, cache));
  return { folder, cache };
}

/** The paths of sources. */
export function sourcePaths(sources: Sources): string[] {
  const list = typeof sources === "string" || sources instanceof URL ? [sources] : sources;
  if (!Array.isArray(list) || list.length === 0) {
    throw aboutArgument(
      new TypeError("Cannot build module: sources are not a path, a URL, or an array with at least one"),
    );
  }
  return list.map(pathOf);
}

function pathOf(path: string | URL): string {
  if (typeof path === "string") return path;
  if (!(path instanceof URL)) {
    throw aboutArgument(new TypeError("Cannot build module: a source is neither a path nor a URL"));
  }
  return fromFileUrl(path);
}

/** Compiles sources, some at once. The errors of all sources that do not compile are one error. */
async function compileAll(
  paths: readonly string[],
  jobs: number,
  compile: (path: string) => Promise<CompiledSource>,
): Promise<CompiledSource[]> {
  const compiled: CompiledSource[] = [];
  const failures: FailedSource[][] = paths.map(() => []);
  let next = 0, problem: unknown;
  const worker = async (): Promise<void> => {
    while (next < paths.length && problem === undefined) {
      const index = next++;
      try {
        compiled[index] = await compile(paths[index]);
      } catch (error) {
        if (error instanceof CompileError) failures[index].push(...error.failures);
        else problem ??= asLoadError(error, paths[index]);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, paths.length) }, worker));
  if (problem !== undefined) throw problem;
  if (failures.some(({ length }) => length > 0)) throw aboutArgument(new CompileError(failures.flat()));
  return compiled;
}
