/**
 * Names that linkers define when somebody refers to them and nobody defines
 * them, as GNU's do: the ends of sections and of what has one protection.
 *
 * | name | where |
 * |---|---|
 * | `__start_NAME`, `__stop_NAME` | sections whose name is a C identifier; only if there is one |
 * | `__init_array_start`, `__init_array_end`, and of `preinit_array`, `fini_array` | the arrays |
 * | `_TLS_MODULE_BASE_` | the image of thread-local variables |
 * | `_GLOBAL_OFFSET_TABLE_` | the linker's own part of the table |
 * | `_DYNAMIC` | a dynamic section that is empty: a module has none |
 * | `etext`, `_etext`, `__etext` | the end of code |
 * | `edata`, `_edata` | the end of variables with values |
 * | `__bss_start` | the start of variables without |
 * | `end`, `_end` | their end |
 */
import { SectionType } from "../smf/enums.ts";
import { TLS_BASE, TLS_SECTION } from "./section_names.ts";

/** Where such a name is. */
export interface LinkerSymbol {
  /** The output section. */
  readonly section: string;
  readonly end: boolean;
  /** An output section to make if there is none of that name; undefined if the name is an import then. */
  readonly make?: { readonly type: number; readonly size: number };
  /** Whether it bounds all sections of that type, not just this one. */
  readonly all?: boolean;
}

const ARRAY_BOUND = /^__(preinit_array|init_array|fini_array)_(start|end)$/;

const EMPTY_ARRAY = { type: SectionType.RoData, size: 0 };

/** The ends of everything of one type. */
function ends(section: string, type: number, end: boolean): LinkerSymbol {
  return { section, end, make: { type, size: 0 }, all: true };
}

const CODE_END = ends(".text", SectionType.Code, true);
const DATA_END = ends(".data", SectionType.Data, true);
const BSS_END = ends(".bss", SectionType.Bss, true);

const NAMED: ReadonlyMap<string, LinkerSymbol> = new Map([
  [TLS_BASE, { section: TLS_SECTION, end: false, make: { type: SectionType.RoData, size: 0 } }],
  ["_GLOBAL_OFFSET_TABLE_", { section: ".got", end: false, make: { type: SectionType.RoData, size: 8 } }],
  // One entry of 16 bytes, DT_NULL.
  ["_DYNAMIC", { section: ".dynamic", end: false, make: { type: SectionType.RoData, size: 16 } }],
  ["etext", CODE_END],
  ["_etext", CODE_END],
  ["__etext", CODE_END],
  ["edata", DATA_END],
  ["_edata", DATA_END],
  ["__bss_start", ends(".bss", SectionType.Bss, false)],
  ["end", BSS_END],
  ["_end", BSS_END],
]);

/** What a name bounds, if it is such a name; what is called is a function, never such a name. */
export function linkerSymbolOf(name: string, called: boolean): LinkerSymbol | undefined {
  if (called) return undefined;
  const named = NAMED.get(name);
  if (named !== undefined) return named;
  const array = ARRAY_BOUND.exec(name);
  if (array !== null) return { section: `.${array[1]}`, end: array[2] === "end", make: EMPTY_ARRAY };
  if (name.startsWith("__start_")) return { section: name.slice(8), end: false };
  if (name.startsWith("__stop_")) return { section: name.slice(7), end: true };
  return undefined;
}
