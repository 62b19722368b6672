/**
 * Writes the frame information that is left as one section: records of
 * functions that are kept, each distinct CIE once, and a zero at the end.
 */
import type { FrameRecord, FrameSection } from "./eh_frame.ts";
import { RecordSize } from "../os/elf.ts";
import type { OutputSection } from "./input.ts";

/** A CIE's bytes and what its relocations refer to, as a text to compare. */
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
    // A local symbol means something in its own object only.
    const target = id === -1 ? `${object.index}.${symbol}` : `g${id}`;
    key += `|${view.getUint32(at, true) - record.start}:${view.getUint32(at + 8, true)}:${target}:` +
      `${view.getInt32(at + 16, true)}:${view.getInt32(at + 20, true)}`;
  }
  return key;
}

/**
 * Gives every live record its place, without gaps: four zero bytes would mean the end.
 *
 * @returns the section that they are in; undefined if no record is live.
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
        record.place = output.reserve(size, 1);
        continue;
      }
      const key = cieKey(frame, record);
      const known = cies.get(key);
      record.place = known ?? output.reserve(size, 1);
      // The second of two equal CIEs is not written; its FDEs refer to the first.
      if (known === undefined) cies.set(key, record.place);
      else record.live = false;
    }
  }
  if (output === undefined) return undefined;
  output.reserve(4, 1);
  output.alignment = 8;
  return output;
}

/** Copies the live records to their places. */
export function writeFrames(frames: readonly FrameSection[], into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (const frame of frames) {
    const bytes = frame.section.bytes();
    for (const record of frame.records) {
      if (!record.live) continue;
      into.set(bytes.subarray(record.start, record.end), record.place);
      // An FDE holds the distance back from this field to its CIE.
      if (record.cie !== undefined) {
        view.setUint32(record.place + 4, record.place + 4 - record.cie.place, true);
      }
    }
  }
}
