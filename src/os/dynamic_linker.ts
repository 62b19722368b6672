/**
 * The system's own dynamic linker, which finds shared libraries and names in them.
 */

import { openLibrary } from "./library.ts";

/**
 * The dynamic linker's own functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `void *dlopen(const char *file, int mode)` | NULL |
 * | `void *dlsym(void *handle, const char *name)` | NULL |
 * | `int dlclose(void *handle)` | not 0 |
 * | `char *dlerror(void)` | NULL: nothing has failed |
 */
const POSIX_FUNCTIONS = {
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
  dlclose: { parameters: ["pointer"], result: "i32" },
  dlerror: { parameters: [], result: "pointer" },
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
export interface DynamicLinker {
  /** A library; null if the system does not find or accept it. */
  open(file: string): Deno.PointerValue;
  /** The address of what a library exports, or without one of what the program began with; 0 if there is none. */
  find(handle: Deno.PointerValue, name: string): bigint;
  close(handle: Deno.PointerObject): void;
  /** Why the last call failed, if the system says so. */
  failure(): string | undefined;
  /** Lets go of the dynamic linker itself; what it opened stays open. */
  dispose(): void;
}

/** The dynamic linker of this system. */
export function openDynamicLinker(): DynamicLinker {
  if (Deno.build.os === "windows") {
    const library = openLibrary(["kernel32.dll"], WINDOWS_FUNCTIONS);
    const { symbols } = library;
    return {
      open: (file) => symbols.LoadLibraryW(wide(file)),
      find: (handle, name) => symbols.GetProcAddress(handle, narrow(name)),
      close: (handle) => void symbols.FreeLibrary(handle),
      failure: () => undefined,
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
    failure(): string | undefined {
      const text = symbols.dlerror();
      return text === null ? undefined : Deno.UnsafePointerView.getCString(text);
    },
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
