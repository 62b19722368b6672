/**
 * Objects by the contents of everything that they are made of: command, compiler, source, and the headers that the
 * compiler has read.
 *
 * A file for each command and source lists the latest results: the dependencies of each with their hashes, the places
 * where other headers would be found if they existed, and the names of the objects.
 */
import { join } from "../os/path.ts";
import { hexBytes } from "../smf/hex_bytes.ts";
import { replaceFile, within } from "./files.ts";
import { isAnyThere } from "./headers.ts";

/** The version of the lists; others are ignored. */
const LIST_VERSION = 2;

/** How many results a list has: enough to go back and forth between some states of a source. */
const MOST_RESULTS = 8;

/** How many it has whose objects take more bytes than that together, as the standard library of Rust does. */
const MOST_LARGE_RESULTS = 2, LARGE = 8 * 2 ** 20;

/** The result of compiling a source. */
export interface CompiledObjects {
  /** The object, and the archive that it needs, if there is one. */
  readonly objects: readonly Uint8Array[];
  /** The files that the compiler has read, without files of the system. */
  readonly dependencies: readonly string[];
  /** The paths where a new file may change the result. */
  readonly absent: readonly string[];
  /** The warnings, as the compiler has printed them. */
  readonly output: string;
}

interface Result {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly absent: readonly string[];
  /** The names of files. */
  readonly objects: readonly string[];
  readonly output: string;
}

/** The objects in one folder. */
export class ObjectCache {
  readonly #folder: string;
  readonly #base: string;

  /**
   * @param folder The folder of the cache, which exists.
   * @param base The folder that relative dependencies start at.
   */
  constructor(folder: string, base: string) {
    this.#folder = folder;
    this.#base = base;
  }

  /** Finds the objects of a command whose dependencies are all unchanged, and which would find no other ones. */
  async find(key: string): Promise<CompiledObjects | undefined> {
    // Most results have the same headers.
    const hashes = new Map<string, string | undefined>();
    for (const { dependencies, absent, objects, output } of this.#list(key)) {
      let isCurrent = !isAnyThere(absent, this.#base);
      for (const [path, hash] of Object.entries(dependencies)) {
        if (!hashes.has(path)) hashes.set(path, await this.#hashOf(path));
        if (hashes.get(path) !== hash) isCurrent = false;
      }
      if (!isCurrent) continue;
      const found = objects.map((name) => readIfThere(join(this.#folder, name)));
      if (found.every((bytes) => bytes !== undefined)) {
        return { objects: found, dependencies: Object.keys(dependencies), absent, output };
      }
    }
    return undefined;
  }

  /**
   * Keeps objects, unless one of the dependencies cannot be read or has changed since the compiler started.
   *
   * @param started When the compiler started, in milliseconds since 1970.
   */
  async keep(
    key: string,
    { objects, dependencies, absent, output }: CompiledObjects,
    started: number,
  ): Promise<void> {
    const hashes: Record<string, string> = {};
    for (const path of dependencies) {
      const hash = await this.#hashOf(path, started);
      if (hash === undefined) return;
      hashes[path] = hash;
    }
    const stem = (await hashText(JSON.stringify([key, hashes]))).slice(0, 32);
    const names = objects.map((_, index) => `${stem}.${index === 0 ? "o" : "a"}`);
    objects.forEach((bytes, index) => replaceFile(join(this.#folder, names[index]), bytes));
    const size = objects.reduce((sum, { length }) => sum + length, 0);
    const others = this.#list(key).filter((result) => result.objects[0] !== names[0]);
    const results = [{ dependencies: hashes, absent, objects: names, output }, ...others];
    for (const { objects } of results.splice(size > LARGE ? MOST_LARGE_RESULTS : MOST_RESULTS)) {
      for (const name of objects) removeIfThere(join(this.#folder, name));
    }
    const list = JSON.stringify({ version: LIST_VERSION, results });
    replaceFile(join(this.#folder, `${key}.json`), new TextEncoder().encode(list));
  }

  #list(key: string): readonly Result[] {
    const bytes = readIfThere(join(this.#folder, `${key}.json`));
    if (bytes === undefined) return [];
    try {
      const { version, results } = JSON.parse(new TextDecoder().decode(bytes));
      return version === LIST_VERSION ? results : [];
    } catch {
      // A list that something has damaged costs a compilation.
      return [];
    }
  }

  /** The hash of a file; undefined if it cannot be read, or has changed after a time. */
  async #hashOf(path: string, before = Infinity): Promise<string | undefined> {
    const file = within(this.#base, path);
    try {
      if (before !== Infinity && (Deno.statSync(file).mtime?.getTime() ?? 0) > before) return undefined;
      return await hash(Deno.readFileSync(file));
    } catch {
      return undefined;
    }
  }
}

/** SHA-256 as hexadecimal digits. */
async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hexBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** SHA-256 of the UTF-8 of a text, as hexadecimal digits. */
export function hashText(text: string): Promise<string> {
  return hash(new TextEncoder().encode(text));
}

function readIfThere(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
