/**
 * Shared libraries of the host as providers of imports.
 */

import { LoadError } from "../../errors.ts";
import { type DynamicLinker, openDynamicLinker } from "../../os/dynamic_linker.ts";
import { closedProvider, type FoundImport, type ImportSource, type Provider } from "./resolve.ts";

/**
 * Shared libraries, opened when the first name is looked up in them.
 *
 * Platforms: the names of libraries, and where they are searched, are the
 * system's own.
 */
export class HostLibraries implements ImportSource, Disposable {
  readonly #names: readonly string[];
  #linker: DynamicLinker | undefined;
  #libraries: HostLibrary[] | undefined;
  /** The users of the dynamic linker: this object and each open library. */
  #users = 1;

  /** @param names Paths, or names that the system's dynamic linker finds. */
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

  /** Releases the libraries; each is closed once no module holds it. */
  [Symbol.dispose](): void {
    for (const library of this.#libraries ?? []) library[Symbol.dispose]();
    this.#release();
  }

  #open(): readonly HostLibrary[] {
    if (this.#libraries !== undefined) return this.#libraries;
    if (this.#names.length === 0) return this.#libraries = [];
    const linker = this.#linker ??= openDynamicLinker();
    using undo = new DisposableStack();
    const opened: HostLibrary[] = [];
    for (const name of this.#names) {
      opened.push(undo.use(new HostLibrary(name, linker, () => this.#release())));
      this.#users++;
    }
    undo.move();
    return this.#libraries = opened;
  }

  #release(): void {
    if (--this.#users > 0) return;
    this.#linker?.[Symbol.dispose]();
    this.#linker = undefined;
  }
}

/** An open library that lives until its owner and all importers have released it. */
class HostLibrary implements Provider, Disposable {
  readonly name: string;
  readonly description: string;
  readonly #linker: DynamicLinker;
  readonly #handle: Deno.PointerObject;
  readonly #onClosed: () => void;
  #holders = 1;

  constructor(name: string, linker: DynamicLinker, onClosed: () => void) {
    this.name = name;
    this.description = `library '${name}'`;
    this.#linker = linker;
    this.#onClosed = onClosed;
    const handle = linker.open(name);
    if (handle === null) {
      throw new LoadError("Io", "Cannot open host library: the system does not find or accept it", {
        path: name,
        hint: "give the library's full path, or a name that the system's dynamic linker finds",
      });
    }
    this.#handle = handle;
  }

  /** The address of an export; 0 if there is none of that name. */
  find(name: string): bigint {
    return this.#linker.find(this.#handle, name);
  }

  hold(): Disposable {
    if (this.#holders === 0) throw closedProvider(this);
    this.#holders++;
    return { [Symbol.dispose]: () => this[Symbol.dispose]() };
  }

  [Symbol.dispose](): void {
    if (--this.#holders > 0) return;
    this.#linker.close(this.#handle);
    this.#onClosed();
  }
}
