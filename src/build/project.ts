/**
 * The native modules of a project, as its configuration lists them: `smf.json`, or the field `smf` of `deno.json`.
 *
 * ```json
 * { "smf": { "counter": { "sources": ["counter.c"], "flags": ["-Iinclude"] } } }
 * ```
 */
import { LoadError } from "../errors/load_error.ts";
import { checkOptions, type OptionTable, RECORD, STRING, STRINGS } from "../errors/options.ts";
import { LINK_OPTIONS, type LinkOptions } from "../link/options.ts";
import { dirname, join, resolve } from "../os/path.ts";
import {
  BUILD_OPTIONS,
  type BuildOptions,
  type BuildProgress,
  buildReporting,
  type BuiltModule,
} from "./build.ts";
import { asLoadError, CACHE_FOLDER, hasBytes, replaceFile, within } from "./files.ts";
import { hostTarget } from "./targets.ts";

/** One module of a project, as it is written in the configuration. Paths start at the configuration's folder. */
export interface ModuleSettings {
  /** The files that it is made of. `{target}` in a path stands for the system that is built for: `linux-x64`. */
  readonly sources: readonly string[];
  /** Flags for the compiler. Default: none. */
  readonly flags?: readonly string[];
  /** The C and C++ compiler. Default: the first that is found. */
  readonly compiler?: string | readonly string[];
  /** How the objects are linked. Default: `reloadable`. */
  readonly link?: LinkOptions;
  /** The module's file. Default: `.smf/NAME.smf`. */
  readonly output?: string;
  /** A file of TypeScript definitions, as `smf types` writes them. Default: none. */
  readonly types?: string;
}

/** The checks of {@linkcode ModuleSettings}, which `smf.schema.json` repeats for editors. */
export const MODULE_SETTINGS: OptionTable<ModuleSettings> = {
  sources: STRINGS,
  flags: STRINGS,
  compiler: BUILD_OPTIONS.compiler,
  link: RECORD,
  output: STRING,
  types: STRING,
};

/** One module of a project. */
export interface ProjectModule extends ModuleSettings {
  readonly name: string;
  /** The module's file, from the project's folder. */
  readonly output: string;
}

/** The modules that a configuration lists. */
export interface Project {
  /** The path of the configuration. */
  readonly path: string;
  /** Its folder. */
  readonly folder: string;
  readonly modules: readonly ProjectModule[];
}

/** The files that may list modules, in the order in which they are tried. */
const PROJECT_FILES = ["smf.json", "deno.json"];

/**
 * Finds the configuration that lists modules, in a folder or the nearest one above that may be read.
 *
 * @returns its path; undefined if there is none.
 */
export function findProject(folder: string): string | undefined {
  for (let at = resolve(folder), below = ""; at !== below; [at, below] = [dirname(at), at]) {
    for (const name of PROJECT_FILES) {
      const path = join(at, name);
      // A user who allows the project alone is not asked for the folders above it.
      if (below !== "" && !mayRead(path)) return undefined;
      const value = readJson(path);
      if (value !== undefined && (name !== "deno.json" || isRecord(value) && "smf" in value)) return path;
    }
  }
  return undefined;
}

/**
 * Reads a configuration.
 *
 * @throws {LoadError} `Io`, `PermissionDenied`; `InvalidFormat` if it is not JSON, or lists no modules as it should.
 */
export function readProject(path: string): Project {
  const value = readJson(path);
  if (value === undefined) throw new LoadError("Io", "Cannot read project: there is no such file", { path });
  const list = isRecord(value) && "smf" in value ? value.smf : modulesAlone(value);
  if (!isRecord(list)) throw malformed(path, "it has no object with a module for each name");
  const modules = Object.entries(list).map(([name, settings]) => moduleOf(path, name, settings));
  if (modules.length === 0) throw malformed(path, "it lists no modules");
  const outputs = new Map<string, string>();
  for (const { name, output } of modules) {
    const other = outputs.get(output);
    if (other !== undefined) throw malformed(path, `modules '${other}' and '${name}' have the same output`);
    outputs.set(output, name);
  }
  return { path, folder: dirname(path), modules };
}

/** The modules in a file that lists nothing else, but for the name of its schema. */
function modulesAlone(value: unknown): unknown {
  if (!isRecord(value) || typeof value.$schema !== "string") return value;
  const { $schema: _, ...modules } = value;
  return modules;
}

function moduleOf(path: string, name: string, settings: unknown): ProjectModule {
  // Names become parts of file names.
  if (!/^[\w][\w.-]*$/.test(name)) {
    throw malformed(path, `'${name}' is not a name of letters, digits, '_', '.', '-'`);
  }
  try {
    checkOptions(`read module '${name}'`, settings as ModuleSettings, MODULE_SETTINGS);
    const { link = {}, sources } = settings as ModuleSettings;
    checkOptions(`read 'link' of module '${name}'`, link, LINK_OPTIONS);
    if (!Array.isArray(sources) || sources.length === 0) {
      throw new TypeError(`Cannot read module '${name}': it has no 'sources'`);
    }
  } catch (error) {
    if (error instanceof TypeError) throw malformed(path, error.message.replace(/^Cannot read /, ""));
    throw error;
  }
  return { output: `${CACHE_FOLDER}/${name}.smf`, ...settings as ModuleSettings, name };
}

/**
 * The paths of a module's sources for a system.
 *
 * @param target Its name. Default: that of this system.
 */
export function sourcesFor({ sources }: ModuleSettings, target: string | undefined = hostTarget()): string[] {
  return sources.map((path) => target === undefined ? path : path.replaceAll("{target}", target));
}

/** The result of building a module of a project. */
export interface ProjectBuild extends BuiltModule {
  /** Whether the file has other bytes than before. */
  readonly isChanged: boolean;
}

/** Steps that a caller adds to the build of a project's module. */
export interface BuildSteps {
  /** Is called before the file is written, if it is. */
  readonly written?: (built: BuiltModule) => void;
  /** Signs the module: returns the bytes that the file gets. */
  readonly sign?: (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>;
  /** Hears how far the build is. */
  readonly progress?: BuildProgress | undefined;
}

/**
 * Builds one module of a project, and writes its file if it has changed.
 *
 * @param options How, too; a compiler comes before that of the configuration.
 * @throws As {@linkcode buildReporting}; {@linkcode LoadError} `Io` and `PermissionDenied` for writing.
 */
export async function buildModule(
  { folder }: Project,
  module: ProjectModule,
  options: Pick<BuildOptions, "color" | "compiler" | "jobs" | "linkCache" | "signal" | "target"> = {},
  { written, sign, progress }: BuildSteps = {},
): Promise<ProjectBuild> {
  const { flags, compiler, link, output } = module;
  const linked = await buildReporting(sourcesFor(module, options.target), {
    folder,
    ...(compiler !== undefined && { compiler }),
    ...options,
    ...(flags !== undefined && { flags }),
    ...(link !== undefined && { link }),
  }, progress);
  const built = sign === undefined ? linked : { ...linked, bytes: await sign(linked.bytes) };
  const path = within(folder, output);
  const isChanged = !hasBytes(path, built.bytes);
  if (isChanged) {
    written?.(built);
    try {
      Deno.mkdirSync(dirname(path), { recursive: true });
    } catch (error) {
      throw asLoadError(error, path);
    }
    replaceFile(path, built.bytes);
  }
  return { ...built, isChanged };
}

function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** The value of a JSON file; undefined if there is no file. */
function readJson(path: string): unknown {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw asLoadError(error, path);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(path, (error as Error).message, "write plain JSON; smf.json may list the modules alone");
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(path: string, problem: string, hint?: string): LoadError {
  return new LoadError("InvalidFormat", `Cannot read project: ${problem}`, {
    path,
    hint: hint ?? 'list modules as { "smf": { "NAME": { "sources": ["NAME.c"] } } }',
  });
}
