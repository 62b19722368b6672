/**
 * A module of a registry for a watch: tells whether the current version was
 * read from what the file holds now, and reloads it if not.
 */

import type { CarryReport } from "../../module/carry.ts";
import type { Entry } from "../catalog.ts";
import { attempt, ignore, LoadError } from "../../errors/load_error.ts";
import { type FileFacts, isSameFile } from "../../load/file/stamp.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { HeaderFlag } from "../../smf/enums.ts";
import { equalBytes } from "../../smf/equal.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Watched } from "./watch.ts";

/** A watched module's access to its registry. */
export interface WatchedOptions {
  /** The module's path, as it was loaded. */
  readonly path: string;
  /** Whether new versions that are not marked RELOADABLE are taken, too. */
  readonly force: boolean;
  /** Finds the module that is loaded under the path now; it may have been unloaded and loaded again. */
  find(): Entry | undefined;
  /** Reloads the module from the bytes of its file. */
  reload(entry: Entry, bytes: Uint8Array): CarryReport | undefined;
}

/**
 * Compares a module with its file and reloads it. Keeps a version that it has
 * reloaded until the next, as a handle would, but does not keep it from being
 * garbage collected.
 */
export class WatchedModule implements Watched {
  readonly path: string;
  readonly #options: WatchedOptions;
  /** The bytes of the file when it last agreed with the module, and how many versions that had then. */
  #seen:
    | { readonly entry: WeakRef<Entry>; readonly highestNumber: number; readonly bytes: Uint8Array }
    | undefined;
  /** The bytes that were parsed last: one look asks several questions of them. */
  #parsed: { readonly bytes: Uint8Array; readonly file: ParsedSmf | undefined } | undefined;
  /** The version that the watch reloaded last. */
  #reloaded: WeakRef<ModuleVersion> | undefined;

  constructor(options: WatchedOptions) {
    this.path = options.path;
    this.#options = options;
  }

  noticed(): void {
    this.#options.find()?.exports.version.image.identity.trace?.({ kind: "watch" });
  }

  refusal(bytes: Uint8Array): string | undefined {
    if (this.#options.force) return undefined;
    const now = this.#parse(bytes);
    // Loading says what is wrong with a file that cannot be parsed.
    if (now === undefined || (now.header.flags & HeaderFlag.Reloadable) !== 0) return undefined;
    return "the new version is not marked as reloadable";
  }

  isHashed(bytes: Uint8Array): boolean {
    return this.#parse(bytes)?.checksum !== undefined;
  }

  isLoaded(bytes: Uint8Array, info: FileFacts): boolean {
    const entry = this.#options.find();
    if (entry === undefined) return false;
    const seen = this.#seen;
    // A version that somebody else has loaded since is compared by its file's hash or time instead.
    if (seen?.entry.deref() === entry && seen.highestNumber === entry.highestNumber) {
      return equalBytes(bytes, seen.bytes);
    }
    const isLoaded = isReadFrom(entry.exports.version.image, () => this.#parse(bytes), info);
    if (isLoaded) this.#see(entry, bytes);
    return isLoaded;
  }

  reload(bytes: Uint8Array): { readonly version: number; readonly carried: CarryReport | undefined } {
    const entry = this.#options.find();
    if (entry === undefined) {
      throw new LoadError("Closed", "Cannot reload: the module was unloaded", {
        path: this.path,
        hint: "load the module again: the watch goes on with it",
      });
    }
    const carried = this.#options.reload(entry, bytes);
    this.#see(entry, bytes);
    const { version } = entry.exports;
    // Counts as a handle, so that the version stays loaded when live bindings come and go.
    version.addHandle();
    this.#reloaded?.deref()?.closeHandleQuietly();
    this.#reloaded = new WeakRef(version);
    return { version: version.number, carried };
  }

  /** Returns the parts of a file; undefined if it is not a whole module. */
  #parse(bytes: Uint8Array): ParsedSmf | undefined {
    if (this.#parsed?.bytes !== bytes) {
      this.#parsed = { bytes, file: attempt(ignore, () => parseSmf(bytes)) };
    }
    return this.#parsed.file;
  }

  #see(entry: Entry, bytes: Uint8Array): void {
    this.#parsed = undefined;
    this.#seen = { entry: new WeakRef(entry), highestNumber: entry.highestNumber, bytes };
  }
}

/** Whether an image was made of these bytes: by their hash, or, without one, by the time that the file was written. */
function isReadFrom(
  { file, stamp }: LoadedImage,
  read: () => ParsedSmf | undefined,
  info: FileFacts,
): boolean {
  if (file.checksum === undefined) return stamp !== undefined && isSameFile(stamp, info);
  const now = read();
  return now?.checksum !== undefined && now.header.moduleHash === file.header.moduleHash;
}
