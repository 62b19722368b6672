/**
 * Finds the words of an object's debug information that are offsets in another of its sections. In Mach-O they have no
 * relocations: macOS leaves the debug information in the objects, and a tool that knows DWARF puts it together.
 *
 * | section | words |
 * |---|---|
 * | `.debug_info` | units to `.debug_abbrev`; attributes of the forms `strp`, `line_strp`, `sec_offset`, `ref_addr` |
 * | `.debug_line` | texts of version 5, by its forms |
 * | `.debug_str_offsets` | all behind the headers |
 * | `.debug_aranges` | units to `.debug_info` |
 */
import { damaged } from "../../types/damaged.ts";
import { indirectForm, skipForm } from "../../types/dwarf/abbrev.ts";
import { Form, UnitType } from "../../types/dwarf/constants.ts";
import { Cursor } from "../../types/dwarf/cursor.ts";

/** A word of 4 bytes. */
export interface DebugOffset {
  /** Its place in the section that holds it. */
  readonly place: number;
  /** The section that it is an offset in. */
  readonly target: string;
  readonly value: number;
}

/** DW_AT_*, of which values are offsets; the others lead to lists of locations. */
const [STMT_LIST, MACRO_INFO, RANGES, START_SCOPE] = [0x10, 0x43, 0x55, 0x2c];
const [STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE, MACROS, LOCLISTS_BASE] = [0x72, 0x73, 0x74, 0x79, 0x8c];
const [LOCATION, FRAME_BASE] = [0x02, 0x40];

/** Before version 4 offsets are numbers by their form; these attributes tell. */
const OLD_OFFSETS: ReadonlySet<number> = new Set([STMT_LIST, MACRO_INFO, RANGES, LOCATION, FRAME_BASE]);

interface Kind {
  readonly hasChildren: boolean;
  readonly attributes: readonly (readonly [name: number, form: number])[];
}

/**
 * Lists the offsets in each section, in the order of their places.
 *
 * @param sections The bytes of sections under their names in ELF.
 * @throws {LoadError} `InvalidFormat` if the debug information is damaged.
 */
export function debugOffsets(sections: ReadonlyMap<string, Uint8Array>): Map<string, DebugOffset[]> {
  const found = new Map<string, DebugOffset[]>();
  const visit = (name: string, work: (cursor: Cursor, add: Add) => void): void => {
    const bytes = sections.get(name);
    if (bytes === undefined) return;
    const list: DebugOffset[] = [];
    const add: Add = (target, at) => list.push({ place: at, target, value: new Cursor(bytes, at).u32() });
    const cursor = new Cursor(bytes);
    while (cursor.at < bytes.length) {
      const length = cursor.u32();
      if (length >= 0xffff_fff0) throw damaged("its debug information is in the 64-bit format");
      const end = cursor.at + length;
      if (end > bytes.length) throw damaged("a unit passes the end of its section");
      work(new Cursor(bytes.subarray(0, end), cursor.at), add);
      cursor.at = end;
    }
    if (list.length > 0) found.set(name, list);
  };
  const tables = new Map<number, ReadonlyMap<number, Kind>>();
  visit(".debug_info", (cursor, add) => visitUnit(cursor, add, sections.get(".debug_abbrev"), tables));
  visit(".debug_line", visitLines);
  visit(".debug_str_offsets", (cursor, add) => {
    cursor.take(4); // version, padding
    while (cursor.at < cursor.bytes.length) add(".debug_str", cursor.take(4));
  });
  visit(".debug_aranges", (cursor, add) => {
    cursor.u16(); // version
    add(".debug_info", cursor.take(4));
  });
  return found;
}

/** Adds the word at a place. */
type Add = (target: string, at: number) => unknown;

function visitUnit(
  cursor: Cursor,
  add: Add,
  abbreviations: Uint8Array | undefined,
  tables: Map<number, ReadonlyMap<number, Kind>>,
): void {
  const version = cursor.u16();
  if (version < 2 || version > 5) throw damaged(`a unit has the version ${version}, not 2 to 5`);
  if (abbreviations === undefined) throw damaged("the section .debug_abbrev is missing");
  const type = version >= 5 ? cursor.u8() : UnitType.compile;
  if (version >= 5) cursor.u8(); // the size of addresses
  const table = cursor.u32();
  add(".debug_abbrev", cursor.at - 4);
  if (version < 5) cursor.u8();
  else if (type === UnitType.type) cursor.take(12); // signature, offset of the type
  else if (type >= UnitType.skeleton) cursor.take(8); // the number of the unit
  let kinds = tables.get(table);
  if (kinds === undefined) tables.set(table, kinds = readKinds(abbreviations, table));
  for (let depth = 0; cursor.at < cursor.bytes.length;) {
    const code = cursor.uleb();
    if (code === 0) {
      if (--depth <= 0) break;
      continue;
    }
    const kind = kinds.get(code);
    if (kind === undefined) throw damaged(`the abbreviation ${code} is missing`);
    for (const [name, form] of kind.attributes) {
      const actual = form === Form.indirect ? indirectForm(cursor) : form;
      const target = targetOf(name, actual, version);
      if (target !== undefined) add(target, cursor.at);
      skipForm(cursor, actual);
    }
    if (kind.hasChildren) depth++;
    else if (depth === 0) break;
  }
}

function readKinds(bytes: Uint8Array, offset: number): Map<number, Kind> {
  const cursor = new Cursor(bytes, offset);
  const kinds = new Map<number, Kind>();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    cursor.uleb(); // the tag
    const hasChildren = cursor.u8() !== 0;
    const attributes: [number, number][] = [];
    for (;;) {
      const name = cursor.uleb(), form = cursor.uleb();
      if (name === 0 && form === 0) break;
      if (form === Form.implicitConst) cursor.sleb();
      attributes.push([name, form]);
    }
    kinds.set(code, { hasChildren, attributes });
  }
  return kinds;
}

/** The section that the value of an attribute is an offset in; undefined for other values. */
function targetOf(name: number, form: number, version: number): string | undefined {
  if (form === Form.strp) return ".debug_str";
  if (form === Form.lineStrp) return ".debug_line_str";
  if (form === Form.refAddr) return ".debug_info";
  const isOffset = form === Form.secOffset || version < 4 && form === Form.data4 && OLD_OFFSETS.has(name);
  if (!isOffset) return undefined;
  switch (name) {
    case STMT_LIST:
      return ".debug_line";
    case RANGES:
    case START_SCOPE:
      return version < 5 ? ".debug_ranges" : ".debug_rnglists";
    case MACRO_INFO:
      return ".debug_macinfo";
    case MACROS:
      return ".debug_macro";
    case STR_OFFSETS_BASE:
      return ".debug_str_offsets";
    case ADDR_BASE:
      return ".debug_addr";
    case RNGLISTS_BASE:
      return ".debug_rnglists";
    case LOCLISTS_BASE:
      return ".debug_loclists";
    default:
      return version < 5 ? ".debug_loc" : ".debug_loclists";
  }
}

/** Visits the tables of folders and files of a line program (DWARF 5, 6.2.4), which hold offsets from version 5 on. */
function visitLines(cursor: Cursor, add: Add): void {
  if (cursor.u16() < 5) return;
  // Sizes of addresses and selectors, the header's length, and five numbers of one byte each.
  cursor.take(2 + 4 + 5);
  const opcodeBase = cursor.u8();
  cursor.take(opcodeBase - 1);
  for (let table = 0; table < 2; table++) {
    const forms = Array.from({ length: cursor.u8() }, () => {
      cursor.uleb(); // the kind of content
      return cursor.uleb();
    });
    for (let count = cursor.uleb(); count > 0; count--) {
      for (const form of forms) {
        if (form === Form.lineStrp) add(".debug_line_str", cursor.at);
        else if (form === Form.strp) add(".debug_str", cursor.at);
        skipForm(cursor, form);
      }
    }
  }
}
