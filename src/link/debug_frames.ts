/**
 * Call frame information for debuggers (DWARF 5, 6.4): the records of `.eh_frame` as those of `.debug_frame`, whose
 * addresses are plain words. Debuggers need them for modules whose unwind tables are not loaded, too.
 */
import { LoadError } from "../errors/load_error.ts";
import { RecordSize } from "../os/elf.ts";
import { alignUp } from "../smf/offsets.ts";
import { Cursor } from "../types/dwarf/cursor.ts";
import { grown } from "../types/growing.ts";
import type { ElfSection } from "./elf/symbols.ts";
import type { FrameRecord, FrameSection } from "./eh_frame.ts";
import { Found, type Locator } from "./locate.ts";

/** The size of an address, to whose multiples records are padded. */
const WORD = 8;

/** The CIE_id of `.debug_frame`. */
const CIE_ID = 0xffff_ffff;

/** The parts of a CIE that both kinds of table have, and what reading its FDEs takes. */
interface Cie {
  /** Alignment factors, return register and first instructions, as bytes. */
  readonly body: Uint8Array;
  /** The size of the addresses in its FDEs, 4 or 8. */
  readonly addressSize: number;
  /** Whether its FDEs have further data in front of their instructions. */
  readonly hasData: boolean;
  /** Equal for equal bodies only. */
  readonly key: string;
}

/** The CIEs of sections that were read, by where they start; undefined for one of unknown form. */
const known = new WeakMap<ElfSection, Map<number, Cie | undefined>>();

/** Records of call frame information. */
export interface DebugFrames {
  readonly bytes: Uint8Array;
  /** Where addresses are. */
  readonly places: readonly number[];
  /** Where FDEs hold the offset of their CIE. */
  readonly references: readonly number[];
}

/**
 * Makes `.debug_frame` of the records whose functions are in the module. Records of unknown form, and damaged ones, are
 * left out.
 */
export function debugFrames(frames: readonly FrameSection[], locator: Locator): DebugFrames {
  const writer = new FrameWriter();
  for (const frame of frames) {
    try {
      addFrames(frame, locator, writer);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
  return writer.finish();
}

function addFrames(frame: FrameSection, locator: Locator, writer: FrameWriter): void {
  const bytes = frame.section.bytes();
  let cies = known.get(frame.section.elf);
  if (cies === undefined) known.set(frame.section.elf, cies = new Map());
  for (const record of frame.records) {
    if (record.cie === undefined || !frame.isFunctionLive(record)) continue;
    const { start } = record.cie;
    if (!cies.has(start)) cies.set(start, readCie(bytes, record.cie));
    const cie = cies.get(start);
    const address = cie === undefined ? undefined : addressOf(frame, record, locator);
    if (cie !== undefined && address !== undefined) writer.add(cie, address, bytes, record);
  }
}

/** Reads a CIE (LSB Core, "Common Information Entry Format"); undefined for a form that is not known. */
function readCie(bytes: Uint8Array, { start, end }: FrameRecord): Cie | undefined {
  const cursor = new Cursor(bytes.subarray(0, end), start);
  // Records with a length of 64 bits do not occur.
  if (cursor.u32() === 0xffff_ffff) return undefined;
  cursor.take(4);
  const version = cursor.u8();
  const text = cursor.text();
  const augmentation = String.fromCharCode(...bytes.subarray(text, cursor.at - 1));
  if (!/^(?:z[PLRSB]*)?$/.test(augmentation) || (version !== 1 && version !== 3)) return undefined;
  const factors = cursor.at;
  cursor.uleb();
  cursor.sleb();
  const head = [...bytes.subarray(factors, cursor.at)];
  // One byte in version 1, which means the same as ULEB128 below 128.
  const register = version === 1 ? cursor.u8() : cursor.uleb();
  if (register >= 0x80) return undefined;
  let addressSize = WORD;
  if (augmentation !== "") {
    const dataEnd = cursor.uleb() + cursor.at;
    for (const letter of augmentation.slice(1)) {
      if (letter === "R") addressSize = sizeOf(cursor.u8());
      else if (letter === "L") cursor.u8();
      else if (letter === "P") cursor.take(sizeOf(cursor.u8()));
    }
    cursor.at = dataEnd;
  }
  const body = Uint8Array.from([...head, register, ...bytes.subarray(cursor.at, end)]);
  return { body, addressSize, hasData: augmentation !== "", key: body.join() };
}

/** The size of a pointer with an encoding (LSB Core, "DWARF Exception Header Encoding"). */
function sizeOf(encoding: number): number {
  const format = encoding & 0x07;
  return format === 2 ? 2 : format === 3 ? 4 : WORD;
}

/** Returns the address of an FDE's function, an offset in the image. */
function addressOf(
  { section: { object, elf }, relocations }: FrameSection,
  record: FrameRecord,
  locator: Locator,
) {
  const { view } = object.elf.file;
  const at = elf.relaOffset + relocations[record.firstRelocation] * RecordSize.RELA;
  const addend = view.getInt32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true);
  locator.symbol(object, view.getUint32(at + 12, true), addend);
  if (locator.found !== Found.DEFINED) return undefined;
  return locator.output.address + locator.offset + (locator.addendUsed ? 0 : addend);
}

class FrameWriter {
  /** The records, and room behind them. */
  #bytes = new Uint8Array(1 << 14);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;
  readonly #places: number[] = [];
  readonly #references: number[] = [];
  readonly #cies: Map<string, number> = new Map();

  /** Adds an FDE, and its CIE if no equal one is there. */
  add(cie: Cie, address: number, bytes: Uint8Array, { start, end }: FrameRecord): void {
    const reference = this.#cie(cie);
    const cursor = new Cursor(bytes.subarray(0, end), start + 8 + cie.addressSize);
    const range = cie.addressSize === 4 ? cursor.u32() : cursor.u64();
    if (cie.hasData) cursor.take(cursor.uleb());
    const at = this.#record(reference, 2 * WORD + end - cursor.at);
    this.#view.setUint32(at + 8, address, true);
    this.#view.setUint32(at + 8 + WORD, range, true);
    this.#bytes.set(cursor.bytes.subarray(cursor.at), at + 8 + 2 * WORD);
    this.#references.push(at + 4);
    this.#places.push(at + 8);
  }

  /** Adds a CIE, unless an equal one is there; returns where it starts. */
  #cie({ body, key }: Cie): number {
    let at = this.#cies.get(key);
    if (at === undefined) {
      this.#cies.set(key, at = this.#record(CIE_ID, 2 + body.length));
      // Version 3, without an augmentation.
      this.#bytes.set([3, 0, ...body], at + 8);
    }
    return at;
  }

  /** Makes room for a record, padded with DW_CFA_nop, which is 0; returns where it starts. */
  #record(id: number, size: number): number {
    const at = this.#size, length = alignUp(8 + size, WORD);
    this.#size += length;
    while (this.#size > this.#bytes.length) this.#bytes = grown(this.#bytes);
    if (this.#view.buffer !== this.#bytes.buffer) this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint32(at, length - 4, true);
    this.#view.setUint32(at + 4, id, true);
    return at;
  }

  finish(): DebugFrames {
    return {
      bytes: this.#bytes.subarray(0, this.#size),
      places: this.#places,
      references: this.#references,
    };
  }
}
