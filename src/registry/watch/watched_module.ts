/**
 * A module of a registry as a watch sees it: is its file still what runs, and
 * if not, put it in place.
 */

import type { CarryReport } from "../../module/carry.ts";
import type { Entry } from "../catalog.ts";
import { LoadError } from "../../errors.ts";
import { type FileFacts, isSameFile } from "../../load/file/stamp.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { HeaderFlag } from "../../smf/enums.ts";
import { parseSmf } from "../../smf/file.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Watched } from "./watch.ts";

/** What a watched module needs of its registry. */
export interface WatchedOptions {
  /** As it was asked for. */
  readonly path: string;
  /** Whether modules that are not marked RELOADABLE are reloaded too. */
  readonly force: boolean;
  /** What is loaded under the path now: it may have been unloaded and loaded again. */
  find(): Entry | undefined;
  /** Reloads it. */
  replace(entry: Entry, bytes: Uint8Array): CarryReport | undefined;
}

/** See above. Keeps no module alive that nobody else does. */
export class WatchedModule implements Watched {
  readonly path: string;
  readonly #options: WatchedOptions;
  /** What the watch knows the contents of: a module with so many versions. */
  #seen: { readonly entry: WeakRef<Entry>; readonly newest: number; readonly bytes: Uint8Array } | undefined;
  #held: WeakRef<ModuleVersion> | undefined;

  constructor(options: WatchedOptions) {
    this.path = options.path;
    this.#options = options;
  }

  mayReload(): boolean {
    const entry = this.#options.find();
    if (entry === undefined || this.#options.force) return true;
    return (entry.exports.version.image.file.header.flags & HeaderFlag.Reloadable) !== 0;
  }

  isLoaded(bytes: Uint8Array, info: FileFacts): boolean {
    const entry = this.#options.find();
    if (entry === undefined) return false;
    const seen = this.#seen;
    // What was reloaded by others since is known by its file only.
    if (seen?.entry.deref() === entry && seen.newest === entry.newest) return equalBytes(bytes, seen.bytes);
    const isLoaded = isReadFrom(entry.exports.version.image, bytes, info);
    if (isLoaded) this.#see(entry, bytes);
    return isLoaded;
  }

  reload(bytes: Uint8Array): { readonly version: number; readonly carried: CarryReport | undefined } {
    const entry = this.#options.find();
    if (entry === undefined) {
      throw new LoadError("Closed", "Cannot reload: the module was unloaded", { path: this.path });
    }
    const carried = this.#options.replace(entry, bytes);
    this.#see(entry, bytes);
    const { version } = entry.exports;
    // As the handle that reload() gives: it stays loaded, also when live bindings come and go.
    version.addHandle();
    this.#held?.deref()?.closeHandleQuietly();
    this.#held = new WeakRef(version);
    return { version: version.number, carried };
  }

  #see(entry: Entry, bytes: Uint8Array): void {
    this.#seen = { entry: new WeakRef(entry), newest: entry.newest, bytes };
  }
}

/** Whether an image was made of these bytes: by their hash, or by when the file was written. */
function isReadFrom({ file, stamp }: LoadedImage, bytes: Uint8Array, info: FileFacts): boolean {
  if (file.checksum === undefined) return stamp !== undefined && isSameFile(stamp, info);
  try {
    const now = parseSmf(bytes);
    return now.checksum !== undefined && now.header.moduleHash === file.header.moduleHash;
  } catch (error) {
    if (error instanceof LoadError) return false;
    throw error;
  }
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
