/**
 * Files that can be opened as libraries, for Windows, which opens libraries from
 * a folder only.
 *
 * They lie in `simple-loader\<process id>` below the folder for temporary
 * files, under random names. Each is deleted when its library is closed, since
 * a loaded library cannot be deleted. If a process ends before it has closed
 * all, the next process to make such a file deletes the rest.
 *
 * Both folders are made for this user alone. The folder for temporary files may
 * be one of several users; so folders that exist are used, and their files
 * deleted, only if no other user can change them, and stay open meanwhile.
 *
 * This takes `--allow-read` and `--allow-write` of `simple-loader`.
 */

import { LoadError } from "../../errors/load_error.ts";
import { wideText } from "../../os/c_strings.ts";
import { openLibrary } from "../../os/library.ts";
import { type PrivateFolder, PrivateFolders } from "../../os/private_folder.ts";

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
  readonly #folders: PrivateFolders;
  readonly #owned: DisposableStack;
  /** This process's own folder; absent until a file is written. */
  #own: PrivateFolder | undefined;
  /** Files that could not be deleted yet. */
  readonly #undeleted = new Set<string>();

  /**
   * Deletes the files that processes left behind when they ended.
   *
   * Platforms: Windows only.
   *
   * @throws {LoadError} `PermissionDenied`, naming the folder; `Unsupported` if another user can change it; `Io`.
   */
  constructor() {
    using library = openLibrary(["kernel32.dll"], FUNCTIONS);
    const { symbols } = library;
    const path = `${temporaryFolder(symbols.GetTempPath2W ?? symbols.GetTempPathW)}simple-loader`;
    requirePermission(path);
    using opening = new DisposableStack();
    this.#folders = opening.use(new PrivateFolders("make stub library"));
    this.parent = opening.use(this.#folders.open(path, { create: true })).path;
    if (this.parent !== path) requirePermission(this.parent);
    sweep(this.parent, this.#folders, (id) => {
      const handle = symbols.OpenProcess(SYNCHRONIZE, 0, id);
      if (handle === 0n) return symbols.GetLastError() === ERROR_INVALID_PARAMETER;
      const ended = symbols.WaitForSingleObject(handle, 0) === WAIT_OBJECT_0;
      symbols.CloseHandle(handle);
      return ended;
    });
    this.#owned = opening.move();
  }

  /**
   * Writes a file.
   *
   * @returns its path, to be given to {@linkcode StubFolder.remove}.
   * @throws {LoadError} `Io`; `Unsupported` if another user can change this process's folder.
   */
  write(bytes: Uint8Array): string {
    this.#own ??= this.#folders.open(`${this.parent}\\${Deno.pid}`, { create: true });
    const path = `${this.#own.path}\\${crypto.randomUUID()}.dll`;
    try {
      Deno.writeFileSync(path, bytes, { createNew: true });
      return path;
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
    if (this.#own !== undefined) {
      // An open folder cannot be deleted; while another isolate has it open, it stays.
      this.#own[Symbol.dispose]();
      tryRemove(this.#own.path);
      this.#own = undefined;
    }
    this.#owned.dispose();
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
  return wideText(path.subarray(0, length));
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

/** Deletes the folders of processes that have ended; leaves alone what is a link or not this user's. */
function sweep(parent: string, folders: PrivateFolders, hasEnded: (process: number) => boolean): void {
  for (const { name } of entries(parent)) {
    const id = Number(name);
    if (!Number.isInteger(id) || id === Deno.pid || !hasEnded(id)) continue;
    const folder = `${parent}\\${name}`;
    try {
      using _open = folders.open(folder);
      for (const file of entries(folder)) tryRemove(`${folder}\\${file.name}`);
    } catch {
      continue;
    }
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
