/**
 * Shared libraries of the host as providers of imports.
 */

import { LoadError } from "../../errors.ts";
import { type DynamicLinker, openDynamicLinker } from "../../os/dynamic_linker.ts";
import type { FoundImport, ImportSource, Provider } from "./resolve.ts";

/** Shared libraries, opened when the first name is looked up in them. */
export class HostLibraries implements ImportSource, Disposable {
  readonly #names: readonly string[];
  #linker: DynamicLinker | undefined;
  #libraries: HostLibrary[] | undefined;
  #needed = 1;

  /** @param names Paths, or names that the system's own search finds. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  find(name: string): FoundImport | undefined {
    for (const library of this.#open()) {
      const address = library.find(name);
      if (address !== 0n) {
        return { address, from: library.description, provider: library, library: library.name };
      }
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
    const linker = this.#linker ??= openDynamicLinker();
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
    this.#linker?.[Symbol.dispose]();
    this.#linker = undefined;
  }
}

class HostLibrary implements Provider, Disposable {
  readonly name: string;
  readonly description: string;
  readonly #linker: DynamicLinker;
  readonly #handle: Deno.PointerObject;
  readonly #closed: () => void;
  #needed = 1;

  constructor(name: string, linker: DynamicLinker, closed: () => void) {
    this.name = name;
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
