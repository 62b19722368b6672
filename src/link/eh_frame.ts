/**
 * Call frame information (LSB Core, "Exception Frames"): taken apart into its
 * CIE and FDE records, since a record may stay only if its function does.
 */
import { RecordSize } from "../os/elf.ts";
import type { InputSection } from "./input.ts";
import { malformed } from "./elf/bytes.ts";

/** One CIE or FDE. */
export interface FrameRecord {
  /** Where it begins in its section, and where the next one does. */
  readonly start: number;
  readonly end: number;
  /** The CIE that an FDE belongs to; undefined for a CIE. */
  readonly cie: FrameRecord | undefined;
  /** First and one past the last relocation that patches it, as indexes into `relocations`. */
  firstRelocation: number;
  lastRelocation: number;
  live: boolean;
  /** Offset in the output section, once placed; another record's when that is equal. */
  place: number;
}

/** The records of one `.eh_frame` section. */
export class FrameSection {
  readonly section: InputSection;
  readonly records: readonly FrameRecord[];
  /** Indexes into the section's relocation table, ordered by the place that they patch. */
  readonly relocations: Uint32Array;

  constructor(section: InputSection) {
    this.section = section;
    this.relocations = sortedRelocations(section);
    this.records = readRecords(section);
    this.#assignRelocations();
  }

  #assignRelocations(): void {
    const { view } = this.section.object.elf.file;
    const { relaOffset } = this.section.elf;
    let next = 0;
    for (const record of this.records) {
      record.firstRelocation = next;
      while (next < this.relocations.length) {
        const at = relaOffset + this.relocations[next] * RecordSize.RELA;
        if (view.getUint32(at + 4, true) === 0 && view.getUint32(at, true) < record.end) next++;
        else break;
      }
      record.lastRelocation = next;
    }
    if (next < this.relocations.length) {
      throw malformed(this.section.object.name, "a relocation lies outside every frame record", {
        section: this.section.name,
      });
    }
  }

  /** Index into the relocation table of what gives an FDE its function, or -1. */
  functionRelocation(record: FrameRecord): number {
    if (record.firstRelocation === record.lastRelocation) return -1;
    const index = this.relocations[record.firstRelocation];
    const at = this.section.elf.relaOffset + index * RecordSize.RELA;
    // length, CIE pointer, then the function's address
    return this.section.object.elf.file.view.getUint32(at, true) === record.start + 8 ? index : -1;
  }
}

function sortedRelocations({ object, elf }: InputSection): Uint32Array {
  const { view } = object.elf.file;
  const order = Uint32Array.from({ length: elf.relaCount }, (_, index) => index);
  const place = (index: number): number => view.getUint32(elf.relaOffset + index * RecordSize.RELA, true);
  let sorted = true;
  for (let i = 1; i < order.length && sorted; i++) sorted = place(i - 1) <= place(i);
  return sorted ? order : order.sort((a, b) => place(a) - place(b) || a - b);
}

function readRecords(section: InputSection): FrameRecord[] {
  const { object, elf } = section;
  const { view } = object.elf.file;
  const broken = (offset: number) =>
    malformed(object.name, "the frame information is broken", { section: elf.name, offset });
  const records: FrameRecord[] = [];
  const cies = new Map<number, FrameRecord>();
  let start = 0;
  while (start + 4 <= elf.size) {
    const length = view.getUint32(elf.offset + start, true);
    if (length === 0) break;
    const end = start + 4 + length;
    // 0xffffffff would announce a 64-bit length, which nobody writes; it ends here too.
    if (end > elf.size || length < 4) throw broken(start);
    const pointer = view.getUint32(elf.offset + start + 4, true);
    const cie = pointer === 0 ? undefined : cies.get(start + 4 - pointer);
    if (pointer !== 0 && cie === undefined) throw broken(start);
    const record = { start, end, cie, firstRelocation: 0, lastRelocation: 0, live: false, place: -1 };
    if (pointer === 0) cies.set(start, record);
    records.push(record);
    start = end;
  }
  return records;
}

/** Whether a section holds call frame information. */
export function isFrameSection(section: InputSection): boolean {
  return section.name === ".eh_frame";
}
