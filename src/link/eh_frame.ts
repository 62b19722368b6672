/**
 * Call frame information (LSB Core, "Exception Frames"): takes `.eh_frame` sections apart into CIE
 * and FDE records, since a record may stay only if its function does, and writes those that stay as
 * one section, in which each distinct CIE stands once.
 */
import { FrameRecords } from "../smf/frame_records.ts";
import { RecordSize } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { InputSection, OutputSection } from "./input.ts";
import { malformed } from "./problems.ts";

/** One CIE or FDE. */
export interface FrameRecord {
  /** Offset in its section. */
  readonly start: number;
  /** Offset of the next record. */
  readonly end: number;
  /** The CIE that an FDE belongs to; undefined for a CIE. */
  readonly cie: FrameRecord | undefined;
  /** The first relocation that patches the record, as an index into `relocations`. */
  firstRelocation: number;
  /** One past the last relocation that patches it. */
  lastRelocation: number;
  live: boolean;
  /** Offset in the output section, set by {@linkcode placeFrames}. Equal CIEs share one. */
  outputOffset: number;
}

/** The records of one `.eh_frame` section. */
export class FrameSection {
  readonly section: InputSection;
  readonly records: readonly FrameRecord[];
  /** Indexes into the section's relocation table, ordered by the offset that they patch. */
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

  /** Whether an FDE describes a function that is reached. */
  isFunctionLive(record: FrameRecord): boolean {
    if (record.firstRelocation === record.lastRelocation) return false;
    const { object, elf } = this.section;
    const { view } = object.elf.file;
    const at = elf.relaOffset + this.relocations[record.firstRelocation] * RecordSize.RELA;
    // The function's address stands behind the length and the CIE pointer.
    if (view.getUint32(at, true) !== record.start + 8) return false;
    const symbol = view.getUint32(at + 12, true);
    return symbol < object.elf.symbols.length && (object.sectionOf(symbol)?.live ?? false);
  }

  /** Refuses the FDE of a function that is not given by its plain address: nothing makes slots for such functions. */
  checkFunctionReference({ start, firstRelocation }: FrameRecord, { rules }: LinkArch): void {
    const { object, elf } = this.section;
    const at = elf.relaOffset + this.relocations[firstRelocation] * RecordSize.RELA;
    const type = object.elf.file.view.getUint32(at + 8, true);
    const use = rules.get(type)?.use;
    if (use === "absolute" || use === "relative") return;
    throw malformed(
      object.name,
      `the frame information is broken: relocation type ${type} is none for the address of a function`,
      { section: elf.name, offset: start },
    );
  }

  /** Whether a function that is reached has a table of handlers, which its FDE refers to by a second relocation. */
  hasLiveHandlers(): boolean {
    return this.records.some((record) =>
      record.cie !== undefined && record.lastRelocation - record.firstRelocation > 1 &&
      this.isFunctionLive(record)
    );
  }
}

function sortedRelocations({ object, elf }: InputSection): Uint32Array {
  const { view } = object.elf.file;
  const order = Uint32Array.from({ length: elf.relaCount }, (_, index) => index);
  const offset = (index: number): number => view.getUint32(elf.relaOffset + index * RecordSize.RELA, true);
  let sorted = true;
  for (let i = 1; i < order.length && sorted; i++) sorted = offset(i - 1) <= offset(i);
  return sorted ? order : order.sort((a, b) => offset(a) - offset(b) || a - b);
}

function readRecords(section: InputSection): FrameRecord[] {
  const { name } = section.object;
  const read = new FrameRecords(
    section.bytes(),
    (problem, offset) =>
      malformed(name, `the frame information is broken: ${problem}`, { section: section.name, offset }),
  );
  const records: FrameRecord[] = [];
  const cies = new Map<number, FrameRecord>();
  // An object's table may end without a terminator, which only the last one of a program has.
  while (read.next()) {
    const { start, end } = read;
    const cie = read.cie === -1 ? undefined : cies.get(read.cie);
    const record = { start, end, cie, firstRelocation: 0, lastRelocation: 0, live: false, outputOffset: -1 };
    if (cie === undefined) cies.set(start, record);
    records.push(record);
  }
  return records;
}

/** Whether a section holds call frame information. */
export function isFrameSection(section: InputSection): boolean {
  return section.name === ".eh_frame";
}

/** The bytes of a CIE and the targets of its relocations, as a text to compare. */
function cieKey(frame: FrameSection, record: FrameRecord): string {
  const { object, elf } = frame.section;
  const { bytes, view } = object.elf.file;
  let key = "";
  for (let i = elf.offset + record.start; i < elf.offset + record.end; i++) {
    key += String.fromCharCode(bytes[i]);
  }
  for (let i = record.firstRelocation; i < record.lastRelocation; i++) {
    const at = elf.relaOffset + frame.relocations[i] * RecordSize.RELA;
    const symbol = view.getUint32(at + 12, true);
    const id = object.globalOf(symbol);
    // The number of a local symbol has a meaning in its own object only.
    const target = id === -1 ? `${object.index}.${symbol}` : `g${id}`;
    key += `|${view.getUint32(at, true) - record.start}:${view.getUint32(at + 8, true)}:${target}:` +
      `${view.getInt32(at + 16, true)}:${view.getInt32(at + 20, true)}`;
  }
  return key;
}

/**
 * Gives every live record its offset in the output, without gaps: four zero bytes would end the table.
 *
 * @returns the section that holds them; undefined if no record is live.
 */
export function placeFrames(
  frames: readonly FrameSection[],
  makeOutput: () => OutputSection,
): OutputSection | undefined {
  let output: OutputSection | undefined;
  const cies = new Map<string, number>();
  for (const frame of frames) {
    for (const record of frame.records) {
      if (!record.live) continue;
      output ??= makeOutput();
      const size = record.end - record.start;
      if (record.cie !== undefined) {
        record.outputOffset = output.reserve(size, 1);
        continue;
      }
      const key = cieKey(frame, record);
      const known = cies.get(key);
      record.outputOffset = known ?? output.reserve(size, 1);
      // The second of two equal CIEs is not written; its FDEs refer to the first.
      if (known === undefined) cies.set(key, record.outputOffset);
      else record.live = false;
    }
  }
  if (output === undefined) return undefined;
  // The terminator.
  output.reserve(4, 1);
  output.alignment = 8;
  return output;
}

/** Copies the live records to their offsets. */
export function writeFrames(frames: readonly FrameSection[], into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (const frame of frames) {
    const bytes = frame.section.bytes();
    for (const record of frame.records) {
      if (!record.live) continue;
      into.set(bytes.subarray(record.start, record.end), record.outputOffset);
      // An FDE holds the distance from this field back to its CIE.
      if (record.cie !== undefined) {
        const field = record.outputOffset + 4;
        view.setUint32(field, field - record.cie.outputOffset, true);
      }
    }
  }
}
