/**
 * Sources of well-known libraries, from Debian and npm, and their objects with debug information.
 */
import { join } from "@std/path";
import { compile } from "./compilers.ts";
import { downloadSources } from "./debian_sources.ts";
import { inParallel } from "./in_parallel.ts";

/** A library that is built from its sources. */
export interface Library {
  readonly name: string;
  /** The most that the types may add to the size of the module, as a ratio. */
  readonly largest: number;
  /** The folder of its sources in the folder that everything is fetched to. */
  readonly folder: RegExp;
  /** Which files are compiled. */
  readonly files: (file: string) => boolean;
  readonly flags: readonly string[];
  /** More of them for Linux. */
  readonly linuxFlags?: readonly string[];
}

const PNG = /^png(error|get|mem|pread|read|rio|rtran|rutil|set|trans|wio|write|wtran|wutil)?\.c$/;

export const LIBRARIES: readonly Library[] = [
  {
    name: "zlib",
    largest: 1.1,
    folder: /^zlib-/,
    files: (file) => /^[a-z0-9]+\.c$/.test(file),
    flags: ["-O2"],
    linuxFlags: ["-D_GNU_SOURCE", "-DHAVE_UNISTD_H"],
  },
  {
    name: "Lua",
    largest: 1.05,
    folder: /^lua-/,
    files: (file) => /^src\/l[a-z0-9]+\.c$/.test(file) && !/\/luac?\.c$/.test(file),
    flags: ["-O2", "-DLUA_COMPAT_5_3"],
    linuxFlags: ["-DLUA_USE_LINUX"],
  },
  {
    name: "libpng",
    largest: 1.1,
    folder: /^libpng-/,
    files: (file) => PNG.test(file),
    flags: ["-O2", "-DPNG_INTEL_SSE_OPT=0"],
  },
  {
    name: "sqlite3",
    largest: 1.05,
    folder: /^package$/,
    files: (file) => file === "deps/sqlite3/sqlite3.c",
    flags: ["-O1"],
  },
];

/**
 * Fetches all sources into a folder: with `apt-get source` from Debian, and SQLite's from npm's better-sqlite3.
 *
 * @throws {Error} if they cannot be had.
 */
export async function fetchSources(folder: string): Promise<void> {
  await downloadSources(folder, ["bookworm"], ["zlib", "lua5.4", "libpng1.6"]);
  await compile("npm", ["pack", "--silent", "better-sqlite3"], folder);
  for (const { name } of Deno.readDirSync(folder)) {
    if (/\.orig\.tar\.|\.tgz$/.test(name)) await compile("tar", ["xf", name], folder);
  }
  // A file that libpng's build makes.
  const png = folderOf(folder, /^libpng-/);
  Deno.copyFileSync(join(png, "scripts", "pnglibconf.h.prebuilt"), join(png, "pnglibconf.h"));
}

/**
 * Compiles a library with debug information; returns the paths of its objects.
 *
 * @param compiler A compiler for Linux, or for Windows if its name has `mingw` in it.
 */
export function buildLibrary(folder: string, library: Library, compiler: string): Promise<string[]> {
  const sources = folderOf(folder, library.folder);
  const files = filesIn(sources, "").filter(library.files).sort();
  if (files.length === 0) throw new Error(`${library.name} has no sources in ${sources}`);
  const flags = [
    ...library.flags,
    ...compiler.includes("mingw") ? [] : ["-fPIC", ...library.linuxFlags ?? []],
  ];
  return inParallel(files, async (file) => {
    const object = join(folder, `${library.name}-${file.replaceAll("/", "-")}.o`);
    await compile(compiler, ["-g", ...flags, "-c", join(sources, file), "-o", object]);
    return object;
  });
}

function filesIn(folder: string, prefix: string): string[] {
  return [...Deno.readDirSync(join(folder, prefix))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(folder, `${prefix}${name}/`) : [`${prefix}${name}`]
  );
}

function folderOf(folder: string, name: RegExp): string {
  const found = [...Deno.readDirSync(folder)].find((entry) => entry.isDirectory && name.test(entry.name));
  if (found === undefined) throw new Error(`${folder} has no folder ${name}`);
  return join(folder, found.name);
}
