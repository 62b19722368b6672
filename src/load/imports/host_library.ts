/**
 * Shared libraries of the host as sources of imports.
 */

import { LoadError } from "../../errors/load_error.ts";
import { type DynamicLinker, openDynamicLinker } from "../../os/dynamic_linker.ts";
import { fromFileUrl, PATHS_NAME_HOSTS } from "../../os/path.ts";
import type { FoundImport, ImportSource } from "./resolve.ts";
import { splitVersion } from "./symbol_version.ts";

/**
 * Shared libraries, opened when the first name is looked up in them. They stay
 * open until the process ends: a library may have started threads or registered
 * its functions elsewhere, and nobody can find out whether it has.
 *
 * Platforms: the names of libraries, and where they are searched, are the
 * system's own.
 */
export class HostLibraries implements ImportSource, Disposable {
  readonly hasVersions = true;
  readonly #names: readonly string[];
  #linker: DynamicLinker | undefined;
  #libraries: readonly HostLibrary[] | undefined;

  readonly #cLibrary: string | undefined;

  /**
   * @param names Paths, `file:` URLs, or names that the system's dynamic linker finds.
   * @param cLibrary Asked after them. If the system has another one, the program
   * itself is asked, which was linked with it.
   * @throws {LoadError} `Io` for a URL that does not name a file of this machine.
   */
  constructor(names: readonly (string | URL)[], cLibrary?: string) {
    this.#names = names.map(libraryName);
    this.#cLibrary = cLibrary;
  }

  find(name: string): FoundImport | undefined {
    const { base, version } = splitVersion(name);
    for (const { handle, name: library } of this.#open()) {
      const linker = this.#linker!;
      const address = version === undefined
        ? linker.find(handle, base)
        : linker.findVersion(handle, base, version);
      if (address !== 0n) return { address, from: `library '${library}'` };
    }
    return undefined;
  }

  /**
   * Leaves finding the variable to the system's dynamic linker. After `dlsym` of
   * such a name glibc would refuse initial-exec code that uses the library.
   */
  findThreadLocal(): FoundImport | undefined {
    const libraries = this.#open().filter(({ handle }) => handle !== null).map(({ name }) => name);
    if (libraries.length === 0) return undefined;
    const listed = libraries.map((name) => `'${name}'`).join(", ");
    return { address: 0n, from: `${libraries.length === 1 ? "library" : "one of"} ${listed}`, libraries };
  }

  /** Ends looking up names; the libraries stay open. */
  [Symbol.dispose](): void {
    this.#libraries = undefined;
    this.#linker?.[Symbol.dispose]();
    this.#linker = undefined;
  }

  #open(): readonly HostLibrary[] {
    if (this.#libraries !== undefined) return this.#libraries;
    const name = this.#cLibrary;
    if (this.#names.length === 0 && name === undefined) return this.#libraries = [];
    const linker = this.#linker ??= openDynamicLinker();
    const opened: HostLibrary[] = this.#names.map((name) => ({
      name,
      handle: openHostLibrary(linker, name),
    }));
    if (name !== undefined) opened.push({ name, handle: linker.open(name) });
    return this.#libraries = opened;
  }
}

/** An open library. */
interface HostLibrary {
  /** The name that the system's dynamic linker knows it by. */
  readonly name: string;
  /** Null stands for the program. */
  readonly handle: Deno.PointerValue;
}

/**
 * Opens a library that stays open until the process ends.
 *
 * Safety: runs the library's initialisers.
 *
 * @throws {LoadError} `Io`, with the system's own reason.
 */
function openHostLibrary(linker: DynamicLinker, name: string): Deno.PointerObject {
  const handle = linker.open(name);
  if (handle !== null) return handle;
  const reason = linker.failure() ?? "the system does not find or accept it";
  throw new LoadError("Io", `Cannot open host library: ${reason}`, {
    path: name,
    hint: "give the library's full path, or a name that the system's dynamic linker finds",
  });
}

/** A name for the dynamic linker: the path that a `file:` URL stands for, or the name as it is. */
function libraryName(name: string | URL): string {
  if (typeof name === "string" && !name.startsWith("file:")) return name;
  const url = new URL(name);
  if (url.protocol === "file:" && (url.hostname === "" || PATHS_NAME_HOSTS)) return fromFileUrl(url);
  const problem = url.protocol === "file:"
    ? `the URL names another host, '${url.hostname}'`
    : `a ${url.protocol} URL is not a file: URL`;
  throw new LoadError("Io", `Cannot open host library: ${problem}`, {
    path: url.href,
    hint: "give the path of a file on this machine, such as file:///path",
  });
}
