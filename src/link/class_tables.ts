/**
 * The tables that C++ makes for classes (Itanium C++ ABI, 2.5 and 2.9): virtual tables, and type information with its
 * names. In a hot module they are homes as well, so that objects, casts and handlers of all versions agree on them.
 */
import { SectionFlag, SymbolKind } from "../os/elf.ts";
import type { InputSection, LinkObject } from "./input.ts";

/** Virtual table, construction table, table of tables, type information, name of a type. */
const KINDS = new TextEncoder().encode("VCTIS");
const [V, C] = KINDS;
const PREFIX = new TextEncoder().encode("_ZT");

/** The slots that each virtual table has by default for virtual functions of later versions. */
export const SPARE_VIRTUALS = 16;

const MAX_SPARE = 4096;

/** The bytes of one slot of a virtual table. */
const SLOT = 8;

/** A section with tables of classes and with other constants, so that it is not a home. */
export interface MixedTables {
  readonly section: InputSection;
  /** The names of its tables. */
  readonly tables: readonly string[];
}

/** The parts of a section that are named. */
interface Named {
  /** Whether everything with a name is a table of a class. */
  isTables: boolean;
  readonly tables: string[];
  readonly ranges: [start: number, end: number][];
  /** Whether a virtual table is among them. */
  hasVirtuals: boolean;
}

/**
 * Marks the sections that hold nothing but tables of classes, and gives virtual tables that have a section of their
 * own spare slots behind their end.
 *
 * @param spareVirtuals The slots for each.
 * @returns the sections whose tables start anew with each version.
 * @throws {RangeError} If `spareVirtuals` is not a whole number from 0 to 4096.
 */
export function markClassTables(objects: readonly LinkObject[], spareVirtuals: number): MixedTables[] {
  if (!Number.isInteger(spareVirtuals) || spareVirtuals < 0 || spareVirtuals > MAX_SPARE) {
    throw new RangeError(
      `Cannot link module with ${spareVirtuals} spare slots: expected a whole number from 0 to ${MAX_SPARE}`,
    );
  }
  const mixed: MixedTables[] = [];
  for (const { elf: { symbols, file: { bytes } }, sections } of objects) {
    const found = new Map<InputSection, Named>();
    for (let index = 1; index < symbols.length; index++) {
      const kind = symbols.kind(index);
      // Objects for AArch64 mark data with names such as `$d`.
      const isMark = kind === SymbolKind.NOTYPE && symbols.size(index) === 0;
      if (isMark || kind === SymbolKind.SECTION || kind === SymbolKind.FILE) continue;
      const section = sections[symbols.section(index)];
      if (section === undefined || !mayHoldTables(section)) continue;
      let named = found.get(section);
      if (named === undefined) {
        found.set(section, named = { isTables: true, tables: [], ranges: [], hasVirtuals: false });
      }
      const name = symbols.nameStart(index), letter = bytes[name + PREFIX.length];
      if (!PREFIX.every((byte, at) => bytes[name + at] === byte) || !KINDS.includes(letter)) {
        named.isTables = false;
        continue;
      }
      named.tables.push(symbols.name(index));
      named.hasVirtuals ||= letter === V || letter === C;
      const start = symbols.value(index);
      named.ranges.push([start, start + symbols.size(index)]);
    }
    for (const [section, { isTables, tables, ranges, hasVirtuals }] of found) {
      if (!isTables || !isCovered(section, ranges)) {
        if (tables.length > 0) mixed.push({ section, tables });
        continue;
      }
      section.isClassTable = true;
      if (hasVirtuals && ranges.every(([start]) => start === 0)) section.spare = spareVirtuals * SLOT;
    }
  }
  return mixed;
}

function mayHoldTables({ elf: { flags }, hasBytes }: InputSection): boolean {
  const { EXECINSTR, TLS, LINK_ORDER, MERGE } = SectionFlag;
  return hasBytes && (flags & (EXECINSTR | TLS | LINK_ORDER | MERGE)) === 0;
}

/** Whether names cover a section but for padding: zeros that are fewer than its alignment. */
function isCovered(section: InputSection, ranges: [start: number, end: number][]): boolean {
  const { size, alignment } = section.elf, bytes = section.bytes();
  ranges.sort(([left], [right]) => left - right);
  let end = 0;
  for (const [start, next] of [...ranges, [size, size]]) {
    const isPadding = start - end < alignment && bytes.subarray(end, start).every((byte) => byte === 0);
    if (start > end && !isPadding) return false;
    end = Math.max(end, next);
  }
  return end === size;
}
