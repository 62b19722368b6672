/**
 * The modules that `smf dev` keeps built: those of the configuration, and those of the calls of `cc` in the program.
 */
import { CACHE_FOLDER, hasBytes, makeCacheFolder, replaceFile } from "../../build/files.ts";
import { hashText } from "../../build/object_cache.ts";
import type { Project, ProjectModule } from "../../build/project.ts";
import { sourcesFor } from "../../build/project.ts";
import { moduleRequest, optionsKey, sourcesKey, type SourceText } from "../../build/request.ts";
import { fromFileUrl, join, relative, resolve } from "../../os/path.ts";
import type { WantedModule } from "../../registry/development.ts";
import type { Sources } from "../../build/build.ts";
import type { CcCall } from "./sources/cc_calls.ts";
import type { FileCalls } from "./program_files.ts";

/** A module, and where it comes from. */
export interface DevModule {
  /** The project that it is built in, whose folder relative paths start at. */
  readonly project: Project;
  readonly module: ProjectModule;
  /** The file with the note on its build. */
  readonly note: string;
  /** The calls of `cc` that it is for, the current one first. */
  readonly wanted: readonly WantedModule[];
  /** Tells it and the way it is built from others, if it is that of a call. */
  readonly key?: string;
}

/** The folder for everything that is built. */
export function cacheFolder(folder: string): string {
  const cache = join(folder, CACHE_FOLDER);
  makeCacheFolder(cache);
  return cache;
}

/**
 * The modules that a configuration lists. They are for calls with the same sources and options, too.
 *
 * @param folder The project's folder, without links on the way.
 */
export function configuredModules(project: Project, folder: string, cache: string): DevModule[] {
  const here = Deno.cwd();
  // The program names its folder with links or without them.
  const folders = [...new Set([folder, resolve(project.folder)])];
  return project.modules.map((module) => ({
    project: { ...project, folder },
    module,
    note: join(cache, `${module.name}.note`),
    wanted: folders.map((each) => ({
      sources: sourcesKey(sourcesFor(module), each),
      options: optionsKey(module),
      folder: here,
    })),
  }));
}

/**
 * The modules of the calls in a program. Texts are written to files.
 *
 * @param known Those of before, by {@linkcode ProjectModule.output}: a module stays the same one while its text
 * changes, and goes on being that of the text which the running program has.
 */
export async function calledModules(
  files: readonly FileCalls[],
  cache: string,
  known: ReadonlyMap<string, DevModule>,
): Promise<DevModule[]> {
  const modules = new Map<string, DevModule>();
  for (const { path, calls } of files) {
    let texts = 0;
    for (const call of calls) {
      const { source, options: { compiler, flags, link } } = call;
      const wanted = moduleRequest(source, call.options);
      const { options, folder } = wanted;
      const identity = isText(source) ? [path, ++texts, source.language, options, folder] : wanted;
      const stem = join(cache, `cc_${(await hashText(JSON.stringify(identity))).slice(0, 16)}`);
      const output = `${stem}.smf`;
      const sources = isText(source) ? [`${stem}.${source.language ?? "c"}`] : pathsOf(source);
      if (isText(source)) writeText(sources[0], textOf(call, source, path, folder));
      const old = known.get(output)?.wanted.filter(({ sources }) => sources !== wanted.sources) ?? [];
      modules.set(output, {
        project: { path, folder, modules: [] },
        module: {
          name: isText(source) ? `${shown(path)}:${call.line}` : shown(resolve(folder, sources[0])),
          ...{ sources, output },
          ...(compiler !== undefined && { compiler }),
          ...(flags !== undefined && { flags }),
          ...(link !== undefined && { link }),
        },
        note: `${stem}.note`,
        wanted: [wanted, ...old],
        key: wanted.sources,
      });
    }
  }
  return [...modules.values()];
}

function isText(source: Sources | SourceText): source is SourceText {
  return typeof source === "object" && "text" in source;
}

function pathsOf(source: Sources): string[] {
  const list = typeof source === "string" || source instanceof URL ? [source] : source;
  return list.map((path) => path instanceof URL ? fromFileUrl(path) : path);
}

/** A path as a person names it: from the current folder if it is in it. */
export function shown(path: string): string {
  const short = relative(Deno.cwd(), path);
  return short.startsWith("..") ? path : short;
}

/** The text to compile, which names the lines of the program's file. */
function textOf(
  { textLine }: CcCall,
  { text, language = "c" }: SourceText,
  path: string,
  folder: string,
): string {
  if (textLine === undefined || language !== "c" && language !== "cpp") return text;
  const name = relative(folder, path);
  return `#line ${textLine} ${JSON.stringify(name.startsWith("..") ? path : name)}\n${text}`;
}

function writeText(path: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  if (!hasBytes(path, bytes)) replaceFile(path, bytes);
}
