/**
 * Calls the system's dynamic loader as directly as JavaScript can.
 */

const FUNCTIONS = {
  // void *dlopen(const char *filename, int flags); NULL
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  // int dlclose(void *handle); not 0
  dlclose: { parameters: ["pointer"], result: "i32" },
  // void *dlsym(void *handle, const char *symbol); NULL
  dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

const RTLD_NOW = 2;

const encoder = new TextEncoder();

/** A NUL-terminated string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** Shared by all loaders: V8 makes fast calls only at a call site that has seen a single target. */
let library: Deno.DynamicLibrary<typeof FUNCTIONS> | undefined;

/** Buffer for a name. */
const nameBuffer = new Uint8Array(1024);

/** `dlopen` and its family. */
export class SystemLoader {
  readonly #symbols = (library ??= Deno.dlopen("libc.so.6", FUNCTIONS)).symbols;

  /** Opens a library and binds all of its symbols at once (`RTLD_NOW`). */
  open(path: Uint8Array<ArrayBuffer>): Deno.PointerObject {
    const handle = this.#symbols.dlopen(path, RTLD_NOW);
    if (handle === null) throw new Error("dlopen failed");
    return handle;
  }

  /** The address of a symbol; 0n if there is none. */
  find(handle: Deno.PointerObject, name: Uint8Array<ArrayBuffer>): bigint {
    return this.#symbols.dlsym(handle, name);
  }

  /** The address of a symbol whose name is a JavaScript string, as a program would look it up. */
  findName(handle: Deno.PointerObject, name: string): bigint {
    const { written } = encoder.encodeInto(name, nameBuffer);
    nameBuffer[written] = 0;
    return this.#symbols.dlsym(handle, nameBuffer);
  }

  close(handle: Deno.PointerObject): void {
    this.#symbols.dlclose(handle);
  }
}

/** The reason why the comparison with the system's loader is not possible here; undefined if it is. */
export const NO_SYSTEM_LOADER: string | undefined = Deno.build.os === "linux"
  ? undefined
  : "the peer is glibc's dlopen, on Linux";
