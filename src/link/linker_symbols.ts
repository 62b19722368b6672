/**
 * Linker-defined symbols: undefined names that GNU's linkers, and this one, define when an object
 * refers to them. They mark the bounds of sections and of groups.
 *
 * | name | address |
 * |---|---|
 * | `__start_NAME`, `__stop_NAME` | sections whose name is a C identifier; only if there is one |
 * | `__init_array_start`, `__init_array_end`, and of `preinit_array`, `fini_array`, `tls_init_array` | the bounds of the arrays |
 * | `_TLS_MODULE_BASE_` | the image of thread-local variables |
 * | `_GLOBAL_OFFSET_TABLE_` | the linker's own part of the GOT |
 * | `_DYNAMIC` | an empty dynamic section, since a module has none |
 * | `etext`, `_etext`, `__etext` | the end of code |
 * | `edata`, `_edata` | the end of variables with values |
 * | `__bss_start` | the start of zeroed variables |
 * | `end`, `_end` | the end of zeroed variables |
 * | `__executable_start`, `__ImageBase` | the start of code, with which the image begins |
 * | `__ehdr_start` | an ELF header without program headers, since a module has none |
 */
import { ObjectType, RecordSize } from "../os/elf.ts";
import { SectionType } from "../smf/enums.ts";
import type { InputSection, LinkObject } from "./input.ts";
import { C_IDENTIFIER, TLS_BASE } from "./section_names.ts";
import { startupArrayOf } from "./startup_order.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";

/** The address of a linker-defined symbol. */
export interface LinkerSymbol {
  /** The name of the output section. */
  readonly section: string;
  /** Whether it marks the end of the section, rather than its start. */
  readonly end: boolean;
  /** The output section to make if there is none of that name. Without it, the name becomes an import. */
  readonly make?: { readonly type: number; readonly size: number };
  /** Whether it bounds all sections of the type of `make`, not only this one. */
  readonly all?: boolean;
}

const ARRAY_BOUND = /^__(preinit_array|init_array|fini_array|tls_init_array)_(start|end)$/;

const EMPTY_ARRAY = { type: SectionType.RoData, size: 0 };

/** A bound of all sections of one type. */
function boundOfAll(section: string, type: number, end: boolean): LinkerSymbol {
  return { section, end, make: { type, size: 0 }, all: true };
}

/** The output section that `__ehdr_start` marks. */
export const EHDR_SECTION = ".ehdr";

/** Returns the header that `__ehdr_start` marks: that of a shared library without any tables. */
export function emptyHeader(machine: number): Uint8Array {
  const header = new Uint8Array(RecordSize.EHDR);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const view = new DataView(header.buffer);
  view.setUint16(16, ObjectType.DYN, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setUint16(52, RecordSize.EHDR, true);
  return header;
}

const CODE_END = boundOfAll(".text", SectionType.Code, true);
const DATA_END = boundOfAll(".data", SectionType.Data, true);
const BSS_END = boundOfAll(".bss", SectionType.Bss, true);

const NAMED: ReadonlyMap<string, LinkerSymbol> = new Map([
  [TLS_BASE, { section: TLS_SECTION, end: false, make: { type: SectionType.RoData, size: 0 } }],
  ["_GLOBAL_OFFSET_TABLE_", { section: ".got", end: false, make: { type: SectionType.RoData, size: 8 } }],
  // One entry of 16 bytes, DT_NULL.
  ["_DYNAMIC", { section: ".dynamic", end: false, make: { type: SectionType.RoData, size: 16 } }],
  ["__executable_start", boundOfAll(".text", SectionType.Code, false)],
  ["__ehdr_start", { section: EHDR_SECTION, end: false, make: { type: SectionType.RoData, size: 64 } }],
  ["__ImageBase", boundOfAll(".text", SectionType.Code, false)],
  ["etext", CODE_END],
  ["_etext", CODE_END],
  ["__etext", CODE_END],
  ["edata", DATA_END],
  ["_edata", DATA_END],
  ["__bss_start", boundOfAll(".bss", SectionType.Bss, false)],
  ["end", BSS_END],
  ["_end", BSS_END],
]);

/**
 * Returns the linker-defined symbol of this name, if there is one.
 *
 * @param called Whether something calls the name: it is a function then, so the linker does not define it.
 */
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

/** Finds the input sections that linker-defined symbols bound by name. */
export class BoundedSections {
  readonly #objects: readonly LinkObject[];
  /** By name of the output section; made when the first name is looked up, since few links need it. */
  #byName: Map<string, InputSection[]> | undefined;

  constructor(objects: readonly LinkObject[]) {
    this.#objects = objects;
  }

  /** Returns the sections that go to the output section of this name. */
  named(name: string): readonly InputSection[] {
    this.#byName ??= this.#index();
    return this.#byName.get(name) ?? [];
  }

  #index(): Map<string, InputSection[]> {
    const byName = new Map<string, InputSection[]>();
    for (const object of this.#objects) {
      for (const section of object.sections) {
        if (section === undefined || section.discarded) continue;
        const startup = startupArrayOf(section);
        if (!C_IDENTIFIER.test(section.name) && startup === undefined) continue;
        const name = startup?.output ?? section.name;
        const known = byName.get(name);
        if (known === undefined) byName.set(name, [section]);
        else known.push(section);
      }
    }
    return byName;
  }
}
