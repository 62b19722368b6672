/**
 * Executable memory on Windows.
 */
import { LoadError } from "../../errors/load_error.ts";
import { Protection } from "./contract.ts";
import { openLibrary, type SystemLibrary } from "../library.ts";
import { PagedAllocator, type Pages } from "./paged.ts";

/** The functions of kernel32 that are used, with addresses as integers. */
export interface WindowsSystem {
  /** Reserves or commits pages. Returns their address; 0 on failure. */
  VirtualAlloc(address: bigint, size: bigint, type: number, protection: number): bigint;
  /** Changes protections and writes the first page's previous one into `old`. Returns 0 on failure. */
  VirtualProtect(address: bigint, size: bigint, protection: number, old: Uint8Array<ArrayBuffer>): number;
  /** Gives pages back. Returns 0 on failure. */
  VirtualFree(address: bigint, size: bigint, type: number): number;
  /** Makes written instructions visible. Returns 0 on failure. */
  FlushInstructionCache(process: bigint, address: bigint, size: bigint): number;
  /** Fills the 48 bytes of a SYSTEM_INFO. */
  GetSystemInfo(info: Uint8Array<ArrayBuffer>): void;
  /** The error number of the last call that failed. */
  GetLastError(): number;
}

/** The functions of kernel32.dll for pages. */
export const KERNEL32 = {
  // LPVOID VirtualAlloc(LPVOID lpAddress, SIZE_T dwSize, DWORD flAllocationType, DWORD flProtect); NULL
  VirtualAlloc: { parameters: ["usize", "usize", "u32", "u32"], result: "usize" },
  // BOOL VirtualProtect(LPVOID lpAddress, SIZE_T dwSize, DWORD flNewProtect, PDWORD lpflOldProtect); 0
  VirtualProtect: { parameters: ["usize", "usize", "u32", "buffer"], result: "i32" },
  // BOOL VirtualFree(LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType); 0
  VirtualFree: { parameters: ["usize", "usize", "u32"], result: "i32" },
  // BOOL FlushInstructionCache(HANDLE hProcess, LPCVOID lpBaseAddress, SIZE_T dwSize); 0
  FlushInstructionCache: { parameters: ["usize", "usize", "usize"], result: "i32" },
  // void GetSystemInfo(LPSYSTEM_INFO lpSystemInfo); cannot fail
  GetSystemInfo: { parameters: ["buffer"], result: "void" },
  // DWORD GetLastError(void); cannot fail
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

export const MEM_COMMIT = 0x1000;
export const MEM_RESERVE = 0x2000;
const MEM_DECOMMIT = 0x4000;
const MEM_RELEASE = 0x8000;

/** The pseudo handle that GetCurrentProcess returns: `(HANDLE) -1`. */
export const CURRENT_PROCESS = 0xffff_ffff_ffff_ffffn;

/** Windows also has PAGE_EXECUTE (0x10) and PAGE_EXECUTE_READWRITE (0x40), which nothing here asks for. */
export const PAGE: Record<Protection, number> = {
  [Protection.NONE]: 0x01, // PAGE_NOACCESS
  [Protection.READ_ONLY]: 0x02, // PAGE_READONLY
  [Protection.READ_WRITE]: 0x04, // PAGE_READWRITE
  [Protection.READ_EXECUTE]: 0x20, // PAGE_EXECUTE_READ
};

/** The pages of a Windows system. */
function windowsPages(system: WindowsSystem): Pages {
  const failed = (problem: string, call: string, size: number): LoadError => {
    const errno = system.GetLastError();
    return new LoadError("OutOfMemory", `Cannot ${problem}: ${call} fails`, { call, errno, size });
  };
  // SYSTEM_INFO: u32 dwPageSize @4, u32 dwAllocationGranularity @40.
  const info = (offset: 4 | 40): number => {
    const bytes = new Uint8Array(48);
    system.GetSystemInfo(bytes);
    return new DataView(bytes.buffer).getUint32(offset, true);
  };
  return {
    pageSize: () => info(4),
    granularity: () => info(40),
    reserve(hint, length) {
      const base = system.VirtualAlloc(hint, BigInt(length), MEM_RESERVE, PAGE[Protection.NONE]);
      return base === 0n ? undefined : base;
    },
    refusal: (length) => failed("reserve memory", "VirtualAlloc", length),
    commit(address, length) {
      const base = system.VirtualAlloc(address, BigInt(length), MEM_COMMIT, PAGE[Protection.READ_WRITE]);
      if (base === 0n) return failed("commit memory", "VirtualAlloc", length);
    },
    protect(address, length, protection) {
      const old = new Uint8Array(4);
      if (system.VirtualProtect(address, BigInt(length), PAGE[protection], old) !== 0) return;
      return failed(`make memory ${protection}`, "VirtualProtect", length);
    },
    discard(address, length) {
      if (system.VirtualFree(address, BigInt(length), MEM_DECOMMIT) !== 0) return;
      return failed("give memory back", "VirtualFree", length);
    },
    release(base, length) {
      // The size must be 0: Windows takes back whole reservations only, so the
      // slack of the alignment stays reserved with the rest.
      if (system.VirtualFree(base, 0n, MEM_RELEASE) !== 0) return;
      return failed("free memory", "VirtualFree", length);
    },
    flush(address, length) {
      if (system.FlushInstructionCache(CURRENT_PROCESS, address, BigInt(length)) !== 0) return;
      throw failed("flush the instruction cache", "FlushInstructionCache", length);
    },
  };
}

function openSystem(): SystemLibrary<WindowsSystem> {
  return openLibrary(["kernel32.dll"], KERNEL32);
}

/**
 * The allocator over VirtualAlloc, VirtualProtect and VirtualFree.
 *
 * A range is one reservation of which only the middle is committed, so the
 * guards are addresses without memory. Reservations begin at multiples of the
 * allocation granularity, 64 KiB.
 *
 * ## Platforms
 *
 * Windows only.
 */
export class WindowsAllocator extends PagedAllocator {
  /**
   * Makes an allocator; opens nothing yet.
   *
   * @param system Replaces the operating system, in tests.
   */
  constructor(system?: WindowsSystem) {
    super(() => {
      const { symbols, close } = system === undefined ? openSystem() : { symbols: system, close: () => {} };
      return { symbols: windowsPages(symbols), close };
    });
  }
}
