/**
 * Files that can be opened as libraries, for Windows, which opens libraries from
 * a folder only.
 *
 * They lie in `simple-loader\<process id>` below the folder for temporary
 * files, under random names. Each is deleted when its library is closed, since
 * a loaded library cannot be deleted. If a process ends before it has closed
 * all, the next process to make such a file deletes the rest.
 *
 * This takes `--allow-read` and `--allow-write` of `simple-loader`.
 */

import { LoadError } from "../../errors/load_error.ts";
import { openLibrary } from "../../os/library.ts";

const FUNCTIONS = {
  // DWORD GetTempPathW(DWORD nBufferLength, LPWSTR lpBuffer); 0
  GetTempPathW: { parameters: ["u32", "buffer"], result: "u32" },
  // DWORD GetTempPath2W(DWORD BufferLength, LPWSTR Buffer); 0. Systems since 2021 have it.
  GetTempPath2W: { parameters: ["u32", "buffer"], result: "u32", optional: true },
  // HANDLE OpenProcess(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwProcessId); NULL
  OpenProcess: { parameters: ["u32", "i32", "u32"], result: "usize" },
  // DWORD WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds); WAIT_FAILED, which is 0xffffffff
  WaitForSingleObject: { parameters: ["usize", "u32"], result: "u32" },
  // BOOL CloseHandle(HANDLE hObject); 0
  CloseHandle: { parameters: ["usize"], result: "i32" },
  // DWORD GetLastError(void); cannot fail
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

const SYNCHRONIZE = 0x0010_0000;
const WAIT_OBJECT_0 = 0;
const ERROR_INVALID_PARAMETER = 87;
/** MAX_PATH and a NUL; no folder for temporary files has a longer path. */
const LONGEST_PATH = 261;

/** The folder for this process's stub libraries. */
export class StubFolder implements Disposable {
  /** The path of `simple-loader`, which permissions must allow. */
  readonly parent: string;
  readonly #own: string;
  /** Files that could not be deleted yet. */
  readonly #undeleted = new Set<string>();

  /**
   * Deletes the files that processes left behind when they ended.
   *
   * Platforms: Windows only.
   *
   * @throws {LoadError} `PermissionDenied`, naming the folder.
   */
  constructor() {
    using library = openLibrary(["kernel32.dll"], FUNCTIONS);
    const { symbols } = library;
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
          // Another isolate of this process may have deleted the folder in the meantime.
          if (!(error instanceof Deno.errors.NotFound) || attempt === 3) throw error;
        }
      }
    } catch (error) {
      throw new LoadError("Io", "Cannot make stub library: its file cannot be written", {
        path,
        hint: "check that the folder for temporary files can be written to and is not full",
      }, { cause: error });
    }
  }

  /** Deletes a file, now or as soon as the system allows it. */
  remove(path: string): void {
    this.#undeleted.add(path);
    for (const file of this.#undeleted) if (tryRemove(file)) this.#undeleted.delete(file);
  }

  [Symbol.dispose](): void {
    for (const file of this.#undeleted) tryRemove(file);
    tryRemove(this.#own);
  }
}

function temporaryFolder(find: (length: number, buffer: BufferSource) => number): string {
  const path = new Uint16Array(LONGEST_PATH);
  const length = find(path.length, path);
  if (length === 0 || length >= path.length) {
    throw new LoadError(
      "Unsupported",
      "Cannot make stub library: the system has no folder for temporary files",
      {
        hint: "set the environment variable TMP to a folder that exists",
      },
    );
  }
  return String.fromCharCode(...path.subarray(0, length));
}

/** Queries permissions without prompting: nobody expects a prompt at a first call. */
function requirePermission(path: string): void {
  for (const name of ["read", "write"] as const) {
    if (Deno.permissions.querySync({ name, path }).state === "granted") continue;
    throw new LoadError(
      "PermissionDenied",
      `Cannot make stub library: it needs --allow-read and --allow-write of '${path}'`,
      { path, hint: 'grant both, or bind with callPath "pointer", which needs no stub library' },
    );
  }
}

/** Deletes the folders of processes that have ended. */
function sweep(parent: string, hasEnded: (process: number) => boolean): void {
  for (const { name } of entries(parent)) {
    const id = Number(name);
    if (!Number.isInteger(id) || id === Deno.pid || !hasEnded(id)) continue;
    const folder = `${parent}\\${name}`;
    for (const file of entries(folder)) tryRemove(`${folder}\\${file.name}`);
    tryRemove(folder);
  }
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch {
    return [];
  }
}

/** Deletes a file or an empty folder; answers whether it is gone. */
function tryRemove(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
