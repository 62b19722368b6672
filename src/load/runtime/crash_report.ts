/**
 * Reports of crashes: a signal that ends the process while code of a module is on
 * the stack first writes what happened to standard error.
 *
 * The handler is the code in native/crash/, once for the whole process: on Linux in a
 * library, on Windows in memory of its own. It cannot ask JavaScript: it has copies of
 * the modules' symbols, and a list of modules that the loader keeps in step.
 */

import type { GuardEntry } from "../../call/guard.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { ifPermitted } from "../../os/library.ts";
import { pointerCall } from "../../os/pointer.ts";
import { Arch, Platform, SectionType, SymbolType } from "../../smf/enums.ts";
import { DEBUG_LINK, debugSectionsOf } from "../../smf/debug.ts";
import { hasDebug } from "../../smf/kept_debug.ts";
import type { CrashReports, LoadedImage, PlacedImage } from "../image.ts";
import type { ResolvedImports } from "../imports/resolve.ts";
import { codeEntry } from "./code_entry.ts";
import { CRASH_LIBRARY, CRASH_NAME } from "./crash_library.ts";
import { type CrashFunction, findCrashImage } from "./crash_windows.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";
import { EH_FRAME } from "./unwind_registration.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `struct module *smf_crash_add(struct facts *, const void *symbols, size_t, const void *debug, size_t, const uint64_t *addresses, const uint32_t *imports, const char *text)` | NULL |
 * | `void smf_crash_remove(struct module *)` | never |
 * | `uintptr_t smf_replacement(uintptr_t function)` | never |
 * | `uintptr_t smf_mending_add(uintptr_t function)` (Windows) | 0 |
 * | `void smf_guard_remove(uintptr_t code)` | never |
 */
const FUNCTIONS = {
  smf_crash_add: {
    parameters: ["buffer", "buffer", "usize", "buffer", "usize", "buffer", "buffer", "buffer"],
    result: "pointer",
  },
  smf_crash_remove: { parameters: ["pointer"], result: "void" },
  smf_replacement: { parameters: ["usize"], result: "usize" },
  smf_mending_add: { parameters: ["usize"], result: "usize" },
  smf_guard_remove: { parameters: ["usize"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** The functions once they are found; null where the system refuses the library. */
interface Functions {
  readonly add: (
    facts: Uint32Array<ArrayBuffer>,
    ...buffers: [
      ...[symbols: Uint8Array, size: bigint, debug: Uint8Array | null, size: bigint],
      ...[addresses: BigUint64Array | null, imports: Uint32Array | null, text: Uint8Array],
    ]
  ) => Deno.PointerValue;
  readonly remove: (module: Deno.PointerValue) => void;
  readonly replacement: (address: bigint) => bigint;
  /** On Windows only. */
  readonly addEntry?: (address: bigint) => bigint;
  readonly removeEntry?: (entry: bigint) => void;
}

let functions: Functions | null | undefined;

function findFunctions(): Functions | null {
  // Where libraries in memory are forbidden, modules that need none still load.
  return attempt(ignore, () => {
    const addressOf = findAddresses();
    if (addressOf === null) return null;
    const find = (name: keyof typeof FUNCTIONS) => pointerCall(addressOf(name), FUNCTIONS[name]);
    return {
      add: find("smf_crash_add") as Functions["add"],
      remove: find("smf_crash_remove") as Functions["remove"],
      replacement: find("smf_replacement") as Functions["replacement"],
      ...HOST_PLATFORM === Platform.Windows && {
        addEntry: find("smf_mending_add") as Functions["addEntry"],
        removeEntry: find("smf_guard_remove") as Functions["removeEntry"],
      },
    };
  }) ?? null;
}

/** Finds the addresses of the functions, those for guards too; null where there is no handler. */
export function findAddresses(): ((name: CrashFunction) => bigint) | null {
  if (HOST_PLATFORM === Platform.Windows && HOST_ARCH === Arch.X86_64) return findCrashImage();
  if (HOST_PLATFORM !== Platform.Linux) return null;
  const library = new NativeLibrary(CRASH_NAME, CRASH_LIBRARY);
  return (name) => library.addressOf(name);
}

const encoder = new TextEncoder();
/** The words of `struct facts` in native/crash/crash.h, and of a group behind it. */
const FACT_WORDS = 25, GROUP_WORDS = 3;
/** The facts about an image on their way to the library, which copies them. Few names are longer. */
let scratch = new Uint32Array(256);
/** The name and the path, in the same way. */
let text = new Uint8Array(1024);

const NOTHING = [0, 0] as const;

/** The sections that lines of source are in, in the library's order. */
const LINE_SECTIONS = [".debug_line", ".debug_line_str", ".debug_str"];

/**
 * Puts an entry in front of a function that threads of anybody's call, so that the overflow of their stacks is
 * reported; undefined where nothing has to be done for that.
 */
export function enterThread(address: bigint): GuardEntry | undefined {
  // On Linux, Deno's threads have alternate stacks.
  if (HOST_PLATFORM !== Platform.Windows || !functions) return undefined;
  return codeEntry(functions.addEntry!(address), functions.removeEntry!);
}

/** How reports name an image, and where they find its source. */
export interface ReportedAs {
  /** The number of the version. */
  readonly version: number;
  /** The path of the module's file. */
  readonly file: string;
  /** Whether there is no report, so that a crash can become an exception only. */
  readonly isSilent?: boolean;
}

/**
 * Makes crashes in a relocated image reported, until the result is disposed of.
 *
 * Safety: dispose of it before the image's memory is freed.
 *
 * Platforms: Linux, and Windows on x86-64; elsewhere, and where the system refuses
 * the handler, nothing is reported.
 */
export function reportCrashes(image: PlacedImage, reported: ReportedAs): CrashReports | undefined {
  functions ??= findFunctions();
  if (functions === null) return undefined;
  const { bytes } = image.file.symbols.source;
  const lines = linesOf(image), debug = lines?.bytes ?? null;
  const facts = factsOf(image, reported, lines);
  const isImporting = image.needs.imports.length > 0 && image.resolved !== undefined;
  const module = functions.add(
    facts,
    bytes,
    BigInt(bytes.byteLength),
    debug,
    BigInt(debug?.byteLength ?? 0),
    isImporting ? image.resolved!.addresses : null,
    isImporting ? new Uint32Array(image.needs.imports) : null,
    text,
  );
  if (module === null) return undefined;
  // Before the next image's facts are in the same place.
  const copied = facts[2 * (FACT_WORDS - 1)];
  const { remove } = functions;
  return {
    bytes: copied,
    [Symbol.dispose](): void {
      // Without --allow-ffi nobody tells the library, and a report may name a module that is gone.
      ifPermitted(() => remove(module));
    },
  };
}

/**
 * The functions of the C library that have a replacement, which does what they do: those that start threads, which
 * get an alternate stack for signals, without which nobody hears of a stack overflow; on Windows the one that ends
 * the process without an exception.
 */
const REPLACED: ReadonlySet<string> = new Set(
  HOST_PLATFORM === Platform.Windows ? ["abort"] : ["pthread_create", "thrd_create"],
);

/**
 * Has a module call the replacements: puts them in the place of the C library's
 * functions among the resolved imports. Functions of anybody else stay.
 *
 * Platforms: as for {@linkcode reportCrashes}.
 */
export function replaceImports({ records, addresses }: ResolvedImports): void {
  records.forEach(({ name }, position) => {
    if (!REPLACED.has(name)) return;
    functions ??= findFunctions();
    if (functions !== null) addresses[position] = functions.replacement(addresses[position]);
  });
}

/** Where the lines of source of an image are: in its file, or in bytes that it keeps. */
interface Lines {
  /** The place of each section, in the file or in `bytes`. */
  readonly sections: readonly (readonly [start: number, size: number])[];
  /** The sections, one behind the other; undefined if they are in the file. */
  readonly bytes?: Uint8Array;
}

/** The lines of source of an image; undefined if it has none, or if they are compressed. */
function linesOf({ file, debug, stamp }: LoadedImage): Lines | undefined {
  if (!hasDebug(file)) return undefined;
  const found = debugSectionsOf(file.sections).filter(({ section }) => !section.compressed);
  if (stamp !== undefined) {
    return {
      sections: LINE_SECTIONS.map((wanted) => {
        const section = found.find(({ name }) => name === wanted)?.section;
        return [section?.offset ?? 0, section?.size ?? 0];
      }),
    };
  }
  if (debug === undefined) return undefined;
  const parts = LINE_SECTIONS.map((name) => debug.stored(name) ?? new Uint8Array(0));
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  const sections = parts.map((part) => {
    const start = at;
    bytes.set(part, start);
    at += part.length;
    return [start, part.length] as const;
  });
  return { sections, bytes };
}

/** Whether the file of an image has lines of source that the library cannot read: compressed, or in a companion file. */
function hasLinesElsewhere({ file: { sections }, stamp }: LoadedImage): boolean {
  if (stamp === undefined) return false;
  return sections.some(({ type, name, compressed }) =>
    type === SectionType.Dwarf && (name === DEBUG_LINK || (compressed && name === LINE_SECTIONS[0]))
  );
}

/** The facts about an image as the library reads them. They are valid until the next call. */
function factsOf(
  image: PlacedImage,
  { version, file, isSilent }: ReportedAs,
  lines: Lines | undefined,
): Uint32Array<ArrayBuffer> {
  const { file: { symbols }, plan, memory, stamp, needs, resolved, identity: { description } } = image;
  const { groups, code } = plan;
  const frames = plan.sections.find(({ section }) => section.name === EH_FRAME);
  const needed = 2 * (FACT_WORDS + GROUP_WORDS * groups.length);
  if (scratch.length < needed) scratch = new Uint32Array(needed);
  // A unit of a string has three bytes at most.
  const textNeeded = 3 * (description.length + file.length);
  if (text.length < textNeeded) text = new Uint8Array(textNeeded);
  const words = scratch;
  let at = 0;
  const put = (value: number): void => {
    words[at] = value;
    // Two's complement: a group may lie before its place in the file's image.
    words[at + 1] = Math.floor(value / 0x1_0000_0000);
    at += 2;
  };
  put(Number(memory.address));
  put(plan.size);
  put(code.offset);
  put(code.length);
  put(frames?.offset ?? 0);
  put(frames?.section.virtualSize ?? 0);
  put(version);
  put(symbols.length);
  put(symbols.step);
  put(SymbolType.Function - symbols.typeBase);
  for (const index of LINE_SECTIONS.keys()) {
    const [start, size] = lines?.sections[index] ?? NOTHING;
    put(start);
    put(size);
  }
  put(stamp?.info.size ?? 0);
  put(stamp?.info.mtime?.getTime() ?? 0);
  const { written } = encoder.encodeInto(description, text);
  put(written);
  // Only lines of source need the file.
  const hasOtherLines = lines?.bytes === undefined && hasLinesElsewhere(image);
  const needsFile = hasOtherLines || (lines !== undefined && lines.bytes === undefined);
  put(needsFile ? encoder.encodeInto(file, text.subarray(written)).written : 0);
  put(groups.length);
  put(resolved === undefined ? 0 : needs.imports.length);
  put(hasOtherLines ? 1 : 0);
  put(isSilent === true ? 0 : 1);
  put(0);
  for (const { start, end, delta } of groups) {
    put(start);
    put(end);
    put(delta);
  }
  return words;
}
