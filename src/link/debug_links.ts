/**
 * The relocations of debug information that lead to other debug information of the same object, as most do. No link
 * changes what they say, so they are decoded once.
 */
import { RecordSize } from "../os/elf.ts";
import { DEBUG_RELOCATIONS, hasAddress } from "./debug_relocations.ts";
import type { ElfSection } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";

/**
 * The numbers of a relocation: the index of its record in the table, and where the word is in the section, which has
 * {@linkcode WIDTH} bytes; for one that leads to a section without an address, that section, the offset in it, and the
 * piece there.
 */
export const RECORD = 0, PLACE = 1, WIDTH = 2, SECTION = 3, OFFSET = 4, PIECE = 5, NUMBERS = 6;

/** In place of a section: the relocation leads somewhere else. In place of a piece: it is not known yet. */
export const ELSEWHERE = -1, UNKNOWN = -1;

const known = new WeakMap<ElfSection, Int32Array>();

/** The tables that a link has used. */
const used = new WeakSet<ElfSection>();

/**
 * Returns the relocations of a table whose types are known, {@linkcode NUMBERS} numbers for each; undefined for the
 * first link that asks, since most objects are linked once.
 */
export function decodeLinks(object: LinkObject, table: ElfSection): Int32Array | undefined {
  let links = known.get(table);
  if (links !== undefined) return links;
  if (used.has(table)) known.set(table, links = decode(object, table));
  else used.add(table);
  return links;
}

function decode(object: LinkObject, { offset, size }: ElfSection): Int32Array {
  const { file: { view }, machine, symbols } = object.elf;
  const relocations = DEBUG_RELOCATIONS[machine];
  const links = new Int32Array(size / RecordSize.RELA * NUMBERS);
  let length = 0;
  for (let at = offset; at < offset + size; at += RecordSize.RELA) {
    const relocation = relocations.get(view.getUint32(at + 8, true));
    if (relocation === undefined) continue;
    const symbol = view.getUint32(at + 12, true);
    const addend = view.getInt32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true);
    const target = hasAddress(object, symbol) ? NaN : symbols.value(symbol) + addend;
    const isInside = target === (target | 0);
    links[length + RECORD] = (at - offset) / RecordSize.RELA;
    links[length + PLACE] = view.getUint32(at, true);
    links[length + WIDTH] = relocation.width;
    links[length + SECTION] = isInside ? symbols.section(symbol) : ELSEWHERE;
    links[length + OFFSET] = isInside ? target : 0;
    links[length + PIECE] = UNKNOWN;
    length += NUMBERS;
  }
  return links.subarray(0, length);
}
