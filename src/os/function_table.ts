/**
 * The unwinder of Windows, which finds the frames of code that no file describes in function tables.
 */

import { HeldLibrary } from "./library.ts";

const KERNEL32 = {
  // BOOLEAN RtlAddFunctionTable(PRUNTIME_FUNCTION FunctionTable, DWORD EntryCount, DWORD64 BaseAddress); FALSE
  RtlAddFunctionTable: { parameters: ["usize", "u32", "usize"], result: "u8" },
  // BOOLEAN RtlDeleteFunctionTable(PRUNTIME_FUNCTION FunctionTable); FALSE
  RtlDeleteFunctionTable: { parameters: ["usize"], result: "u8" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Held by each registered table. */
const kernel32 = new HeldLibrary("kernel32.dll", KERNEL32);

/** Whether the system unwinds by function tables, which can be registered. */
export const HAS_FUNCTION_TABLES: boolean = Deno.build.os === "windows";

/**
 * Registers a function table until the result is disposed of.
 *
 * Safety: the table must be well-formed, in the order of its functions, and readable until the result is disposed of.
 *
 * Platforms: Windows for x86-64 ({@linkcode HAS_FUNCTION_TABLES}).
 *
 * @param address The address of the table.
 * @param count The number of its entries.
 * @param base The address that its offsets count from.
 * @returns undefined if Windows refuses the table.
 * @throws {LoadError} `PermissionDenied`.
 */
export function registerFunctionTable(address: bigint, count: number, base: bigint): Disposable | undefined {
  const { symbols, close } = kernel32.hold();
  if (symbols.RtlAddFunctionTable(address, count, base) === 0) return void close();
  return {
    [Symbol.dispose](): void {
      symbols.RtlDeleteFunctionTable(address);
      close();
    },
  };
}
