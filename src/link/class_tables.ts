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

/** The bytes of one slot of a virtual table. */
const SLOT = 8;

/** The parts of a section that are named. */
interface Named {
  /** Whether everything with a name is a table of a class. */
  isTables: boolean;
  readonly ranges: [start: number, end: number][];
  /** Whether a virtual table is among them. */
  hasVirtuals: boolean;
}

/**
 * Marks the sections that hold nothing but tables of classes, and gives virtual tables that have a section of their
 * own spare slots behind their end.
 *
 * @param spareVirtuals The slots for each.
 */
export function markClassTables(objects: readonly LinkObject[], spareVirtuals: number): void {
  for (const { elf: { symbols, file: { bytes } }, sections } of objects) {
    const found = new Map<InputSection, Named>();
    for (let index = 1; index < symbols.length; index++) {
      const kind = symbols.kind(index);
      if (kind === SymbolKind.SECTION || kind === SymbolKind.FILE) continue;
      const section = sections[symbols.section(index)];
      if (section === undefined || !mayHoldTables(section)) continue;
      let named = found.get(section);
      if (named === undefined) found.set(section, named = { isTables: true, ranges: [], hasVirtuals: false });
      const name = symbols.nameStart(index), letter = bytes[name + PREFIX.length];
      if (!PREFIX.every((byte, at) => bytes[name + at] === byte) || !KINDS.includes(letter)) {
        named.isTables = false;
        continue;
      }
      named.hasVirtuals ||= letter === V || letter === C;
      const start = symbols.value(index);
      named.ranges.push([start, start + symbols.size(index)]);
    }
    for (const [section, { isTables, ranges, hasVirtuals }] of found) {
      if (!isTables || !isCovered(section, ranges)) continue;
      section.isClassTable = true;
      if (hasVirtuals && ranges.every(([start]) => start === 0)) section.spare = spareVirtuals * SLOT;
    }
  }
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
