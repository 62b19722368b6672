/**
 * The meaning of section names.
 */

/** The linker-defined symbol at the start of the module's TLS block. */
export const TLS_BASE = "_TLS_MODULE_BASE_";

/** Section names that `__start_NAME` and `__stop_NAME` can bound. */
export const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Cuts a name to 16 bytes, between characters. */
export function sectionName(name: string): string {
  const bytes = encoder.encode(name);
  return bytes.length <= 16 ? name : decoder.decode(bytes.subarray(0, 16)).replace(/\ufffd+$/, "");
}
