/**
 * The meaning of section names.
 */

/** The linker-defined symbol at the start of the module's TLS block. */
export const TLS_BASE = "_TLS_MODULE_BASE_";

/** The output section of the table of functions that unwinding needs on Windows. */
export const FUNCTION_TABLE = ".pdata";

/** The size of one entry (RUNTIME_FUNCTION): a function's start, its end and its unwind data, each in 4 bytes. */
export const FUNCTION_ENTRY_SIZE = 12;

/** Section names that `__start_NAME` and `__stop_NAME` can bound. */
export const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Sections whose code fragments together are one function, and the array that holds its address in
 * front: `_init` runs before all other initialisers, and `_fini` after all other finalisers, which
 * run from the end of their array.
 */
export const FRAGMENTS: ReadonlyMap<string, string> = new Map([
  [".init", ".init_array"],
  [".fini", ".fini_array"],
]);

/** Whether a section holds fragments of `_init` or `_fini`. */
export function isFragment(name: string): boolean {
  // Hashing the names of a million sections would take a quarter of a second.
  return name.length === ".init".length && FRAGMENTS.has(name);
}

/** Whether a section of COFF objects holds entries of the table of functions: `.pdata`, `.pdata$f`. */
export function isFunctionTable(name: string): boolean {
  return name.startsWith(FUNCTION_TABLE) && /^\.pdata(?:[$.]|$)/.test(name);
}

/** Sections of COFF objects that are laid out as if the rest of their names were not there. */
const STANDARD_GROUP =
  /^\.(?:text|data|rdata|bss|xdata|pdata|tls|CRT|debug|idata|edata|rsrc|gnu|data\.rel)(?:[$.]|$)/;

/**
 * Returns the output section for the parts of a table that linkers put in the order of their names: `.name` for
 * `.name$a` ("PE Format", "Grouped Sections"); undefined for other sections.
 */
export function groupOf(name: string): string | undefined {
  const dollar = name.indexOf("$");
  return dollar <= 0 || STANDARD_GROUP.test(name) ? undefined : name.slice(0, dollar);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Cuts a name to 16 bytes, between characters. */
export function sectionName(name: string): string {
  const bytes = encoder.encode(name);
  return bytes.length <= 16 ? name : decoder.decode(bytes.subarray(0, 16)).replace(/\ufffd+$/, "");
}
