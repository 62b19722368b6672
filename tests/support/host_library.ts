// Answers imports from a host library, for tests of rooms below the registry.

/** Opens shared libraries and finds the addresses of their exports. */
export class HostLibrary implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
    dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  });
  readonly #handles: Deno.PointerValue[];

  constructor(...names: string[]) {
    this.#handles = names.map((name) => this.#libc.symbols.dlopen(new TextEncoder().encode(`${name}\0`), 2));
  }

  /** Resolves one name; undefined if none of the libraries exports it. */
  readonly resolver = (name: string): bigint | undefined => {
    for (const handle of this.#handles) {
      const found = this.#libc.symbols.dlsym(handle, new TextEncoder().encode(`${name}\0`));
      if (found !== null) return BigInt(Deno.UnsafePointer.value(found));
    }
    return undefined;
  };

  [Symbol.dispose](): void {
    this.#libc.close();
  }
}
