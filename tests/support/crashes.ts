/**
 * The fixture of functions that crash, linked.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  linkObjects,
  type LinkOptions,
  type LoadedModule,
  LoadError,
  type LoadOptions,
  ModuleRegistry,
  type ModuleRegistryOptions,
} from "../../mod.ts";
import { FOLDER, objectName } from "../../fixtures/build_crashes.ts";
import { Platform } from "../../src/smf/enums.ts";

/** The functions in the order of the fixture's table. */
export const FUNCTIONS = [
  "by_store",
  "by_libc",
  "by_abort",
  "by_division",
  "by_trap",
  "by_overflow",
  "by_sort",
  "by_null_call",
] as const;

/** The name of a function that crashes. */
export type Function = (typeof FUNCTIONS)[number];

/** Where a function is called: in this isolate, in a Worker, in a nonblocking call, or on a thread of the module's own. */
export const PLACES = ["main", "worker", "nonblocking", "thread"] as const;

/** One of the {@linkcode PLACES}. */
export type Place = (typeof PLACES)[number];

const IS_WINDOWS = Deno.build.os === "windows";

/** Makes a registry that provides the functions of the system that the fixture calls. */
export function makeRegistry(options: ModuleRegistryOptions = {}): ModuleRegistry {
  return new ModuleRegistry({ ...IS_WINDOWS && { libraries: ["msvcrt.dll", "kernel32.dll"] }, ...options });
}

/** Whether a variant is about unwind tables, which the linker leaves out of C. */
const hasTables = (variant: string): boolean => variant === "tables" || variant === "guarded";

/**
 * Links a variant of the fixture.
 *
 * @param folder Gets the companion file, if there is to be one.
 */
export function linkCrashes(variant: string, options: LinkOptions = {}, folder = "."): Uint8Array {
  const name = objectName(variant, Deno.build.arch);
  const platform = IS_WINDOWS ? { platform: Platform.Windows } : {};
  const unwind = hasTables(variant) ? { unwind: true } : {};
  const { bytes, debugFile } = linkObjects([{ name, bytes: Deno.readFileSync(new URL(name, FOLDER)) }], {
    ...platform,
    ...options,
    ...unwind,
  });
  if (debugFile !== undefined) Deno.writeFileSync(`${folder}/${options.debug}`, debugFile);
  return bytes;
}

/** Loads the fixture behind guards. */
export function loadGuarded(
  registry: ModuleRegistry,
  options: LoadOptions = {},
  variant = "guarded",
): LoadedModule {
  return registry.loadBytes("guarded", linkCrashes(variant), options);
}

/** Whether this is Wine, whose ntdll.dll has a function of its own. */
function isWine(): boolean {
  try {
    Deno.dlopen("ntdll.dll", { wine_get_version: { parameters: [], result: "pointer" } }).close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether any thread notices that its stack overflows. Under Wine those of a module's own do not: they have a single
 * page that notices, after which handlers have room by chance only, and Wine ends the thread.
 */
export const ALL_NOTICE_OVERFLOWS: boolean = !IS_WINDOWS || !isWine();

/** The names of exceptions of Windows for what is a signal on Linux. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  SIGSEGV: "EXCEPTION_ACCESS_VIOLATION",
  SIGABRT: "abort",
  SIGFPE: "EXCEPTION_INT_DIVIDE_BY_ZERO",
  SIGILL: "EXCEPTION_ILLEGAL_INSTRUCTION",
};

/** The name that this system has for what is a signal on Linux, also at the start of a text. */
export function onSystem(text: string): string {
  return IS_WINDOWS ? text.replace(/^SIG\w+/, (signal) => EXCEPTIONS[signal]) : text;
}

/** The functions of an error's frames that are the module's. */
export function functionsOf(error: unknown): string {
  if (!(error instanceof LoadError) || error.kind !== "Crashed") return String(error);
  const own = error.data.frames!.filter(({ version }) => version !== undefined);
  return `${error.data.signal} in ${own.map((frame) => frame.function).join(" < ")}`;
}

/** The expectations of a report below its first line. */
export interface ExpectedFrames {
  /** The functions of the module on the stack. */
  readonly functions: readonly string[];
  /** A function of a library above the module's, or between them. */
  readonly library?: RegExp;
  /** The beginning of the next step. */
  readonly next: string;
}

/** Asserts that a report has these frames and this next step. */
export function assertFrames(
  report: string,
  { functions, library, next }: ExpectedFrames,
  place: Place,
): void {
  const found = [
    ...report.matchAll(/^ {4}at (\w+)\+0x[0-9a-f]+ in module 'crashes', version 1 \(0x[0-9a-f]+\)$/gm),
  ];
  assertEquals(
    found.map(([, name]) => name),
    [...functions, ...place === "thread" ? ["run_there"] : []],
    report,
  );
  if (library !== undefined) assertMatch(report, library);
  assertEquals(report.includes("\n    from JavaScript\nnext: "), place !== "thread", report);
  assertStringIncludes(report, `\nnext: ${next}`);
}
