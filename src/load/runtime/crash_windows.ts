/**
 * The code that reports crashes on Windows: the one in native/crash/, in memory of its
 * own, once for the whole process.
 */

import { decodeBase64 } from "../../smf/base64.ts";
import { findOrMakeImage } from "../../os/shared_image.ts";
import { CRASH_IMAGE } from "./crash_image.ts";

/** The functions of kernel32.dll that the code calls, in the order of `struct system` in native/crash/windows/windows.h. */
const SYSTEM: readonly string[] = [
  "AddVectoredExceptionHandler",
  "RemoveVectoredExceptionHandler",
  "GetProcessHeap",
  "HeapAlloc",
  "HeapFree",
  "VirtualQuery",
  "GetStdHandle",
  "WriteFile",
  "ReadFile",
  "CreateFileW",
  "CloseHandle",
  "GetFileInformationByHandle",
  "MultiByteToWideChar",
  "RtlLookupFunctionEntry",
  "RtlVirtualUnwind",
  "GetCurrentThreadId",
  "Sleep",
  "VirtualAlloc",
  "VirtualFree",
  "VirtualProtect",
  "RtlAddFunctionTable",
  "SetThreadStackGuarantee",
  "UnhandledExceptionFilter",
  "TerminateProcess",
];

/** The name of one of the code's functions. */
export type CrashFunction = Exclude<keyof typeof CRASH_IMAGE.names, "smf_system">;

/**
 * Finds the addresses of the code's functions; null if the system refuses memory for it.
 *
 * Platforms: Windows on x86-64 only.
 */
export function findCrashImage(): ((name: CrashFunction) => bigint) | null {
  const { identity, size, code, names } = CRASH_IMAGE;
  const bytes = () => {
    const file = decodeBase64(CRASH_IMAGE.bytes), image = new Uint8Array(size);
    for (const [offset, start, length] of CRASH_IMAGE.parts) {
      image.set(file.subarray(offset, offset + length), start);
    }
    return image;
  };
  const base = findOrMakeImage({ identity, size, code, table: names.smf_system, bytes, imports: SYSTEM });
  return base === null ? null : (name) => base + BigInt(names[name]);
}
