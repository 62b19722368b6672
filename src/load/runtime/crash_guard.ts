/**
 * Guards, by the library for crashes (native/crash/): a crash behind one continues
 * there, described in a cell that this file reads, and the module is quarantined.
 */

import type { CallGuards, GuardEntry, LoneEntry } from "../../call/guard.ts";
import { LoadError } from "../../errors/load_error.ts";
import { ifPermitted, permitted } from "../../os/library.ts";
import { pointerCall } from "../../os/pointer.ts";
import { Arch, Platform } from "../../smf/enums.ts";
import { type LoadedImage, PlacedImage } from "../image.ts";
import { codeEntry } from "./code_entry.ts";
import { CrashCell } from "./crash_cell.ts";
import { crashError } from "./crash_error.ts";
import { findAddresses, reportCrashes } from "./crash_report.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `uintptr_t smf_guard_add(uintptr_t function, uint64_t stack_size, uint32_t **quarantine, struct guard_cell *cell)` | 0 |
 * | `void smf_guard_remove(uintptr_t code)` | never |
 * | `uint32_t smf_guard_take(uintptr_t code, struct guard_cell *to)` | never |
 * | `uintptr_t smf_guard_code(int is_end)` | never |
 * | `uint32_t *smf_quarantine(uintptr_t address)` | NULL |
 * | `uint32_t smf_set_quarantine(uintptr_t address, uint32_t value)` | never |
 */
const FUNCTIONS = {
  smf_guard_add: { parameters: ["usize", "usize", "usize", "buffer"], result: "usize" },
  smf_guard_remove: { parameters: ["usize"], result: "void" },
  smf_guard_take: { parameters: ["usize", "buffer"], result: "u32" },
  smf_guard_code: { parameters: ["i32"], result: "usize" },
  smf_quarantine: { parameters: ["usize"], result: "usize" },
  smf_set_quarantine: { parameters: ["usize", "u32"], result: "u32" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** The functions once they are found. */
interface Functions {
  readonly add: (
    address: bigint,
    stackSize: number,
    quarantine: bigint,
    cell: Uint8Array | null,
  ) => bigint;
  readonly remove: (entry: bigint) => void;
  readonly take: (entry: bigint, to: Uint8Array) => number;
  readonly code: (isEnd: number) => bigint;
  readonly quarantine: (address: bigint) => bigint;
  readonly setQuarantine: (address: bigint, value: number) => number;
}

let functions: Functions | undefined;

/** Whether there are guards on this system. */
export const HAS_GUARDS = HOST_PLATFORM === Platform.Linux ||
  (HOST_PLATFORM === Platform.Windows && HOST_ARCH === Arch.X86_64);

/**
 * Requires that crashes can become exceptions here.
 *
 * @param path The module that is asked about, if it is one.
 * @throws {LoadError} `Unsupported` where there are no guards, or the system refuses the library.
 */
export function requireGuards(path?: string): void {
  requireFunctions(path);
}

function requireFunctions(path?: string): Functions {
  if (functions !== undefined) return functions;
  const addressOf = HAS_GUARDS ? findAddresses() : null;
  if (addressOf === null) {
    throw new LoadError(
      "Unsupported",
      HAS_GUARDS
        ? "Cannot make crashes exceptions: the system refuses memory for the loader's own code"
        : "Cannot make crashes exceptions: there are guards on Linux and Windows only",
      {
        ...path !== undefined && { path },
        hint: 'leave out `onCrash: "throw"` here: a crash ends the process',
      },
    );
  }
  const find = (name: keyof typeof FUNCTIONS) => pointerCall(addressOf(name), FUNCTIONS[name]);
  return functions = {
    add: find("smf_guard_add") as Functions["add"],
    remove: find("smf_guard_remove") as Functions["remove"],
    take: find("smf_guard_take") as Functions["take"],
    code: find("smf_guard_code") as Functions["code"],
    quarantine: find("smf_quarantine") as Functions["quarantine"],
    setQuarantine: find("smf_set_quarantine") as Functions["setQuarantine"],
  };
}

/**
 * The code of all guards, for debuggers.
 *
 * @throws {LoadError} `Unsupported` where there are none.
 */
export function guardCode(): { readonly address: bigint; readonly size: number } {
  const { code } = requireFunctions();
  const address = code(0);
  return { address, size: Number(code(1) - address) };
}

const STATE = 0, SURVIVED = 1;

/** The cell of this isolate's synchronous calls: its thread runs one at a time. */
let ownCell: CrashCell | undefined;
/** Takes the description of a nonblocking call. */
let takenCell: CrashCell | undefined;

/** The guards in front of functions of one module. */
export class CrashGuards implements CallGuards {
  readonly #path: string;
  readonly #quarantine: bigint;
  readonly #functions: Functions;
  readonly #cell: CrashCell;

  /**
   * @param quarantine The address of the word that leads to the current version's quarantine; 0 for functions
   * that are in the module itself.
   * @throws {LoadError} `Unsupported` where there are no guards.
   */
  constructor(path: string, quarantine: bigint) {
    this.#functions = requireFunctions(path);
    this.#path = path;
    this.#quarantine = quarantine;
    this.#cell = ownCell ??= new CrashCell();
  }

  get state(): Uint32Array {
    return this.#cell.words;
  }

  takeError(name: string): Error {
    const { words } = this.#cell, state = words[STATE];
    words[STATE] = 0;
    return state === SURVIVED ? crashError(this.#cell.text, this.#path, name) : quarantined(this.#path, name);
  }

  enter(address: bigint, stackSize: number): GuardEntry {
    return this.#enter(address, stackSize, this.#cell.bytes);
  }

  enterAlone(address: bigint, stackSize: number): LoneEntry {
    const entry = this.#enter(address, stackSize, null), path = this.#path, { take } = this.#functions;
    return {
      ...entry,
      takeError(name) {
        const cell = takenCell ??= new CrashCell();
        const state = take(entry.address, cell.bytes);
        if (state === 0) return undefined;
        return state === SURVIVED ? crashError(cell.text, path, name) : quarantined(path, name);
      },
    };
  }

  #enter(address: bigint, stackSize: number, cell: Uint8Array | null): GuardEntry {
    const { add, remove } = this.#functions;
    const entry = codeEntry(permitted(() => add(address, stackSize, this.#quarantine, cell)), remove);
    if (entry === undefined) {
      throw new LoadError(
        "OutOfMemory",
        "Cannot make guard: the system refuses memory that can be executed",
        {
          path: this.#path,
          hint: 'close modules, raise the limit (ulimit -v), or leave out `onCrash: "throw"`',
        },
      );
    }
    return entry;
  }
}

function quarantined(path: string, symbol: string): LoadError {
  return new LoadError("Quarantined", "Cannot call function: the module has crashed in an earlier call", {
    path,
    symbol,
  });
}

/**
 * Requires that crashes in an image can be told from others, and lets its calls through.
 *
 * @param number The number of its version.
 * @throws {LoadError} `Unsupported` where there are no guards, and for a module of another isolate that is not
 * prepared for them.
 */
export function prepareGuards(image: LoadedImage, path: string, number: number): void {
  const { quarantine } = requireFunctions(path);
  if (quarantine(image.memory.address) !== 0n) return;
  if (image instanceof PlacedImage) {
    image.crashReports = reportCrashes(image, { version: number, file: path, isSilent: true });
    if (image.crashReports !== undefined) return;
  }
  throw new LoadError(
    "Unsupported",
    "Cannot make crashes exceptions: the module is not prepared for guards",
    {
      path,
      hint: 'load it in the isolate that owns it with `onCrash: "throw"`, or without `crashReport: false`',
    },
  );
}

/** The address of the word that says whether an image is quarantined; undefined if it is not prepared for guards. */
export function quarantineOf({ memory }: LoadedImage): bigint | undefined {
  const word = functions?.quarantine(memory.address) ?? 0n;
  return word === 0n ? undefined : word;
}

const ASK = 2;

/** Whether an image has crashed, and calls of it are refused, in this isolate or any other. */
export function isQuarantined({ memory }: LoadedImage): boolean {
  return HAS_GUARDS && permitted(() => requireFunctions().setQuarantine(memory.address, ASK)) !== 0;
}

/** Lets calls of an image through. */
export function endQuarantine({ memory }: LoadedImage): void {
  if (HAS_GUARDS) permitted(() => requireFunctions().setQuarantine(memory.address, 0));
}

/** Like {@linkcode endQuarantine}, for a version that takes over; never fails. */
export function endQuarantineQuietly({ memory }: LoadedImage): void {
  // Without --allow-ffi no call gets through anyway.
  ifPermitted(() => functions?.setQuarantine(memory.address, 0));
}
