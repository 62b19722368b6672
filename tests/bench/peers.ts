/**
 * The system's own loader, called as directly as JavaScript can.
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

/** A string as C has it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** One for the whole process: V8 keeps a fast call only at a call site that has seen one target. */
let library: Deno.DynamicLibrary<typeof FUNCTIONS> | undefined;

/** Room for a name. */
const room = new Uint8Array(1024);

/** `dlopen` and its family. */
export class SystemLoader {
  readonly #symbols = (library ??= Deno.dlopen("libc.so.6", FUNCTIONS)).symbols;

  /** Opens a library and binds everything in it now. */
  open(path: Uint8Array<ArrayBuffer>): Deno.PointerObject {
    const handle = this.#symbols.dlopen(path, RTLD_NOW);
    if (handle === null) throw new Error("dlopen failed");
    return handle;
  }

  /** The address of a symbol, 0n if there is none. */
  find(handle: Deno.PointerObject, name: Uint8Array<ArrayBuffer>): bigint {
    return this.#symbols.dlsym(handle, name);
  }

  /** The same, of a name that JavaScript has, as a program would ask. */
  findName(handle: Deno.PointerObject, name: string): bigint {
    const { written } = encoder.encodeInto(name, room);
    room[written] = 0;
    return this.#symbols.dlsym(handle, room);
  }

  close(handle: Deno.PointerObject): void {
    this.#symbols.dlclose(handle);
  }
}

/** Why the system's loader cannot be compared with here; undefined if it can. */
export const NO_SYSTEM_LOADER: string | undefined = Deno.build.os === "linux"
  ? undefined
  : "the peer is glibc's dlopen, on Linux";
