/**
 * What linkers read out of section names.
 */

/** The section with the initial image of thread-local variables. The loader knows it by this name. */
export const TLS_SECTION = ".tdata";

/** The start of the module's TLS block: a symbol that linkers define. */
export const TLS_BASE = "_TLS_MODULE_BASE_";

/** Sections with such names can be bounded by `__start_NAME` and `__stop_NAME`. */
export const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The names of arrays of functions that run when a module starts and ends. */
const STARTUP = /^\.(preinit_array|init_array|fini_array|ctors|dtors)(?:\.(.*))?$/;

/** Runs after everything that has a priority. */
const NO_PRIORITY = 65536;

/** Where an array of start-up or end functions goes. */
export interface StartupOrder {
  /** The output section: `.preinit_array`, `.init_array` or `.fini_array`. */
  readonly output: string;
  /** Smaller comes first in the array. */
  readonly priority: number;
  /** `.ctors` and `.dtors` run from their end, arrays from their start, so their words are turned around. */
  readonly reversed: boolean;
}

/** Reads a section name such as `.init_array.00101`; `undefined` when it is no such section. */
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
 * Sections of code fragments that together are one function, and the array that
 * its address goes to, in front: `_init` runs before all other initialisers, and
 * `_fini` after all other finalisers, which run from their array's end.
 */
export const FRAGMENTS: Readonly<Record<string, string>> = { ".init": ".init_array", ".fini": ".fini_array" };

/** Whether a section holds such fragments. */
export function isFragment(name: string): boolean {
  return Object.hasOwn(FRAGMENTS, name);
}
