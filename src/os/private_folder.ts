/**
 * Folders of Windows that no other user can change, for files that are opened as
 * libraries: where several users share a folder, another one may have made the
 * wanted path first, with open access, or as a link to somewhere else.
 *
 * Checks go by an open handle, not by the path, so that nothing can change between
 * a check and its use. As long as the handle is open, the system refuses to
 * delete, rename or replace the folder and the folders above it.
 */

import { LoadError } from "../errors/load_error.ts";
import { wideString, wideText } from "./c_strings.ts";
import { openLibrary } from "./library.ts";
import { addressOfBuffer } from "./pointer.ts";
import { privateDescriptor, sidAt, whyNotPrivate } from "./security_descriptor.ts";

const KERNEL32 = {
  // BOOL CreateDirectoryW(LPCWSTR lpPathName, LPSECURITY_ATTRIBUTES lpSecurityAttributes); 0
  CreateDirectoryW: { parameters: ["buffer", "buffer"], result: "i32" },
  // HANDLE CreateFileW(LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
  //   LPSECURITY_ATTRIBUTES lpSecurityAttributes, DWORD dwCreationDisposition,
  //   DWORD dwFlagsAndAttributes, HANDLE hTemplateFile); INVALID_HANDLE_VALUE, which is -1
  CreateFileW: { parameters: ["buffer", "u32", "u32", "usize", "u32", "u32", "usize"], result: "usize" },
  // BOOL GetFileInformationByHandle(HANDLE hFile, LPBY_HANDLE_FILE_INFORMATION lpFileInformation); 0
  GetFileInformationByHandle: { parameters: ["usize", "buffer"], result: "i32" },
  // DWORD GetFinalPathNameByHandleW(HANDLE hFile, LPWSTR lpszFilePath, DWORD cchFilePath, DWORD dwFlags);
  //   0, or the size that is needed if the buffer is too small
  GetFinalPathNameByHandleW: { parameters: ["usize", "buffer", "u32", "u32"], result: "u32" },
  // BOOL CloseHandle(HANDLE hObject); 0
  CloseHandle: { parameters: ["usize"], result: "i32" },
  // DWORD GetLastError(void); cannot fail
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

const ADVAPI32 = {
  // BOOL OpenProcessToken(HANDLE ProcessHandle, DWORD DesiredAccess, PHANDLE TokenHandle); 0
  OpenProcessToken: { parameters: ["usize", "u32", "buffer"], result: "i32" },
  // BOOL GetTokenInformation(HANDLE TokenHandle, TOKEN_INFORMATION_CLASS TokenInformationClass,
  //   LPVOID TokenInformation, DWORD TokenInformationLength, PDWORD ReturnLength); 0
  GetTokenInformation: { parameters: ["usize", "u32", "buffer", "u32", "buffer"], result: "i32" },
  // BOOL CopySid(DWORD nDestinationSidLength, PSID pDestinationSid, PSID pSourceSid); 0
  CopySid: { parameters: ["u32", "buffer", "usize"], result: "i32" },
  // BOOL GetKernelObjectSecurity(HANDLE Handle, SECURITY_INFORMATION RequestedInformation,
  //   PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD nLength, LPDWORD lpnLengthNeeded); 0
  GetKernelObjectSecurity: { parameters: ["usize", "u32", "buffer", "u32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of kernel32 and advapi32 that are used, with handles and addresses as integers. */
export type FolderSystem = Deno.StaticForeignLibraryInterface<typeof KERNEL32 & typeof ADVAPI32>;

/** The pseudo handle that GetCurrentProcess returns: `(HANDLE) -1`. */
const CURRENT_PROCESS = 0xffff_ffff_ffff_ffffn;
const INVALID_HANDLE = 0xffff_ffff_ffff_ffffn;
const TOKEN_QUERY = 8;
const TOKEN_USER = 1;
/** SECURITY_MAX_SID_SIZE */
const LONGEST_SID = 68;
const ERROR_FILE_NOT_FOUND = 2;
const ERROR_ALREADY_EXISTS = 183;

/** FILE_LIST_DIRECTORY, FILE_READ_ATTRIBUTES, READ_CONTROL. Without the first the share mode has no effect. */
const ACCESS = 0x01 | 0x80 | 0x2_0000;
/** FILE_SHARE_READ and FILE_SHARE_WRITE, but not FILE_SHARE_DELETE, which lets others rename too. */
const SHARE = 0x01 | 0x02;
const OPEN_EXISTING = 3;
/** FILE_FLAG_BACKUP_SEMANTICS, which opens folders, and FILE_FLAG_OPEN_REPARSE_POINT, which opens links themselves. */
const FLAGS = 0x0200_0000 | 0x0020_0000;
const FILE_ATTRIBUTE_DIRECTORY = 0x10;
const FILE_ATTRIBUTE_REPARSE_POINT = 0x400;
/** OWNER_SECURITY_INFORMATION and DACL_SECURITY_INFORMATION. */
const OWNER_AND_ACCESS = 1 | 4;
/** The most bytes that a security descriptor has: an access list has at most 64 KiB. */
const LONGEST_DESCRIPTOR = 0x1_0400;
/** The most letters that a path has. */
const LONGEST_PATH = 0x8000;

/** A folder that no other user can change. While it is open, its path leads to it. */
export interface PrivateFolder extends Disposable {
  /** The path without links on the way; other than the one that was asked for where that leads over links. */
  readonly path: string;
}

/** Opens folders of this process's user. */
export class PrivateFolders implements Disposable {
  readonly #task: string;
  readonly #system: FolderSystem;
  readonly #user: Uint8Array;
  readonly #owned: DisposableStack;

  /**
   * Platforms: Windows, or any with a system of the caller's.
   *
   * @param task - what folders are needed for, as errors say it: `Cannot <task>`.
   * @throws {LoadError} `Unsupported` if the system does not say who its user is; `PermissionDenied`.
   */
  constructor(task: string, system?: FolderSystem) {
    this.#task = task;
    using opening = new DisposableStack();
    this.#system = system ?? {
      ...opening.use(openLibrary(["kernel32.dll"], KERNEL32)).symbols,
      ...opening.use(openLibrary(["advapi32.dll"], ADVAPI32)).symbols,
    };
    this.#user = currentUser(task, this.#system);
    this.#owned = opening.move();
  }

  /**
   * Makes a folder that only this user and the system can open.
   *
   * @throws {LoadError} `Io`.
   */
  #create(path: string): void {
    const descriptor = privateDescriptor(this.#user);
    // SECURITY_ATTRIBUTES: u32 nLength @0, pointer lpSecurityDescriptor @8, BOOL bInheritHandle @16.
    const block = new Uint8Array(24 + descriptor.length);
    block.set(descriptor, 24);
    const view = new DataView(block.buffer);
    view.setUint32(0, 24, true);
    view.setBigUint64(8, addressOfBuffer(block) + 24n, true);
    if (this.#system.CreateDirectoryW(wideString(path), block) !== 0) return;
    const errno = this.#system.GetLastError();
    if (errno !== ERROR_ALREADY_EXISTS) throw this.#failure("made", path, "CreateDirectoryW", errno);
  }

  /**
   * Opens a folder, after making it where there is none and `create` is set.
   *
   * @throws {LoadError} `Unsupported` if another user can change what the path leads to, or it is not a folder;
   * `Io` if it cannot be made or opened.
   */
  open(path: string, { create = false }: { readonly create?: boolean } = {}): PrivateFolder {
    const system = this.#system;
    let handle = INVALID_HANDLE;
    for (let attempt = 1; handle === INVALID_HANDLE; attempt++) {
      if (create) this.#create(path);
      handle = system.CreateFileW(wideString(path), ACCESS, SHARE, 0n, OPEN_EXISTING, FLAGS, 0n);
      if (handle !== INVALID_HANDLE) break;
      const errno = system.GetLastError();
      // Another isolate of this process may have deleted the folder in the meantime.
      if (create && errno === ERROR_FILE_NOT_FOUND && attempt < 3) continue;
      throw this.#failure("opened", path, "CreateFileW", errno);
    }
    using opening = new DisposableStack();
    opening.defer(() => system.CloseHandle(handle));
    const problem = this.#problem(handle);
    if (problem !== undefined) {
      throw new LoadError("Unsupported", `Cannot ${this.#task}: its folder ${problem}`, {
        path,
        hint: "delete it if it is yours, or set the environment variable TMP to a folder of your own",
      });
    }
    const found = finalPath(system, handle);
    if (found === undefined) {
      throw this.#failure("used", path, "GetFinalPathNameByHandleW", system.GetLastError());
    }
    const owned = opening.move();
    return {
      // Permissions are granted for the path as the user knows it.
      path: found.toLowerCase() === path.toLowerCase() ? path : found,
      [Symbol.dispose]: () => owned.dispose(),
    };
  }

  #problem(handle: bigint): string | undefined {
    // BY_HANDLE_FILE_INFORMATION: u32 dwFileAttributes @0.
    const information = new Uint8Array(52);
    if (this.#system.GetFileInformationByHandle(handle, information) === 0) return "cannot be looked at";
    const attributes = new DataView(information.buffer).getUint32(0, true);
    if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) !== 0) return "is a link to another place";
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) === 0) return "is not a folder";
    const bytes = new Uint8Array(LONGEST_DESCRIPTOR);
    const needed = new Uint32Array(1);
    const { GetKernelObjectSecurity } = this.#system;
    if (GetKernelObjectSecurity(handle, OWNER_AND_ACCESS, bytes, bytes.length, needed) === 0) {
      return "has access rights that cannot be read";
    }
    return whyNotPrivate(bytes, this.#user);
  }

  #failure(done: string, path: string, call: string, errno: number): LoadError {
    return new LoadError("Io", `Cannot ${this.#task}: its folder cannot be ${done}`, {
      path,
      call,
      errno,
      hint: "check that the folder for temporary files exists and can be written to",
    });
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

/** The security identifier of the user that this process runs as. */
function currentUser(task: string, system: FolderSystem): Uint8Array {
  const unknown = (call: string): LoadError =>
    new LoadError("Unsupported", `Cannot ${task}: the system does not say which user runs this process`, {
      call,
      errno: system.GetLastError(),
    });
  const token = new BigUint64Array(1);
  if (system.OpenProcessToken(CURRENT_PROCESS, TOKEN_QUERY, token) === 0) throw unknown("OpenProcessToken");
  using cleanup = new DisposableStack();
  cleanup.defer(() => system.CloseHandle(token[0]));
  // TOKEN_USER: pointer Sid @0, u32 Attributes @8; the system puts the identifier behind it.
  const information = new BigUint64Array((16 + LONGEST_SID + 7) >> 3);
  const length = new Uint32Array(1);
  const { byteLength } = information;
  if (system.GetTokenInformation(token[0], TOKEN_USER, information, byteLength, length) === 0) {
    throw unknown("GetTokenInformation");
  }
  const user = new Uint8Array(LONGEST_SID);
  if (system.CopySid(user.length, user, information[0]) === 0) throw unknown("CopySid");
  return sidAt(user, 0);
}

/** The path of an open folder, without links and without `\\?\`. */
function finalPath(system: FolderSystem, handle: bigint): string | undefined {
  const buffer = new Uint16Array(LONGEST_PATH);
  const length = system.GetFinalPathNameByHandleW(handle, buffer, buffer.length, 0);
  if (length === 0 || length >= buffer.length) return undefined;
  return wideText(buffer.subarray(0, length)).replace(/^\\\\\?\\UNC\\/i, "\\\\").replace(/^\\\\\?\\/, "");
}
