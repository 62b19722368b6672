/** A path in parts. */
export interface ParsedPath {
  root: string;
  dir: string;
  base: string;
  ext: string;
  name: string;
}

/** How globs are read. */
export interface GlobOptions {
  extended?: boolean;
  globstar?: boolean;
}

/** How `globToRegExp` reads. */
export interface GlobToRegExpOptions extends GlobOptions {
  caseInsensitive?: boolean;
}

export declare const DELIMITER: ":" | ";";
export declare const SEPARATOR: "/" | "\\";
export declare const SEPARATOR_PATTERN: RegExp;

export declare function basename(path: string | URL, suffix?: string): string;
export declare function common(paths: string[]): string;
export declare function dirname(path: string | URL): string;
export declare function extname(path: string | URL): string;
export declare function format(path: Partial<ParsedPath>): string;
export declare function fromFileUrl(url: string | URL): string;
export declare function globToRegExp(glob: string, options?: GlobToRegExpOptions): RegExp;
export declare function isAbsolute(path: string): boolean;
export declare function isGlob(text: string): boolean;
export declare function join(path: string | URL, ...paths: string[]): string;
export declare function joinGlobs(globs: string[], options?: GlobOptions): string;
export declare function normalize(path: string | URL): string;
export declare function normalizeGlob(glob: string, options?: Pick<GlobOptions, "globstar">): string;
export declare function parse(path: string): ParsedPath;
export declare function relative(from: string, to: string): string;
export declare function resolve(...segments: string[]): string;
export declare function toFileUrl(path: string): URL;
export declare function toNamespacedPath(path: string): string;
