/**
 * Module files: opened, checked and read by seeks, never mapped and, beyond
 * small ones, never read as a whole. One sequence of steps serves both the synchronous and the
 * asynchronous functions.
 */

import { fromFileUrl } from "@std/path";
import { inFile, LoadError } from "../../errors.ts";
import { type FileStamp, isSameInode, isSameMoment, stampOf } from "./stamp.ts";
import { Integrity } from "../../smf/integrity.ts";
import { ReadAhead, WINDOW } from "./read_ahead.ts";
import type { ReadRequest } from "../../smf/reader.ts";
import { PATHS_NAME_HOSTS } from "../../os/path.ts";

/** The largest module file that is opened, in bytes: 1 GiB. */
export const MAX_FILE_SIZE = 0x4000_0000;

/** What the steps yield when they have read all that they want of the file. */
export const CHECK_UNCHANGED = Symbol("reading ends");

/**
 * Steps that turn a file of a known size into something: they yield what they
 * want read, then {@linkcode CHECK_UNCHANGED}. A failed read is thrown into them.
 */
export type FileReading<T> = (
  size: number,
  stamp?: FileStamp,
) => Generator<ReadRequest | typeof CHECK_UNCHANGED, T, Uint8Array>;

/** The path of a module: a string stays as it is, a `file:` URL becomes a path. */
export function pathOf(path: string | URL): string {
  if (typeof path === "string") return path;
  if (path.protocol !== "file:") {
    throw new LoadError("Io", `Cannot open module: only file: URLs can be opened, not ${path.protocol}`, {
      path: path.href,
    });
  }
  if (path.hostname !== "" && !PATHS_NAME_HOSTS) {
    throw new LoadError("Io", `Cannot open module: the URL names another host, '${path.hostname}'`, {
      path: path.href,
    });
  }
  return fromFileUrl(path);
}

/**
 * Steps that read the whole file once, check it, and run other steps over these
 * very bytes: nobody can change them in between.
 *
 * @param integrity What the bytes have to be.
 * @param steps Given the integrity string of the bytes.
 */
export function checkedSteps<T>(
  integrity: string,
  steps: (actual: string) => FileReading<T>,
): FileReading<T> {
  return function* (size, stamp) {
    const expected = new Integrity(integrity);
    const bytes = yield* wholeFile(size);
    return readBytes(bytes, steps(expected.check(bytes)), stamp);
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
    throw new LoadError("OutOfMemory", "Cannot read the whole module: no memory", { size }, {
      cause,
    });
  }
}

/**
 * Runs steps over bytes in memory. What they are given are copies.
 *
 * @param stamp Of the file that they were read from, if there is one.
 */
export function readBytes<T>(bytes: Uint8Array, steps: FileReading<T>, stamp?: FileStamp): T {
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
 * they run once more, over that one.
 *
 * @throws {LoadError} `Io`, `PermissionDenied`, and whatever the steps throw.
 */
export function readFile<T>(path: string, steps: FileReading<T>): T {
  // Opening a FIFO would wait for its other end: look first.
  const looked = system(path, () => checkKind(Deno.statSync(path)));
  using file = system(path, () => Deno.openSync(path));
  const run = (before: Deno.FileInfo): T => {
    const ahead = new ReadAhead(before.size);
    let position = before === looked ? 0 : NaN;
    const read = (request: ReadRequest): Uint8Array => {
      const wide = ahead.widen(request);
      const { offset, into } = wide;
      if (offset !== position) file.seekSync(offset, Deno.SeekMode.Start);
      position = NaN; // Until it is known again.
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
  };
  try {
    return run(looked);
  } catch (error) {
    let opened = looked;
    try {
      opened = file.statSync();
    } catch {
      // Why the steps failed is what counts.
    }
    if (isSameInode(looked, opened)) throw error;
    return run(inFile(path, () => checkKind(opened)));
  }
}

/** As {@linkcode readFile}, without blocking the event loop. */
export async function readFileAsync<T>(path: string, steps: FileReading<T>): Promise<T> {
  const looked = await systemAsync(path, async () => checkKind(await Deno.stat(path)));
  using file = await systemAsync(path, () => Deno.open(path));
  const run = async (before: Deno.FileInfo): Promise<T> => {
    const ahead = new ReadAhead(before.size);
    let position = before === looked ? 0 : NaN;
    const read = async (request: ReadRequest): Promise<Uint8Array> => {
      const wide = ahead.widen(request);
      const { offset, into } = wide;
      if (offset !== position) await file.seek(offset, Deno.SeekMode.Start);
      position = NaN; // Until it is known again.
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
        // What is there already needs no turn of the event loop.
        (request) => ahead.serve(request) ?? systemAsync(path, () => read(request)),
        () => systemAsync(path, async () => checkUnchanged(before, await file.stat())),
      );
    } catch (error) {
      return inFile(path, () => {
        throw error;
      });
    }
  };
  try {
    return await run(looked);
  } catch (error) {
    const opened = await file.stat().catch(() => looked);
    if (isSameInode(looked, opened)) throw error;
    return await run(inFile(path, () => checkKind(opened)));
  }
}

/** The canonical path of a file: one file, one answer, whatever links lead to it. */
export function realPath(path: string): string {
  return system(path, () => Deno.realPathSync(path));
}

/** As {@linkcode realPath}, without blocking the event loop. */
export function realPathAsync(path: string): Promise<string> {
  return systemAsync(path, () => Deno.realPath(path));
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

function drive<T>(
  steps: ReturnType<FileReading<T>>,
  read: (request: ReadRequest) => Uint8Array,
  end: () => void,
): T {
  let step = steps.next(NO_BYTES);
  while (!step.done) {
    let bytes = NO_BYTES;
    try {
      if (step.value === CHECK_UNCHANGED) end();
      else bytes = read(step.value);
    } catch (error) {
      // The steps release what they hold and throw it again.
      step = steps.throw(error);
      continue;
    }
    step = steps.next(bytes);
  }
  return step.value;
}

async function driveAsync<T>(
  steps: ReturnType<FileReading<T>>,
  read: (request: ReadRequest) => Promise<Uint8Array> | Uint8Array,
  end: () => Promise<void>,
): Promise<T> {
  let step = steps.next(NO_BYTES);
  while (!step.done) {
    let bytes = NO_BYTES;
    try {
      if (step.value === CHECK_UNCHANGED) await end();
      else {
        const found = read(step.value);
        bytes = found instanceof Promise ? await found : found;
      }
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(bytes);
  }
  return step.value;
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
    });
  }
  return info;
}

function endsEarly(request: ReadRequest, filled: number): LoadError {
  return new LoadError("Io", "Cannot read module: the file ends before the bytes it announces", {
    offset: request.offset + filled,
    size: request.length,
  });
}

/** A file that was written meanwhile may be half old and half new. */
function checkUnchanged(before: Deno.FileInfo, after: Deno.FileInfo): void {
  if (isSameMoment(before, after)) return;
  throw new LoadError("Io", "Cannot read module: the file was changed while it was read", {
    size: after.size,
  });
}

/** Runs nothing but Deno's file functions, so that no error of other code is taken for theirs. */
function system<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromSystem(error, path);
  }
}

/** As {@linkcode system}. */
async function systemAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromSystem(error, path);
  }
}

/**
 * The one place where errors of Deno's file functions become ours.
 *
 * @param path Of the module.
 * @param task What was tried, and what has to be readable for that.
 */
export function fromSystem(error: unknown, path: string, task = { verb: "read", needs: path }): LoadError {
  if (error instanceof LoadError) return error.locate({ path });
  const cannot = `Cannot ${task.verb} module:`;
  if (error instanceof Deno.errors.NotCapable) {
    const problem = `${cannot} run with --allow-read=${task.needs}`;
    return new LoadError("PermissionDenied", problem, { path }, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new LoadError("Io", `${cannot} ${reason}`, { path }, { cause: error });
}
