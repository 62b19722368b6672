/**
 * Module files: opened, checked and read by seeks. A file is never mapped and,
 * unless it is small or its integrity is checked, never read as a whole.
 */

import { inFile, LoadError } from "../../errors/load_error.ts";
import { type FileStamp, isUnchanged, stampOf } from "./stamp.ts";
import { CHECK_UNCHANGED, drive, driveAsync, type FileReading } from "./reading.ts";
import { Integrity } from "../../smf/integrity.ts";
import type { TrustedKeys } from "../../smf/trust.ts";
import { ReadAhead, WINDOW } from "./read_ahead.ts";
import type { ReadRequest } from "../../smf/reader.ts";
import { fromFileUrl, PATHS_NAME_HOSTS, resolve } from "../../os/path.ts";

/** The largest module file that is opened, in bytes: 1 GiB. */
export const MAX_FILE_SIZE = 0x4000_0000;

/** Protocols by which Deno fetches modules, those of packages among them. */
const IS_REMOTE = /^https?:$/;

/**
 * The path of a module: a string stays as it is, a `file:` URL becomes a path.
 *
 * Platforms: a `file:` URL may name another host on Windows only.
 *
 * @throws {LoadError} `Io` for any other URL.
 * @throws {TypeError} If the path is neither a string nor a URL.
 */
export function pathOf(path: string | URL): string {
  if (typeof path === "string") return path;
  if (!(path instanceof URL)) {
    throw new TypeError(`Cannot open module: the path is ${kindOf(path)}, not a string or URL`);
  }
  if (path.protocol !== "file:") {
    throw new LoadError("Io", `Cannot open module: a ${path.protocol} URL is not a file: URL`, {
      path: path.href,
      hint: IS_REMOTE.test(path.protocol)
        ? "publish the module as TypeScript (smf embed MODULE -o FILE.ts), or fetch the bytes and load those (loadBytes)"
        : "fetch the bytes first and load those (loadBytes)",
    });
  }
  if (path.hostname !== "" && !PATHS_NAME_HOSTS) {
    throw new LoadError("Io", `Cannot open module: the URL names another host, '${path.hostname}'`, {
      path: path.href,
      hint: "give the path of a file on this machine, such as file:///path",
    });
  }
  return fromFileUrl(path);
}

/** @throws {TypeError} If the bytes of a module are not a Uint8Array. */
export function requireBytes(bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`Cannot read module: the bytes are ${kindOf(bytes)}, not a Uint8Array`);
}

/** @throws {TypeError} If the name that stands for a path is not a string. */
export function requireName(name: unknown): void {
  if (typeof name === "string") return;
  throw new TypeError(`Cannot read module: its name is ${kindOf(name)}, not a string`);
}

/** The kind of a value, for messages about values of the wrong kind. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return `${value}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  return `of type ${value.constructor?.name ?? "object"}`;
}

/** The checks of a file's bytes. */
export interface ByteChecks {
  /** The integrity string that they must have. */
  readonly integrity?: string | undefined;
  /** The keys of which one must have signed them. */
  readonly trust?: TrustedKeys | undefined;
}

/**
 * Steps that read the whole file once, check its bytes, and run other steps over
 * these very bytes, which nothing can change in between; without checks, just the
 * other steps.
 *
 * @param steps Made from the integrity string of the bytes, if that was checked.
 */
export function checkedSteps<T>(
  { integrity, trust }: ByteChecks,
  steps: (actual: string | undefined) => FileReading<T>,
): FileReading<T> {
  if (integrity === undefined && trust === undefined) return steps(undefined);
  return function* (size, stamp) {
    const expected = integrity === undefined ? undefined : new Integrity(integrity);
    const bytes = yield* wholeFile(size);
    const actual = expected?.check(bytes);
    trust?.check(bytes);
    return readBytes(bytes, steps(actual), stamp);
  };
}

/** Steps that read the whole file into a buffer of its own. */
export function* wholeFile(size: number): ReturnType<FileReading<Uint8Array>> {
  const bytes = privateBuffer(size);
  if (size > 0) yield { offset: 0, length: size, into: bytes };
  yield CHECK_UNCHANGED;
  return bytes;
}

function privateBuffer(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new LoadError("OutOfMemory", "Cannot read the whole module: memory is exhausted", {
      size,
      hint:
        "free memory, or load the module without `integrity` and `trust`, which need a buffer of the file's size",
    }, { cause });
  }
}

/**
 * Runs steps over bytes in memory. The steps get copies.
 *
 * @param stamp The state of the file that the bytes were read from, if there is one.
 */
export function readBytes<T>(bytes: Uint8Array, steps: FileReading<T>, stamp?: FileStamp): T {
  requireBytes(bytes);
  // One copy of a small file serves all requests.
  const small = bytes.length <= WINDOW ? bytes.slice() : undefined;
  const read = (request: ReadRequest): Uint8Array => {
    const { offset, length, into } = request;
    const end = offset + length;
    if (end > bytes.length) throw endsEarly(request, Math.max(0, bytes.length - offset));
    if (into === undefined) return small?.subarray(offset, end) ?? bytes.slice(offset, end);
    into.set(bytes.subarray(offset, end));
    return into;
  };
  return drive(steps(bytes.length, stamp), read, () => {});
}

/**
 * Runs steps over a file. If another file takes its place before it is open,
 * that one is read.
 *
 * @throws {LoadError} `Io`, `PermissionDenied`, and whatever the steps throw.
 */
export function readFile<T>(path: string, steps: FileReading<T>): T {
  // Opening a FIFO would wait for its other end, so its kind is checked before.
  system(path, () => checkKind(Deno.statSync(path)));
  using file = system(path, () => Deno.openSync(path));
  // Of the open file: another one may have been renamed into its place, with its inode number.
  const before = system(path, () => checkKind(file.statSync()));
  const ahead = new ReadAhead(before.size);
  let position = 0;
  const read = (request: ReadRequest): Uint8Array => {
    const wide = ahead.widen(request);
    const { offset, into } = wide;
    if (offset !== position) file.seekSync(offset, Deno.SeekMode.Start);
    position = NaN; // Unknown if a read fails.
    let filled = 0;
    while (filled < into.length) {
      const count = file.readSync(filled === 0 ? into : into.subarray(filled));
      if (count === null) throw endsEarly(request, filled);
      filled += count;
    }
    position = offset + filled;
    ahead.filled(wide, filled);
    return ahead.serve(request) ?? into;
  };
  return inFile(path, () =>
    drive(
      steps(before.size, stampOf(before)),
      (request) => ahead.serve(request) ?? system(path, () => read(request)),
      () => system(path, () => checkUnchanged(before, file.statSync())),
    ));
}

/** Like {@linkcode readFile}, without blocking the event loop. */
export async function readFileAsync<T>(path: string, steps: FileReading<T>): Promise<T> {
  await systemAsync(path, async () => checkKind(await Deno.stat(path)));
  using file = await systemAsync(path, () => Deno.open(path));
  const before = await systemAsync(path, async () => checkKind(await file.stat()));
  const ahead = new ReadAhead(before.size);
  let position = 0;
  const read = async (request: ReadRequest): Promise<Uint8Array> => {
    const wide = ahead.widen(request);
    const { offset, into } = wide;
    if (offset !== position) await file.seek(offset, Deno.SeekMode.Start);
    position = NaN; // Unknown if a read fails.
    let filled = 0;
    while (filled < into.length) {
      const count = await file.read(filled === 0 ? into : into.subarray(filled));
      if (count === null) throw endsEarly(request, filled);
      filled += count;
    }
    position = offset + filled;
    ahead.filled(wide, filled);
    return ahead.serve(request) ?? into;
  };
  try {
    return await driveAsync(
      steps(before.size, stampOf(before)),
      (request) => ahead.serve(request) ?? systemAsync(path, () => read(request)),
      () => systemAsync(path, async () => checkUnchanged(before, await file.stat())),
    );
  } catch (error) {
    return inFile(path, () => {
      throw error;
    });
  }
}

/** The canonical path of a file, the same whatever links lead to it. */
export function realPath(path: string): string {
  return system(path, () => Deno.realPathSync(path));
}

/** Like {@linkcode realPath}, without blocking the event loop. */
export function realPathAsync(path: string): Promise<string> {
  return systemAsync(path, () => Deno.realPath(path));
}

function checkKind(info: Deno.FileInfo): Deno.FileInfo {
  if (!info.isFile) {
    const kind = info.isDirectory
      ? "a directory"
      : info.isFifo
      ? "a FIFO"
      : info.isSocket
      ? "a socket"
      : "a device";
    throw new LoadError("Io", `Cannot read module: it is ${kind}, not a regular file`);
  }
  if (info.size > MAX_FILE_SIZE) {
    throw new LoadError("Io", "Cannot read module: the file is too large", {
      size: info.size,
      range: [0, MAX_FILE_SIZE + 1],
      hint: "check that the path names a module; one that large has to be split into several",
    });
  }
  return info;
}

function endsEarly(request: ReadRequest, filled: number): LoadError {
  return new LoadError("Io", "Cannot read module: the file ends before the bytes it announces", {
    offset: request.offset + filled,
    size: request.length,
    hint: REPLACE,
  });
}

/** Refuses a file that was written while it was read: it may be half old and half new. */
function checkUnchanged(before: Deno.FileInfo, after: Deno.FileInfo): void {
  if (isUnchanged(before, after)) return;
  throw new LoadError("Io", "Cannot read module: the file changed while it was read", {
    size: after.size,
    hint: REPLACE,
  });
}

const REPLACE =
  "wait until the file is written, and load it again; replace a file that is in use by renaming a new one over it";

/** Runs Deno's file functions and nothing else, so that no other error is taken for one of theirs. */
function system<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromSystem(error, path);
  }
}

/** Like {@linkcode system}, for asynchronous functions. */
async function systemAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromSystem(error, path);
  }
}

/**
 * Turns an error of Deno's file functions into a {@linkcode LoadError}.
 *
 * @param path The module's path.
 * @param task The verb for the message, and the path that must be readable.
 */
export function fromSystem(error: unknown, path: string, task = { verb: "read", needs: path }): LoadError {
  if (error instanceof LoadError) return error.locate({ path });
  const cannot = `Cannot ${task.verb} module:`;
  if (error instanceof Deno.errors.NotCapable) {
    const problem = `${cannot} it needs --allow-read=${task.needs}`;
    return new LoadError("PermissionDenied", problem, { path }, { cause: error });
  }
  if (error instanceof Deno.errors.NotFound && isWithoutDirectory(path)) {
    return new LoadError("Io", `${cannot} the path is relative, and the working directory was deleted`, {
      path,
      hint: "give an absolute path, or change to a directory that exists (Deno.chdir)",
    }, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new LoadError("Io", `${cannot} ${reason}`, { path }, { cause: error });
}

/** Whether a path cannot lead anywhere, because it is relative to a directory that is gone. */
function isWithoutDirectory(path: string): boolean {
  try {
    resolve(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
