// Answers imports from a host library, for tests that stand below the registry.

/** The exports of a shared library that is loaded already, as addresses. */
export class HostLibrary implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
    dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  });
  readonly #handles: Deno.PointerValue[];

  constructor(...names: string[]) {
    this.#handles = names.map((name) => this.#libc.symbols.dlopen(new TextEncoder().encode(`${name}\0`), 2));
  }

  /** Answers one name. */
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
