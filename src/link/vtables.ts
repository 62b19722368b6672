/**
 * The virtual tables of C++ (Itanium C++ ABI, 2.5): no program sees the
 * addresses that they hold, so these need not be canonical. The loader would
 * make a trampoline for each, and every virtual call would go through it.
 */
import type { InputSection, LinkObject } from "./input.ts";

/** The parts of a section that are virtual tables, in ascending order. */
interface Ranges {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Whether a name begins with `_ZTV`, of a virtual table, or `_ZTC`, of one that serves while a base class is constructed. */
function isTable(bytes: Uint8Array, name: number): boolean {
  return bytes[name] === 0x5f && bytes[name + 1] === 0x5a && bytes[name + 2] === 0x54 &&
    (bytes[name + 3] === 0x56 || bytes[name + 3] === 0x43);
}

/** Finds the virtual tables of the objects of one link. */
export class VirtualTables {
  readonly #objects: Map<LinkObject, ReadonlyMap<number, Ranges>> = new Map();

  /** Whether a place of a section is in a virtual table. */
  contains({ object, elf }: InputSection, place: number): boolean {
    let sections = this.#objects.get(object);
    if (sections === undefined) this.#objects.set(object, sections = find(object));
    const ranges = sections.get(elf.index);
    if (ranges === undefined) return false;
    let first = 0, end = ranges.starts.length;
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (ranges.starts[middle] <= place) first = middle + 1;
      else end = middle;
    }
    return first > 0 && place < ranges.ends[first - 1];
  }
}

function find({ elf: { symbols, file: { bytes } } }: LinkObject): Map<number, Ranges> {
  const tables = new Map<number, [start: number, end: number][]>();
  for (let index = 1; index < symbols.length; index++) {
    const name = symbols.nameStart(index);
    if (!isTable(bytes, name)) continue;
    const section = symbols.section(index);
    if (section === -1) continue;
    const start = symbols.value(index);
    const known = tables.get(section);
    if (known === undefined) tables.set(section, [[start, start + symbols.size(index)]]);
    else known.push([start, start + symbols.size(index)]);
  }
  return new Map([...tables].map(([section, ranges]) => {
    ranges.sort(([left], [right]) => left - right);
    return [section, { starts: ranges.map(([start]) => start), ends: ranges.map(([, end]) => end) }];
  }));
}
