/**
 * The meaning of section names.
 */

/** The section that holds the initial image of the TLS block. The loader knows it by this name. */
export const TLS_SECTION = ".tdata";

/** The linker-defined symbol at the start of the module's TLS block. */
export const TLS_BASE = "_TLS_MODULE_BASE_";

/** Section names that `__start_NAME` and `__stop_NAME` can bound. */
export const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Sections with arrays of initialisers and finalisers. */
const STARTUP = /^\.(preinit_array|init_array|fini_array|ctors|dtors)(?:\.(.*))?$/;

/** Initialisers without a priority run after all that have one. */
const NO_PRIORITY = 65536;

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
  const number = /^\d{1,9}$/.test(match[2] ?? "") ? Number(match[2]) : undefined;
  const priority = number === undefined ? NO_PRIORITY : old ? 65535 - number : number;
  return { output, priority, reversed: old };
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
