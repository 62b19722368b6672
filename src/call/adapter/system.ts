/**
 * The adapters of this system: the convention that its functions follow, and how its unwinder learns of frames.
 */

import { registerFunctionTable } from "../../os/function_table.ts";
import { registerEhFrame } from "../../os/unwinder.ts";
import { AAPCS64 } from "./aapcs64.ts";
import { writeAarch64Adapter } from "./aarch64.ts";
import type { CallPlan } from "./call_plan.ts";
import type { Convention } from "./convention.ts";
import type { AdapterCode, AdapterTarget } from "./signature.ts";
import { SYSV } from "./sysv.ts";
import { type AdapterPlace, writeEhFrame, writeFunctionTable } from "./unwind_tables.ts";
import { WIN64 } from "./win64.ts";
import { SYSV_REGISTERS, WIN64_REGISTERS, writeX86Adapter } from "./x86_64.ts";

/** The parts of adapters that differ from system to system. */
export interface AdapterSystem {
  readonly convention: Convention;
  /** Writes an adapter whose call is planned by the convention. */
  write(plan: CallPlan, target: AdapterTarget): AdapterCode;
  /** Writes the unwind tables of adapters, which lie at `offset` in the same block. */
  writeTables(adapters: readonly AdapterPlace[], offset: number): Uint8Array;
  /**
   * Registers unwind tables, until the result is disposed of.
   *
   * Safety: the tables must be readable until then.
   *
   * @throws {LoadError} `Unsupported` if there is no unwinder, or if it refuses them; `PermissionDenied`.
   */
  register(tables: bigint, count: number, block: bigint): Disposable;
}

const { os, arch } = Deno.build;

const LINUX: AdapterSystem = {
  ...arch === "x86_64"
    ? { convention: SYSV, write: (plan, target) => writeX86Adapter(plan, target, SYSV_REGISTERS) }
    : { convention: AAPCS64, write: writeAarch64Adapter },
  writeTables: (adapters, offset) => writeEhFrame(arch, adapters, offset),
  register: (tables) => registerEhFrame(tables),
};

const WINDOWS: AdapterSystem = {
  convention: WIN64,
  write: (plan, target) => writeX86Adapter(plan, target, WIN64_REGISTERS),
  writeTables: writeFunctionTable,
  // Calls work without a table that the system refuses.
  register: (...table) => registerFunctionTable(...table) ?? { [Symbol.dispose]() {} },
};

/** The adapters of this system; undefined where stub libraries cannot be made, which lead V8 to them. */
export const ADAPTER_SYSTEM: AdapterSystem | undefined = os === "linux"
  ? LINUX
  : os === "windows" && arch === "x86_64"
  ? WINDOWS
  : undefined;
