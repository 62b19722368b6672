/**
 * Finds and reads what a link is given: files, libraries by name, thin archives, and scripts that name inputs.
 */
import { dirname, isAbsolute, join } from "../../os/path.ts";
import { fillThinArchive, isThinArchive, makeArchive } from "../../link/elf/thin_archive.ts";
import { scriptInputs } from "../../link/elf/script.ts";
import type { LinkInput, ReadInput } from "../../link/linker.ts";
import { parseSmf } from "../../smf/file.ts";
import { MAGIC } from "../../smf/layout.ts";
import { UsageError } from "../terminal/command.ts";
import { isFile, readInput } from "../terminal/files.ts";
import type { LdInput } from "../terminal/ld_arguments.ts";
import type { InputFiles } from "./input_files.ts";
import { isObject, isSharedLibrary, readSharedLibrary, SONAMES } from "./shared_library.ts";

/** Where `-l` looks behind the folders that `-L` names. */
const SYSTEM_FOLDERS: readonly string[] = [
  "/usr/local/lib",
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
];

/** The start files of C compilers, whose part the linker and the loader do themselves. */
const START_FILE = /(?:^|\/)(?:[SMgr]?crt[1in]|gcrt1|crtbegin[ST]?|crtend[S]?)\.o$/;

/** Whether a path is that of a start file. */
export function isStartFile(path: string): boolean {
  return START_FILE.test(path);
}

/** The name of the archive that the objects behind --start-lib make. */
export const START_LIB = "--start-lib";

/** How many scripts may name each other. */
const MOST_SCRIPTS = 16;

/** The inputs of a link. */
export interface FoundInputs {
  readonly inputs: readonly ReadInput[];
  /** Shared libraries that were named: the module gets them when it is loaded. */
  readonly hostLibraries: readonly string[];
  /** Modules that were named as a shared library is: they have to be loaded before this one. */
  readonly modules: readonly string[];
  /** The names that host libraries and modules define. */
  readonly provided: ReadonlySet<string>;
  /** The files of shared libraries that were named. */
  readonly hostFiles: readonly string[];
  /** Files that were left out. */
  readonly leftOut: readonly string[];
  /** Every file that was read. */
  readonly files: readonly string[];
}

/** How inputs are found. */
export interface InputOptions {
  readonly folders: readonly string[];
  /** The static libraries whose names are not exported, by file name; `ALL` for all of them. */
  readonly excluded: readonly string[];
  /** Whether to leave out the start files that a compiler driver adds. */
  readonly skipStartFiles: boolean;
  /** The folder that stands for the root where libraries are looked for, without a slash at its end. */
  readonly sysroot: string;
  /** Opens large libraries, which are read in parts; without it all are read as a whole. */
  readonly files?: InputFiles;
}

/**
 * Finds and reads the inputs of a link.
 *
 * @param hears Hears how many are found.
 * @throws {UsageError} if a file cannot be read, or a library is not found.
 */
export function findInputs(
  wanted: readonly LdInput[],
  options: InputOptions,
  hears: (done: number) => void = () => {},
): FoundInputs {
  const finder = new InputFinder(options);
  for (const [index, input] of wanted.entries()) {
    hears(index);
    finder.add(input, 0);
  }
  return {
    inputs: finder.inputs.concat(finder.libs()),
    files: finder.files,
    hostFiles: [...finder.hostFiles],
    hostLibraries: [...finder.hostLibraries],
    modules: [...finder.modules],
    provided: finder.provided,
    leftOut: finder.leftOut,
  };
}

class InputFinder {
  readonly inputs: ReadInput[] = [];
  readonly hostLibraries: Set<string> = new Set();
  readonly modules: Set<string> = new Set();
  readonly provided: Set<string> = new Set();
  readonly leftOut: string[] = [];
  readonly hostFiles: Set<string> = new Set();
  readonly files: string[] = [];
  readonly #options: InputOptions;
  /** The folders in which libraries are looked for. */
  readonly #folders: readonly string[];
  /** The objects behind each --start-lib, by its number. */
  readonly #libs: Map<number, LinkInput[]> = new Map();
  readonly #libraries: Set<string> = new Set();

  constructor(options: InputOptions) {
    this.#options = options;
    const { sysroot, folders } = options;
    this.#folders = [
      ...folders.map((folder) => inSysroot(folder, sysroot)),
      ...SYSTEM_FOLDERS.map((folder) => sysroot + folder),
    ];
  }

  /** The objects behind each --start-lib, as an archive. */
  libs(): LinkInput[] {
    return [...this.#libs.values()].map((objects) => ({ name: START_LIB, bytes: makeArchive(objects) }));
  }

  add(input: LdInput, depth: number): void {
    if (!input.isLibrary) return this.#addFile(input.name, input, depth);
    // Order does not matter, so a library that is named twice is linked once.
    const key = `${input.name} ${input.whole} ${input.isStatic}`;
    if (this.#libraries.has(key)) return;
    this.#libraries.add(key);
    const path = this.#find(input);
    if (path !== undefined) return this.#addFile(path, input, depth);
    this.hostLibraries.add(hostLibraryOf(input));
  }

  #find({ name, isStatic: wantsStatic }: LdInput): string | undefined {
    // A process has one C library, its own: a second one would have its own heap and know no threads.
    const isStatic = wantsStatic && name !== "c";
    const files = name.startsWith(":") ? [name.slice(1)] : isStatic
      ? [`lib${name}.a`, `${name}.lib`]
      // The names of import libraries follow those of shared libraries.
      : [`lib${name}.so`, `lib${name}.dll.a`, `lib${name}.a`, `${name}.lib`];
    for (const folder of this.#folders) {
      for (const file of files) if (isFile(join(folder, file))) return join(folder, file);
    }
    return undefined;
  }

  #addFile(path: string, input: LdInput, depth: number): void {
    if (this.#options.skipStartFiles && isStartFile(path)) {
      this.leftOut.push(path);
      return;
    }
    const partial = this.#options.files?.open(path);
    const bytes = partial?.bytes ?? readInput(path);
    this.files.push(path);
    if (isSharedLibrary(bytes)) {
      const { soname, names } = readSharedLibrary(bytes);
      // As with ld, a library without a name of its own has that under which it was given.
      this.hostLibraries.add(soname ?? (input.isLibrary ? path.replace(/^.*\//, "") : path));
      this.hostFiles.add(path);
      for (const name of names) this.provided.add(name);
      return;
    }
    if (isModule(bytes)) {
      this.modules.add(path);
      const { symbols } = parseSmf(bytes, { path });
      for (let index = 0; index < symbols.length; index++) {
        if (symbols.isExport(index)) this.provided.add(symbols.name(index));
      }
      return;
    }
    const script = scriptInputs(bytes);
    if (script !== undefined) {
      if (depth === MOST_SCRIPTS) throw new UsageError(`${path}: linker scripts name each other without end`);
      for (const { name, asNeeded } of script) {
        const isLibrary = name.startsWith("-l");
        const found = isLibrary ? name.slice(2) : this.#beside(name, path);
        // The dynamic linker, and libraries that are wanted only if they are needed: imports tell.
        if (asNeeded && /\.so(?:\.|$)/.test(name)) continue;
        this.add({ ...input, name: found, isLibrary }, depth + 1);
      }
      return;
    }
    if (input.lib > 0 && !input.whole && isObject(bytes)) {
      const objects = this.#libs.get(input.lib) ?? [];
      this.#libs.set(input.lib, objects);
      objects.push({ name: path, bytes });
      return;
    }
    const { excluded } = this.#options;
    this.inputs.push({
      name: path,
      bytes: isThinArchive(bytes)
        ? fillThinArchive(
          path,
          bytes,
          (member) => this.#read(isAbsolute(member) ? member : join(dirname(path), member)),
        )
        : bytes,
      partial,
      whole: input.whole,
      excluded: excluded.includes("ALL") || excluded.includes(path.replace(/^.*\//, "")),
    });
  }

  #read(path: string): Uint8Array {
    this.files.push(path);
    return readInput(path);
  }

  /** A file that a script names: as it stands, beside the script, or in a library folder. */
  #beside(name: string, script: string): string {
    const { sysroot } = this.#options;
    const isInside = sysroot !== "" && script.startsWith(`${sysroot}/`);
    if (isAbsolute(name)) return isInside && isFile(sysroot + name) ? sysroot + name : name;
    const named = inSysroot(name, sysroot);
    if (named !== name) return named;
    const folders = [dirname(script), ".", ...this.#folders];
    return folders.map((folder) => join(folder, name)).find(isFile) ?? name;
  }
}

/** A path that may begin with `=` or `$SYSROOT`, which stand for the folder. */
function inSysroot(path: string, sysroot: string): string {
  const [, rest] = /^(?:=|\$SYSROOT(?=\/|$))(.*)/.exec(path) ?? [];
  return rest === undefined ? path : sysroot === "" ? rest : join(sysroot, rest);
}

/** The host library for a name without a file: `-l NAME`, or `-l :FILE`. */
function hostLibraryOf({ name, isStatic }: LdInput): string {
  if (/^:.*\.so(?:\.|$)/.test(name)) return name.slice(1);
  if (!isStatic && Object.hasOwn(SONAMES, name)) return SONAMES[name];
  if (name === "c") return SONAMES.c;
  const files = name.startsWith(":")
    ? name.slice(1)
    : isStatic
    ? `lib${name}.a`
    : `lib${name}.so or lib${name}.a`;
  const other = isStatic || name.startsWith(":") ? "" : `, or the host library: --needed lib${name}.so.1`;
  throw new UsageError(`-l${name}: Cannot find ${files}; name its folder with -L${other}`);
}

/** Whether the bytes begin as a module that this linker writes. */
function isModule(bytes: Uint8Array): boolean {
  return [...MAGIC].every((character, index) => bytes[index] === character.charCodeAt(0));
}

/** The names that a library of this system defines; undefined if its file is not found. */
export function systemLibraryNames(library: string): ReadonlySet<string> | undefined {
  const paths = isAbsolute(library) ? [library] : SYSTEM_FOLDERS.map((folder) => join(folder, library));
  const path = paths.find(isFile);
  return path === undefined ? undefined : new Set(readSharedLibrary(readInput(path)).names);
}
