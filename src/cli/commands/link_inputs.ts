/**
 * Finds and reads what a link is given: files, libraries by name, thin archives, and scripts that name inputs.
 */
import { dirname, isAbsolute, join } from "../../os/path.ts";
import { fillThinArchive, isThinArchive } from "../../link/elf/thin_archive.ts";
import { scriptInputs } from "../../link/elf/script.ts";
import type { LinkInput } from "../../link/linker.ts";
import { RecordSize, SectionIndex, SectionType } from "../../os/elf.ts";
import { UsageError } from "../terminal/command.ts";
import { readInput } from "../terminal/files.ts";
import type { LdInput } from "../terminal/ld_arguments.ts";

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

/** How many scripts may name each other. */
const MOST_SCRIPTS = 16;

/** The inputs of a link. */
export interface FoundInputs {
  readonly inputs: readonly LinkInput[];
  /** Shared libraries that were named: the module gets them when it is loaded. */
  readonly hostLibraries: readonly string[];
  /** The names that they define. */
  readonly provided: ReadonlySet<string>;
  /** Files that were left out. */
  readonly leftOut: readonly string[];
}

/** How inputs are found. */
export interface InputOptions {
  readonly folders: readonly string[];
  /** The static libraries whose names are not exported, by file name; `ALL` for all of them. */
  readonly excluded: readonly string[];
  /** Whether to leave out the start files that a compiler driver adds. */
  readonly skipStartFiles: boolean;
}

/** @throws {UsageError} if a file cannot be read, or a library is not found. */
export function findInputs(wanted: readonly LdInput[], options: InputOptions): FoundInputs {
  const finder = new InputFinder(options);
  for (const input of wanted) finder.add(input, 0);
  return {
    inputs: finder.inputs,
    hostLibraries: [...finder.hostLibraries],
    provided: finder.provided,
    leftOut: finder.leftOut,
  };
}

class InputFinder {
  readonly inputs: LinkInput[] = [];
  readonly hostLibraries: Set<string> = new Set();
  readonly provided: Set<string> = new Set();
  readonly leftOut: string[] = [];
  readonly #options: InputOptions;
  readonly #libraries: Set<string> = new Set();

  constructor(options: InputOptions) {
    this.#options = options;
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

  #find({ name, isStatic }: LdInput): string | undefined {
    const files = name.startsWith(":")
      ? [name.slice(1)]
      : isStatic
      ? [`lib${name}.a`]
      : [`lib${name}.so`, `lib${name}.a`];
    for (const folder of [...this.#options.folders, ...SYSTEM_FOLDERS]) {
      for (const file of files) if (isFile(join(folder, file))) return join(folder, file);
    }
    return undefined;
  }

  #addFile(path: string, input: LdInput, depth: number): void {
    if (this.#options.skipStartFiles && START_FILE.test(path)) {
      this.leftOut.push(path);
      return;
    }
    const bytes = readInput(path);
    if (isSharedLibrary(bytes)) {
      this.hostLibraries.add(sonameOf(path));
      for (const name of definedNames(bytes)) this.provided.add(name);
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
    const { excluded } = this.#options;
    this.inputs.push({
      name: path,
      bytes: isThinArchive(bytes)
        ? fillThinArchive(
          path,
          bytes,
          (member) => readInput(isAbsolute(member) ? member : join(dirname(path), member)),
        )
        : bytes,
      whole: input.whole,
      excluded: excluded.includes("ALL") || excluded.includes(path.replace(/^.*\//, "")),
    });
  }

  /** A file that a script names: as it stands, beside the script, or in a library folder. */
  #beside(name: string, script: string): string {
    if (isAbsolute(name)) return name;
    const folders = [dirname(script), ".", ...this.#options.folders, ...SYSTEM_FOLDERS];
    return folders.map((folder) => join(folder, name)).find(isFile) ?? name;
  }
}

/** The names of host libraries that compilers know by `-l`, for machines without the files for linking. */
const SONAMES: Readonly<Record<string, string>> = {
  c: "libc.so.6",
  dl: "libdl.so.2",
  gcc_s: "libgcc_s.so.1",
  gfortran: "libgfortran.so.5",
  gomp: "libgomp.so.1",
  m: "libm.so.6",
  pthread: "libpthread.so.0",
  resolv: "libresolv.so.2",
  rt: "librt.so.1",
  "stdc++": "libstdc++.so.6",
  z: "libz.so.1",
};

/** The host library for a name without a file: `-l NAME`, or `-l :FILE`. */
function hostLibraryOf({ name, isStatic }: LdInput): string {
  if (/^:.*\.so(?:\.|$)/.test(name)) return name.slice(1);
  if (!isStatic && Object.hasOwn(SONAMES, name)) return SONAMES[name];
  const files = name.startsWith(":")
    ? name.slice(1)
    : isStatic
    ? `lib${name}.a`
    : `lib${name}.so or lib${name}.a`;
  const other = isStatic || name.startsWith(":") ? "" : `, or the host library: --needed lib${name}.so.1`;
  throw new UsageError(`-l${name}: Cannot find ${files}; name its folder with -L${other}`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether the bytes begin as a shared library for this linker's processors does. */
function isSharedLibrary(bytes: Uint8Array): boolean {
  return bytes.length > 18 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c &&
    bytes[3] === 0x46 &&
    bytes[5] === 1 && bytes[16] === 3 && bytes[17] === 0;
}

/** The offsets of the fields of Elf64_Shdr and Elf64_Sym that are read here. */
const Shdr = { type: 4, offset: 24, size: 32, link: 40 } as const;
const Sym = { section: 6 } as const;

/** The names that a shared library defines; none if its tables cannot be read. */
function definedNames(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  const decoder = new TextDecoder();
  try {
    const headers = Number(view.getBigUint64(40, true));
    const u64 = (at: number): number => Number(view.getBigUint64(at, true));
    for (let index = 0; index < view.getUint16(60, true); index++) {
      const at = headers + index * RecordSize.SHDR;
      if (view.getUint32(at + Shdr.type, true) !== SectionType.DYNSYM) continue;
      const strings = u64(headers + view.getUint32(at + Shdr.link, true) * RecordSize.SHDR + Shdr.offset);
      const [start, size] = [u64(at + Shdr.offset), u64(at + Shdr.size)];
      for (let symbol = start; symbol < start + size; symbol += RecordSize.SYM) {
        if (view.getUint16(symbol + Sym.section, true) === SectionIndex.UNDEF) continue;
        const name = strings + view.getUint32(symbol, true);
        names.push(decoder.decode(bytes.subarray(name, bytes.indexOf(0, name))));
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return names;
}

/** The name under which the system finds a library at run time: that of the file behind links such as `libm.so`. */
function sonameOf(path: string): string {
  const target = Deno.realPathSync(path).replace(/^.*\//, "");
  // libz.so.1.2.13 is found as libz.so.1.
  return /^(.*\.so\.\d+)/.exec(target)?.[1] ?? target;
}
