/**
 * The native code that has called a callback, by the library for crashes
 * (native/crash/callers.c): an entry in front of the callback, from which the frames are
 * walked when somebody asks.
 */

import type { NextParameter } from "../../call/adapter/next_parameter.ts";
import type { GuardEntry } from "../../call/guard.ts";
import type { CrashFrame } from "../../errors/crash.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { ifPermitted } from "../../os/library.ts";
import { pointerCall } from "../../os/pointer.ts";
import { codeEntry } from "./code_entry.ts";
import { CrashCell } from "./crash_cell.ts";
import { framesOf } from "./crash_error.ts";
import { findAddresses } from "./crash_report.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `uintptr_t smf_callback_add(uintptr_t function, uintptr_t elsewhere, uint64_t stack_size, uint64_t place)` | 0 |
 * | `void smf_callers(uintptr_t code, uintptr_t base, struct guard_cell *cell)` | never |
 * | `void smf_guard_remove(uintptr_t code)` | never |
 */
const FUNCTIONS = {
  smf_callback_add: { parameters: ["usize", "usize", "usize", "usize"], result: "usize" },
  smf_callers: { parameters: ["usize", "usize", "buffer"], result: "void" },
  smf_guard_remove: { parameters: ["usize"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** The functions once they are found; null where there are none. */
interface Functions {
  readonly add: (address: bigint, elsewhere: bigint, stackSize: number, place: number) => bigint;
  readonly callers: (entry: bigint, frame: bigint, to: Uint8Array) => void;
  readonly remove: (entry: bigint) => void;
}

let functions: Functions | null | undefined;

function findFunctions(): Functions | null {
  // Where libraries in memory are forbidden, errors of callbacks have no native frames.
  return attempt(ignore, () => {
    const addressOf = findAddresses();
    if (addressOf === null) return null;
    const find = (name: keyof typeof FUNCTIONS) => pointerCall(addressOf(name), FUNCTIONS[name]);
    return {
      add: find("smf_callback_add") as Functions["add"],
      callers: find("smf_callers") as Functions["callers"],
      remove: find("smf_guard_remove") as Functions["remove"],
    };
  }) ?? null;
}

/** Whether this system has entries in front of callbacks: Linux, and Windows on x86-64. */
export function hasCallbackEntries(): boolean {
  functions ??= findFunctions();
  return functions !== null;
}

/** An address that native code calls in place of a callback's; disposing takes it away. */
export interface CallbackEntry extends GuardEntry {
  /**
   * The native code that has called the callback, which is running: innermost first, up to JavaScript or to the
   * start of its thread.
   *
   * @param frame What the function for other threads has got; 0 if this isolate's thread has called.
   */
  callers(frame: bigint): readonly CrashFrame[];
}

/** Takes the description of frames. */
let cell: CrashCell | undefined;

/**
 * Puts an entry in front of a callback of this isolate.
 *
 * Platforms: where there are entries; elsewhere, and where the system refuses memory, there is none.
 *
 * @param address The callback that this isolate's thread calls.
 * @param elsewhere The one that other threads call, which has one more parameter, an address: that of the entry's
 * frame, for {@linkcode CallbackEntry.callers}.
 * @param next The place of that parameter.
 */
export function enterCallback(
  address: bigint,
  elsewhere: bigint,
  { stackSize, place }: NextParameter,
): CallbackEntry | undefined {
  functions ??= findFunctions();
  if (functions === null) return undefined;
  const { add, callers, remove } = functions;
  const entry = codeEntry(add(address, elsewhere, stackSize, place), remove);
  return entry && {
    ...entry,
    callers(frame) {
      const to = cell ??= new CrashCell();
      to.clear();
      ifPermitted(() => callers(entry.address, frame, to.bytes));
      return framesOf(to.text.split("\n"));
    },
  };
}
