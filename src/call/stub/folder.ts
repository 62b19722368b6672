/**
 * Files that can be opened as libraries, for systems that open libraries from
 * a folder only (Windows).
 *
 * They lie in `simple-loader\<process id>` below the folder for temporary
 * files, under random names, each until its library is closed: a loaded
 * library cannot be deleted. What a process leaves behind that ends before it
 * has closed all, the next process to make such a file deletes.
 *
 * This takes `--allow-read` and `--allow-write` of `simple-loader`.
 */

import { LoadError } from "../../errors.ts";
import { openLibrary } from "../../os/library.ts";

/**
 * The functions that are used.
 *
 * | C declaration | failure |
 * |---|---|
 * | `DWORD GetTempPathW(DWORD length, LPWSTR buffer)` | 0 |
 * | `DWORD GetTempPath2W(DWORD length, LPWSTR buffer)` | 0; systems since 2021 have it |
 * | `HANDLE OpenProcess(DWORD access, BOOL inherit, DWORD id)` | NULL |
 * | `DWORD WaitForSingleObject(HANDLE handle, DWORD milliseconds)` | WAIT_FAILED |
 * | `BOOL CloseHandle(HANDLE handle)` | 0 |
 * | `DWORD GetLastError(void)` | never |
 */
const FUNCTIONS = {
  GetTempPathW: { parameters: ["u32", "buffer"], result: "u32" },
  GetTempPath2W: { parameters: ["u32", "buffer"], result: "u32", optional: true },
  OpenProcess: { parameters: ["u32", "i32", "u32"], result: "usize" },
  WaitForSingleObject: { parameters: ["usize", "u32"], result: "u32" },
  CloseHandle: { parameters: ["usize"], result: "i32" },
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

const SYNCHRONIZE = 0x0010_0000;
const WAIT_OBJECT_0 = 0;
const ERROR_INVALID_PARAMETER = 87;
/** MAX_PATH and a NUL; no folder for temporary files has a longer path. */
const LONGEST_PATH = 261;

/** The folder of this process. */
export class StubFolder implements Disposable {
  /** `simple-loader`, for the permission. */
  readonly parent: string;
  readonly #own: string;
  /** Files that could not be deleted when they should have been. */
  readonly #left = new Set<string>();

  /**
   * Deletes what processes that have ended left behind.
   *
   * @throws {LoadError} `PermissionDenied`, naming the folder.
   */
  constructor() {
    const { symbols, close } = openLibrary(["kernel32.dll"], FUNCTIONS);
    try {
      this.parent = `${temporaryFolder(symbols.GetTempPath2W ?? symbols.GetTempPathW)}simple-loader`;
      this.#own = `${this.parent}\\${Deno.pid}`;
      requirePermission(this.parent);
      sweep(this.parent, (id) => {
        const handle = symbols.OpenProcess(SYNCHRONIZE, 0, id);
        if (handle === 0n) return symbols.GetLastError() === ERROR_INVALID_PARAMETER;
        const ended = symbols.WaitForSingleObject(handle, 0) === WAIT_OBJECT_0;
        symbols.CloseHandle(handle);
        return ended;
      });
    } finally {
      close();
    }
  }

  /**
   * Writes a file.
   *
   * @returns its path, to be given to {@linkcode StubFolder.remove}.
   * @throws {LoadError} `Io`.
   */
  write(bytes: Uint8Array): string {
    const path = `${this.#own}\\${crypto.randomUUID()}.dll`;
    try {
      for (let attempt = 1;; attempt++) {
        Deno.mkdirSync(this.#own, { recursive: true });
        try {
          Deno.writeFileSync(path, bytes, { createNew: true });
          return path;
        } catch (error) {
          // Another isolate may have had no use for the folder in the meantime.
          if (!(error instanceof Deno.errors.NotFound) || attempt === 3) throw error;
        }
      }
    } catch (error) {
      throw new LoadError("Io", "Cannot make stub library: its file could not be written", { path }, {
        cause: error,
      });
    }
  }

  /** Deletes a file, now or when it can be. */
  remove(path: string): void {
    this.#left.add(path);
    for (const left of this.#left) if (removed(left)) this.#left.delete(left);
  }

  [Symbol.dispose](): void {
    for (const left of this.#left) removed(left);
    removed(this.#own);
  }
}

function temporaryFolder(find: (length: number, buffer: BufferSource) => number): string {
  const path = new Uint16Array(LONGEST_PATH);
  const length = find(path.length, path);
  if (length === 0 || length >= path.length) {
    throw new LoadError("Unsupported", "Cannot make stub library: the system names no temporary folder");
  }
  return String.fromCharCode(...path.subarray(0, length));
}

/** Never asks the user: nobody expects a question from a first call. */
function requirePermission(path: string): void {
  for (const name of ["read", "write"] as const) {
    if (Deno.permissions.querySync({ name, path }).state === "granted") continue;
    throw new LoadError(
      "PermissionDenied",
      `Cannot make stub library: it needs --allow-read and --allow-write of '${path}'`,
      { path },
    );
  }
}

/** Deletes the folders of processes that have ended. */
function sweep(parent: string, hasEnded: (process: number) => boolean): void {
  for (const { name } of entries(parent)) {
    const id = Number(name);
    if (!Number.isInteger(id) || id === Deno.pid || !hasEnded(id)) continue;
    const folder = `${parent}\\${name}`;
    for (const file of entries(folder)) removed(`${folder}\\${file.name}`);
    removed(folder);
  }
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch {
    return [];
  }
}

/** Whether a file or an empty folder is gone now. */
function removed(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
