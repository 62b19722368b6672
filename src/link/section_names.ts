/**
 * The meaning of section names.
 */

/** The linker-defined symbol at the start of the module's TLS block. */
export const TLS_BASE = "_TLS_MODULE_BASE_";

/** Section names that `__start_NAME` and `__stop_NAME` can bound. */
export const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Sections with arrays of initialisers and finalisers. */
const STARTUP = /^\.(preinit_array|init_array|fini_array|ctors|dtors)(?:\.(.*))?$/;

/** A suffix that is not a number runs after all numbers, in the order of the names, as GNU ld has it. */
const NAMED = 2 ** 31;

/** Initialisers without a suffix run last. */
const NO_PRIORITY = 2 ** 32;

/** The position of an array of initialisers or finalisers. */
export interface StartupOrder {
  /** The output section: `.preinit_array`, `.init_array` or `.fini_array`. */
  readonly output: string;
  /** Smaller numbers come first in the array. */
  readonly priority: number;
  /** Whether its words are reversed: `.ctors` and `.dtors` run from their end, arrays from their start. */
  readonly reversed: boolean;
}

/** Reads a section name such as `.init_array.00101`; returns `undefined` for other sections. */
export function startupOrder(name: string): StartupOrder | undefined {
  if (!name.startsWith(".")) return undefined;
  const match = STARTUP.exec(name);
  if (match === null) return undefined;
  const old = match[1] === "ctors" || match[1] === "dtors";
  const output = match[1] === "ctors" ? ".init_array" : match[1] === "dtors" ? ".fini_array" : `.${match[1]}`;
  // Old sections count their priorities down from 65535.
  const suffix = match[2];
  const isNumber = /^\d{1,9}$/.test(suffix ?? "");
  const number = old ? 65535 - Number(suffix) : Number(suffix);
  const priority = suffix === undefined ? NO_PRIORITY : isNumber ? number : NAMED;
  return { output, priority, reversed: old };
}

/** Compares sections that go to one array, by their names: by priority, then by name. */
export function compareStartup(a: string, b: string): number {
  const [first, second] = [startupOrder(a)!.priority, startupOrder(b)!.priority];
  if (first !== second) return first - second;
  return first === NO_PRIORITY || a === b ? 0 : a < b ? -1 : 1;
}

/**
 * Sections whose code fragments together are one function, and the array that holds its address in
 * front: `_init` runs before all other initialisers, and `_fini` after all other finalisers, which
 * run from the end of their array.
 */
export const FRAGMENTS: Readonly<Record<string, string>> = { ".init": ".init_array", ".fini": ".fini_array" };

/** Whether a section holds fragments of `_init` or `_fini`. */
export function isFragment(name: string): boolean {
  return Object.hasOwn(FRAGMENTS, name);
}
