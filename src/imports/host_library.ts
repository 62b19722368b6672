/**
 * Shared libraries of the host as providers of imports.
 */

import { LoadError } from "../errors.ts";
import { openLibrary } from "../memory/library.ts";
import type { FoundImport, ImportSource, Provider } from "./resolve.ts";

/**
 * The dynamic linker's own functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `void *dlopen(const char *file, int mode)` | NULL |
 * | `void *dlsym(void *handle, const char *name)` | NULL |
 * | `int dlclose(void *handle)` | not 0 |
 */
const POSIX_FUNCTIONS = {
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
  dlclose: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const RTLD_NOW = 2;

/**
 * Windows' counterparts.
 *
 * | C declaration | failure |
 * |---|---|
 * | `HMODULE LoadLibraryW(const wchar_t *file)` | NULL |
 * | `FARPROC GetProcAddress(HMODULE handle, const char *name)` | NULL |
 * | `BOOL FreeLibrary(HMODULE handle)` | 0 |
 */
const WINDOWS_FUNCTIONS = {
  LoadLibraryW: { parameters: ["buffer"], result: "pointer" },
  GetProcAddress: { parameters: ["pointer", "buffer"], result: "usize" },
  FreeLibrary: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Opens libraries and looks names up, whatever the system calls that. */
interface Linker {
  open(file: string): Deno.PointerValue;
  find(handle: Deno.PointerObject, name: string): bigint;
  close(handle: Deno.PointerObject): void;
  dispose(): void;
}

function openLinker(): Linker {
  if (Deno.build.os === "windows") {
    const library = openLibrary(["kernel32.dll"], WINDOWS_FUNCTIONS);
    const { symbols } = library;
    return {
      open: (file) => symbols.LoadLibraryW(wide(file)),
      find: (handle, name) => symbols.GetProcAddress(handle, narrow(name)),
      close: (handle) => void symbols.FreeLibrary(handle),
      dispose: () => library.close(),
    };
  }
  const names = Deno.build.os === "darwin" ? ["libSystem.B.dylib"] : ["libc.so.6", "libdl.so.2"];
  const library = openLibrary(names, POSIX_FUNCTIONS);
  const { symbols } = library;
  return {
    open: (file) => symbols.dlopen(narrow(file), RTLD_NOW),
    find: (handle, name) => symbols.dlsym(handle, narrow(name)),
    close: (handle) => void symbols.dlclose(handle),
    dispose: () => library.close(),
  };
}

/** A C string. */
function narrow(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** A wide C string: UTF-16. */
function wide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(`${text}\0`, (letter) => letter.charCodeAt(0));
}

/** Shared libraries, opened when the first name is looked up in them. */
export class HostLibraries implements ImportSource, Disposable {
  readonly #names: readonly string[];
  #linker: Linker | undefined;
  #libraries: HostLibrary[] | undefined;
  #needed = 1;

  /** @param names Paths, or names that the system's own search finds. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  find(name: string): FoundImport | undefined {
    for (const library of this.#open()) {
      const address = library.find(name);
      if (address !== 0n) return { address, from: library.description, provider: library };
    }
    return undefined;
  }

  /** Lets go of the libraries; each is closed when no module needs it any more. */
  [Symbol.dispose](): void {
    for (const library of this.#libraries ?? []) library[Symbol.dispose]();
    this.#release();
  }

  #open(): readonly HostLibrary[] {
    if (this.#libraries !== undefined) return this.#libraries;
    if (this.#names.length === 0) return this.#libraries = [];
    const linker = this.#linker ??= openLinker();
    const opened: HostLibrary[] = [];
    try {
      for (const name of this.#names) {
        opened.push(new HostLibrary(name, linker, () => this.#release()));
        this.#needed++;
      }
    } catch (error) {
      for (const library of opened) library[Symbol.dispose]();
      throw error;
    }
    return this.#libraries = opened;
  }

  #release(): void {
    if (--this.#needed > 0) return;
    this.#linker?.dispose();
    this.#linker = undefined;
  }
}

class HostLibrary implements Provider, Disposable {
  readonly description: string;
  readonly #linker: Linker;
  readonly #handle: Deno.PointerObject;
  readonly #closed: () => void;
  #needed = 1;

  constructor(name: string, linker: Linker, closed: () => void) {
    this.description = `library '${name}'`;
    this.#linker = linker;
    this.#closed = closed;
    const handle = linker.open(name);
    if (handle === null) {
      throw new LoadError("Io", "Cannot open host library: the system does not find or accept it", {
        path: name,
      });
    }
    this.#handle = handle;
  }

  find(name: string): bigint {
    return this.#linker.find(this.#handle, name);
  }

  hold(): Disposable {
    if (this.#needed === 0) throw new LoadError("Closed", `Cannot use ${this.description}: it was closed`);
    this.#needed++;
    return { [Symbol.dispose]: () => this[Symbol.dispose]() };
  }

  [Symbol.dispose](): void {
    if (--this.#needed > 0) return;
    this.#linker.close(this.#handle);
    this.#closed();
  }
}
