/**
 * The system's dynamic linker, which opens shared libraries and finds names in
 * them.
 */

import { cString, textAt, wideString } from "./c_strings.ts";
import { openLibrary } from "./library.ts";
import { pointerCall } from "./pointer.ts";

const POSIX_FUNCTIONS = {
  // void *dlopen(const char *file, int mode); NULL
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  // void *dlsym(void *handle, const char *name); NULL
  dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
  // int dlclose(void *handle); not 0
  dlclose: { parameters: ["pointer"], result: "i32" },
  // char *dlerror(void); cannot fail, and NULL if nothing has failed
  dlerror: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const RTLD_NOW = 2;

/**
 * The name of the C library, in which modules find names without asking for it.
 *
 * Platforms: undefined on Windows, whose C libraries are many.
 */
export const C_LIBRARY: string | undefined = Deno.build.os === "windows"
  ? undefined
  : Deno.build.os === "darwin"
  ? "libSystem.B.dylib"
  : "libc.so.6";

/** `void *dlvsym(void *handle, const char *name, const char *version)`; NULL. Rarely used, so called by address. */
const DLVSYM = { parameters: ["pointer", "buffer", "buffer"], result: "usize" } as const;

const WINDOWS_FUNCTIONS = {
  // HMODULE LoadLibraryW(LPCWSTR lpLibFileName); NULL
  LoadLibraryW: { parameters: ["buffer"], result: "pointer" },
  // FARPROC GetProcAddress(HMODULE hModule, LPCSTR lpProcName); NULL
  GetProcAddress: { parameters: ["pointer", "buffer"], result: "usize" },
  // BOOL FreeLibrary(HMODULE hLibModule); 0
  FreeLibrary: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Opens libraries and finds names, by the functions of any system. Disposing closes no library that it opened. */
export interface DynamicLinker extends Disposable {
  /**
   * Opens a library; null if the system does not find or accept it.
   *
   * Safety: runs the library's initialisers.
   */
  open(file: string): Deno.PointerValue;
  /**
   * The address of a name; 0 if there is none. Looks in the library, or, without
   * one, in the program and the libraries that it was started with.
   */
  find(handle: Deno.PointerValue, name: string): bigint;
  /**
   * The address of a name in the version of a library's interface that is asked
   * for; 0 if there is none. A library without versions answers for all of them.
   *
   * Platforms: glibc and the like; elsewhere names have no versions, and any is taken.
   */
  findVersion(handle: Deno.PointerValue, name: string, version: string): bigint;
  /**
   * Closes a library.
   *
   * Safety: nothing in the library may be used afterwards, unless it is open elsewhere.
   */
  close(handle: Deno.PointerObject): void;
  /** The reason for the last failure, if the system tells it. */
  failure(): string | undefined;
}

/** The names of the library with `dlopen`, which glibc before 2.34 has apart from the C library. */
const POSIX_NAMES = Deno.build.os === "darwin" ? ["libSystem.B.dylib"] : ["libc.so.6", "libdl.so.2"];

/** The functions' addresses, for {@linkcode openLinkerBriefly}. */
const POSIX_ADDRESSES = {
  dlopen: { type: "pointer" },
  dlsym: { type: "pointer" },
  dlerror: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The part of a {@linkcode DynamicLinker} that opens a library of one's own. */
export type BriefLinker = Pick<DynamicLinker, "open" | "find" | "failure" | typeof Symbol.dispose>;

/**
 * Like {@linkcode openDynamicLinker}, for a few calls: by address, since the fast
 * calls that Deno would compile take as long as hundreds of such calls.
 *
 * Platforms: not on Windows.
 */
export function openLinkerBriefly(): BriefLinker {
  const library = openLibrary(POSIX_NAMES, POSIX_ADDRESSES);
  const { symbols } = library;
  const at = <Name extends keyof typeof symbols>(name: Name) =>
    new Deno.UnsafeFnPointer(symbols[name] as Deno.PointerObject<never>, POSIX_FUNCTIONS[name]);
  const open = at("dlopen"), find = at("dlsym");
  return {
    open: (file) => open.call(cString(file), RTLD_NOW),
    find: (handle, name) => find.call(handle, cString(name)),
    failure: () => textAt(at("dlerror").call()) ?? undefined,
    [Symbol.dispose]: () => library.close(),
  };
}

/**
 * The dynamic linker of this system.
 *
 * Platforms: LoadLibrary on Windows, which tells no reason for a failure; dlopen elsewhere.
 */
export function openDynamicLinker(): DynamicLinker {
  if (Deno.build.os === "windows") {
    const library = openLibrary(["kernel32.dll"], WINDOWS_FUNCTIONS);
    const { symbols } = library;
    return {
      open: (file) => symbols.LoadLibraryW(wideString(file)),
      find: (handle, name) => symbols.GetProcAddress(handle, cString(name)),
      findVersion: (handle, name) => symbols.GetProcAddress(handle, cString(name)),
      close: (handle) => void symbols.FreeLibrary(handle),
      failure: () => undefined,
      [Symbol.dispose]: () => library.close(),
    };
  }
  const library = openLibrary(POSIX_NAMES, POSIX_FUNCTIONS);
  const { symbols } = library;
  return {
    open: (file) => symbols.dlopen(cString(file), RTLD_NOW),
    find: (handle, name) => symbols.dlsym(handle, cString(name)),
    findVersion(handle, name, version): bigint {
      const address = symbols.dlsym(null, cString("dlvsym"));
      return address === 0n
        ? symbols.dlsym(handle, cString(name))
        : pointerCall(address, DLVSYM)(handle, cString(name), cString(version)) as bigint;
    },
    close: (handle) => void symbols.dlclose(handle),
    failure: () => textAt(symbols.dlerror()) ?? undefined,
    [Symbol.dispose]: () => library.close(),
  };
}
