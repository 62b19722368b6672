/**
 * The native code that has called a callback, by the library for crashes
 * (native/crash/callers.c): an entry in front of the callback, from which the frames are
 * walked when somebody asks.
 */

import type { GuardEntry } from "../../call/guard.ts";
import type { CrashFrame } from "../../errors/crash.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { ifPermitted } from "../../os/library.ts";
import { pointerCall } from "../../os/pointer.ts";
import { Platform } from "../../smf/enums.ts";
import { codeEntry } from "./code_entry.ts";
import { CrashCell } from "./crash_cell.ts";
import { framesOf } from "./crash_error.ts";
import { CRASH_LIBRARY, CRASH_NAME } from "./crash_library.ts";
import { HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `uintptr_t smf_callback_add(uintptr_t function, uint64_t stack_size)` | 0 |
 * | `void smf_callers(uintptr_t code, struct guard_cell *cell)` | never |
 * | `void smf_guard_remove(uintptr_t code)` | never |
 */
const FUNCTIONS = {
  smf_callback_add: { parameters: ["usize", "usize"], result: "usize" },
  smf_callers: { parameters: ["usize", "buffer"], result: "void" },
  smf_guard_remove: { parameters: ["usize"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** The functions once they are found; null where there are none. */
interface Functions {
  readonly add: (address: bigint, stackSize: number) => bigint;
  readonly callers: (entry: bigint, to: Uint8Array) => void;
  readonly remove: (entry: bigint) => void;
}

let functions: Functions | null | undefined;

function findFunctions(): Functions | null {
  if (HOST_PLATFORM !== Platform.Linux) return null;
  // Where libraries in memory are forbidden, errors of callbacks have no native frames.
  return attempt(ignore, () => {
    const library = new NativeLibrary(CRASH_NAME, CRASH_LIBRARY);
    const find = (name: keyof typeof FUNCTIONS) => pointerCall(library.addressOf(name), FUNCTIONS[name]);
    return {
      add: find("smf_callback_add") as Functions["add"],
      callers: find("smf_callers") as Functions["callers"],
      remove: find("smf_guard_remove") as Functions["remove"],
    };
  }) ?? null;
}

/** An address that native code calls in place of a callback's; disposing takes it away. */
export interface CallbackEntry extends GuardEntry {
  /**
   * The native code that has called the callback, innermost first, up to JavaScript. There is none if the callback
   * does not run, or was called on another thread than this isolate's.
   */
  callers(): readonly CrashFrame[];
}

/** Takes the description of frames. */
let cell: CrashCell | undefined;

/**
 * Puts an entry in front of a callback.
 *
 * Platforms: Linux; elsewhere, and where the system refuses memory, there is none.
 *
 * @param stackSize The bytes of its arguments on the stack, or more.
 */
export function enterCallback(address: bigint, stackSize: number): CallbackEntry | undefined {
  functions ??= findFunctions();
  if (functions === null) return undefined;
  const { add, callers, remove } = functions, entry = codeEntry(add(address, stackSize), remove);
  return entry && {
    ...entry,
    callers() {
      const to = cell ??= new CrashCell();
      to.clear();
      ifPermitted(() => callers(entry.address, to.bytes));
      return framesOf(to.text.split("\n"));
    },
  };
}
