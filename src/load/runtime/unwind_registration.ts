/**
 * Registers a module's unwind tables with the process's unwinder, which
 * exceptions and backtraces need: without them they end at the module's functions.
 *
 * A module asks for it by having unwind tables, which `linkObjects` keeps where
 * they can matter.
 */

import { bytesAt } from "../../os/native_memory.ts";
import { LoadError } from "../../errors/load_error.ts";
import { functionsOf } from "../../image/compatibility.ts";
import { countFrames } from "../../image/eh_frame.ts";
import { countFunctions } from "../../image/function_table.ts";
import type { LoadedImage } from "../image.ts";
import { HAS_FUNCTION_TABLES, registerFunctionTable } from "../../os/function_table.ts";
import { HAS_UNWINDER, registerEhFrame, registerWithOwnUnwinder } from "../../os/unwinder.ts";

/** The section of unwind tables. */
export const EH_FRAME = ".eh_frame";

/** The section of the table of functions. */
const FUNCTION_TABLE = ".pdata";

/**
 * Checks and registers the unwind tables of a linked module.
 *
 * Safety: the result must be disposed of before the module's memory is freed,
 * since the unwinder reads the tables in place.
 *
 * Platforms: registers `.eh_frame` on Linux, and the table of functions, `.pdata`, on Windows.
 *
 * @returns the registration; undefined if the tables describe no function, or if
 * the system has no unwinder to register them with.
 * @throws {LoadError} `InvalidFormat` if the tables are broken.
 */
export function registerFrames(image: LoadedImage): Disposable | undefined {
  if (HAS_FUNCTION_TABLES) return registerFunctions(image);
  const { memory, plan } = image;
  const [table, another] = plan.sections.filter(({ section }) => section.name === EH_FRAME);
  if (table === undefined || !HAS_UNWINDER) return undefined;
  if (another !== undefined) {
    throw new LoadError("InvalidFormat", "Cannot use unwind tables: there is more than one such section", {
      section: EH_FRAME,
      hint: "link the objects with smf link, which merges the sections",
    });
  }
  const { section, offset } = table;
  const address = memory.address + BigInt(offset);
  const code = { start: plan.code.offset, end: plan.code.offset + plan.code.length };
  const count = countFrames(bytesAt(address, section.virtualSize), EH_FRAME, offset, code);
  return count === 0 ? undefined : registerEhFrame(address);
}

/**
 * Registers the table of functions, whose distances count from the start of the image: the loader may have put PLT stubs
 * in front of it, among its code.
 */
function registerFunctions({ memory, plan }: LoadedImage): Disposable | undefined {
  const table = plan.sections.find(({ section }) => section.name === FUNCTION_TABLE);
  if (table === undefined) return undefined;
  const start = plan.place(0, 0), end = plan.code.offset + plan.code.length - start;
  const at = table.offset - start;
  const base = memory.address + BigInt(start);
  const count = countFunctions(
    bytesAt(base, plan.size - start),
    { start: at, end: at + table.section.virtualSize },
    { start: 0, end },
    FUNCTION_TABLE,
  );
  if (count === 0) return undefined;
  const registered = registerFunctionTable(base + BigInt(at), count, base);
  if (registered !== undefined) return registered;
  throw new LoadError("Unsupported", `Cannot use unwind tables: the system refuses ${count} functions`, {
    section: FUNCTION_TABLE,
    hint: "close modules that are not needed, or link without unwind tables (--unwind never)",
  });
}

/**
 * Registers the unwind tables of a module, which {@linkcode registerFrames} has
 * checked, also with an unwinder that is linked into the module.
 *
 * Safety: runs native code of the module, now and when the result is disposed
 * of, which must be before the module's memory is freed.
 *
 * @returns the registration; undefined if the module has no unwinder.
 */
export function registerOwnFrames(image: LoadedImage): Disposable | undefined {
  const table = image.plan.sections.find(({ section }) => section.name === EH_FRAME);
  const own = ownUnwinder(image);
  if (table === undefined || own === undefined) return undefined;
  return registerWithOwnUnwinder(image.memory.address + BigInt(table.offset), own);
}

const [REGISTER, DEREGISTER] = ["__register_frame", "__deregister_frame"];

/**
 * The functions of an unwinder that is linked into the module (libgcc_eh.a),
 * which knows nothing of tables that are registered with the process's. A module
 * that imports from the process's unwinder has none: its symbols, which may be
 * many, are not searched.
 */
function ownUnwinder(
  { file, memory, plan, imports }: LoadedImage,
): [bigint, bigint] | undefined {
  if (imports.some(({ name }) => name.startsWith("_Unwind_") || name === REGISTER)) return undefined;
  const { symbols } = file;
  const found = new Map<string, bigint>();
  for (const index of functionsOf(file)) {
    const name = symbols.name(index);
    if (name !== REGISTER && name !== DEREGISTER) continue;
    const value = symbols.value(index);
    if (plan.isCode(value)) found.set(name, memory.address + BigInt(plan.place(value, 0)));
  }
  const register = found.get(REGISTER), deregister = found.get(DEREGISTER);
  return register === undefined || deregister === undefined ? undefined : [register, deregister];
}
