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

/** `dlopen` and its family. */
export class SystemLoader implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", FUNCTIONS);

  /** Opens a library and binds everything in it now. */
  open(path: Uint8Array<ArrayBuffer>): Deno.PointerObject {
    const handle = this.#library.symbols.dlopen(path, RTLD_NOW);
    if (handle === null) throw new Error("dlopen failed");
    return handle;
  }

  /** The address of a symbol, 0n if there is none. */
  find(handle: Deno.PointerObject, name: Uint8Array<ArrayBuffer>): bigint {
    return this.#library.symbols.dlsym(handle, name);
  }

  close(handle: Deno.PointerObject): void {
    this.#library.symbols.dlclose(handle);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/** Why the system's loader cannot be compared with here; undefined if it can. */
export const NO_SYSTEM_LOADER: string | undefined = Deno.build.os === "linux"
  ? undefined
  : "the peer is glibc's dlopen, on Linux";
