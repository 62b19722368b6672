/**
 * The calls of `cc` as data: what decides on the module. The tool that runs a program compares calls by it, since it
 * has compiled for those that it has read in the program's text.
 */
import { fromFileUrl, resolve } from "../os/path.ts";
import type { BuildOptions, Sources } from "./build.ts";

/** A source as text. */
export interface SourceText {
  /** The text. */
  readonly text: string;
  /** The language, as the ending of its files: `c` (default), `cpp`, `rs` or `zig`. */
  readonly language?: "c" | "cpp" | "rs" | "zig";
}

/** The options that decide on a module; the others say how it is made or opened. */
export const DECIDING_OPTIONS = ["compiler", "flags", "target", "link", "folder"] as const;

/** The options of a call that decide on its module. */
export type DecidingOptions = Pick<BuildOptions, (typeof DECIDING_OPTIONS)[number]>;

/** The sources of a module, and the options that decide on it. */
export interface ModuleRequest {
  /** Names the sources, by their absolute paths, or the text. Equal for the same sources. */
  readonly sources: string;
  /** Tells the options, without the folder. Equal for options that mean the same. */
  readonly options: string;
  /** The absolute path of the folder that relative paths start at. */
  readonly folder: string;
}

/** The request of a call with these arguments. */
export function moduleRequest(source: Sources | SourceText, options: DecidingOptions): ModuleRequest {
  const folder = absolute(options.folder ?? ".");
  return { sources: sourcesKey(source, folder), options: optionsKey(options), folder };
}

/** Tells options, but for the folder, by a text that is equal for options that mean the same. */
export function optionsKey({ compiler, flags, target, link }: DecidingOptions): string {
  const words = typeof compiler === "string" ? compiler.trim().split(/\s+/) : compiler;
  return canonical({ compiler: words, flags: flags?.length === 0 ? undefined : flags, target, link });
}

/** Names sources by a text. */
export function sourcesKey(source: Sources | SourceText, folder: string): string {
  if (typeof source === "object" && "text" in source) {
    return canonical({ text: source.text, language: source.language ?? "c" });
  }
  const list = typeof source === "string" || source instanceof URL ? [source] : source;
  return canonical(list.map((path) => absolute(path, folder)));
}

function absolute(path: string | URL, folder?: string): string {
  const text = path instanceof URL ? fromFileUrl(path) : path;
  return folder === undefined ? resolve(text) : resolve(folder, text);
}

/** JSON with the keys of objects in order; sets are as lists. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Set) return [...part].sort();
    if (typeof part === "bigint") return `${part}n`;
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1));
  });
}
