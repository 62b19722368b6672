/**
 * The folder `cache`, where records of checks are kept from one start of a
 * program to the next. Nobody but its user can open it, and every file in it is
 * checked when it is opened: what may be anybody's is never read.
 *
 * A record is written beside its place and renamed, so that it is there as a
 * whole or not at all. A file has one record, under a name that its path gives.
 */
import { LoadError } from "../../errors/load_error.ts";
import { resolve } from "../../os/path.ts";
import { whyNotOwn } from "../../os/owner.ts";
import { xxh32 } from "../../smf/hash.ts";
import { type FileStamp, isSettled } from "../file/stamp.ts";
import { type CheckRecord, decodeRecord, encodeRecord, keyOf } from "./record.ts";

/** The checks of one path, of which there may be a record. */
export interface KnownChecks {
  /** The record of a file in this state; undefined if there is none that can be trusted. */
  find(stamp: FileStamp): CheckRecord | undefined;
  /** Keeps a record for later, if that is possible. */
  keep(stamp: FileStamp, record: CheckRecord): void;
}

/** The most bytes of a record: no file has as many relocations. */
const LARGEST = 1 << 28;
/** The age in milliseconds from which a file that was to become a record is what a killed process has left. */
const ABANDONED = 60_000;

const encoder = new TextEncoder();

/** A folder of records. */
export class CheckCache {
  readonly #folder: string;
  readonly #pageSize: () => number;
  #isOpen = false;

  /** @param pageSize Bytes in a page, on which checks depend. */
  constructor(folder: string, pageSize: () => number) {
    this.#folder = folder;
    this.#pageSize = pageSize;
  }

  /**
   * The checks of the file at a path. Its functions throw a {@linkcode LoadError}: `PermissionDenied`; `Io` if the
   * folder cannot be made, or if others may open it; `Unsupported`.
   */
  of(path: string): KnownChecks {
    return {
      find: (stamp) => {
        this.#open();
        const key = keyOf(stamp, this.#pageSize());
        const found = key && this.#permitted(() => ifThere(() => readOwn(this.#fileOf(path))));
        return found && decodeRecord(found, key);
      },
      keep: (stamp, record) => {
        this.#open();
        const key = isSettled(stamp) ? keyOf(stamp, this.#pageSize()) : undefined;
        if (key !== undefined) {
          this.#permitted(() => write(this.#fileOf(path), encodeRecord(key, record)));
        }
      },
    };
  }

  /** The record's path. */
  #fileOf(path: string): string {
    const bytes = encoder.encode(resolve(path));
    const hex = (seed: number): string => xxh32(bytes, seed).toString(16).padStart(8, "0");
    return `${this.#folder}/${hex(0)}${hex(1)}.checks`;
  }

  /** Makes the folder if it is not there, and checks whose it is. */
  #open(): void {
    if (this.#isOpen) return;
    const folder = this.#folder;
    const info = this.#permitted(() => {
      try {
        Deno.mkdirSync(folder, { mode: 0o700 });
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
      return Deno.lstatSync(folder);
    });
    if (info.uid === null) {
      throw new LoadError("Unsupported", "Cannot use cache: this system does not tell to whom files belong", {
        path: folder,
        hint: "leave out the option `cache` on this system",
      });
    }
    const reason = info.isDirectory || info.isSymlink ? whyNotOwn(info) : "it is not a folder";
    if (reason !== undefined) {
      throw new LoadError("Io", `Cannot use cache: ${reason}`, {
        path: folder,
        hint: "name a folder of your own that nobody else can open (chmod 700), or one that is not there yet",
      });
    }
    this.#isOpen = true;
  }

  /** Runs file functions; turns their errors into such that name the folder and its permissions. */
  #permitted<T>(work: () => T): T {
    const path = this.#folder;
    try {
      return work();
    } catch (error) {
      if (error instanceof LoadError) throw error;
      if (error instanceof Deno.errors.NotCapable) {
        const problem = `Cannot use cache: it needs --allow-read=${path} and --allow-write=${path}`;
        throw new LoadError("PermissionDenied", problem, { path }, { cause: error });
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new LoadError("Io", `Cannot use cache: ${reason}`, {
        path,
        hint: "name a folder that exists, or one in a folder that does",
      }, { cause: error });
    }
  }
}

/** Returns undefined for what cannot be read, but throws if a permission is missing. */
function ifThere<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

/** The bytes of a file that nobody but the user can have written; undefined if that is not certain. */
function readOwn(path: string): Uint8Array<ArrayBuffer> | undefined {
  const named = Deno.lstatSync(path);
  if (!isOwnFile(named)) return undefined;
  using file = Deno.openSync(path);
  const opened = file.statSync();
  // Another file may have been put there in between, or a link to one.
  if (!isOwnFile(opened) || opened.dev !== named.dev || opened.ino !== named.ino) return undefined;
  const bytes = new Uint8Array(opened.size);
  for (let filled = 0; filled < bytes.length;) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) return undefined;
    filled += count;
  }
  return bytes;
}

function isOwnFile(info: Deno.FileInfo): boolean {
  return info.isFile && info.size <= LARGEST && whyNotOwn(info) === undefined;
}

/** Writes a record if that is possible: a program can do without. */
function write(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  const isMade = ifThere(() => {
    Deno.writeFileSync(temporary, bytes, { createNew: true, mode: 0o600 });
    return true;
  });
  if (isMade !== true) {
    // Another process is writing the same record, or has been killed while it was.
    ifThere(() => {
      const { mtime } = Deno.lstatSync(temporary);
      if (mtime !== null && mtime.getTime() + ABANDONED < Date.now()) Deno.removeSync(temporary);
    });
    return;
  }
  const isPlaced = ifThere(() => {
    Deno.renameSync(temporary, path);
    return true;
  });
  if (isPlaced !== true) ifThere(() => Deno.removeSync(temporary));
}
