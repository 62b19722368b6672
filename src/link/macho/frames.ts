/**
 * Reads the call frame information of Mach-O objects. Their assemblers leave the distances from a record to its
 * function and to its table of handlers without relocations, or make them differences of two symbols, and give them 8
 * bytes; the records are written anew with distances of 4 bytes that the linker relocates.
 */
import { FrameRecords } from "../../smf/frame_records.ts";
import { signed64 } from "../elf/bytes.ts";
import { malformed, unsupported } from "../problems.ts";
import type { MachFile, MachSection } from "./file.ts";
import type { FrameRules, FrameTarget, FrameWriter } from "./frame_writer.ts";
import { offsetOf } from "./relocation_record.ts";
import type { Reference } from "./relocations.ts";

/** The encodings of pointers (LSB Core, "DWARF Exception Header Encoding"). */
const PC_RELATIVE = 0x10, INDIRECT = 0x80, OMITTED = 0xff;

/** A CIE: its offset in the new table, and the encodings in the old one. */
interface Cie {
  readonly rules: number;
  readonly functionEncoding: number;
  readonly handlersEncoding: number;
  readonly hasLength: boolean;
}

/** Returns the width of an encoded pointer; 0 for one that has no fixed width. */
function widthOf(encoding: number): 0 | 4 | 8 {
  const format = encoding & 0x0f;
  return format === 0 || format === 4 || format === 12 ? 8 : format === 3 || format === 11 ? 4 : 0;
}

/** Names a function among those that have a record. */
export function functionKey({ number }: MachSection, offset: number): string {
  return `${number}:${offset}`;
}

/**
 * Copies the records of a table.
 *
 * @param table The section's bytes, with the differences that are known.
 * @param known The relocations of the section.
 * @returns the functions that have a record, by {@linkcode functionKey}.
 */
export function copyFrames(
  headers: MachFile,
  section: MachSection,
  table: Uint8Array,
  known: readonly Reference[],
  writer: FrameWriter,
): Set<string> {
  const reader = new FrameReader(headers, section, table, known);
  reader.copy(writer);
  return reader.described;
}

class FrameReader {
  readonly described: Set<string> = new Set();
  readonly #path: string;
  readonly #section: MachSection;
  readonly #sections: readonly MachSection[];
  readonly #table: Uint8Array;
  readonly #view: DataView;
  readonly #known: ReadonlyMap<number, Reference>;
  #at = 0;
  #end = 0;

  constructor(
    { file: { name }, sections }: MachFile,
    section: MachSection,
    table: Uint8Array,
    known: readonly Reference[],
  ) {
    this.#path = name;
    this.#section = section;
    this.#sections = sections;
    this.#table = table;
    this.#view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    this.#known = new Map(known.map((reference) => [reference.place, reference]));
  }

  copy(writer: FrameWriter): void {
    const records = new FrameRecords(this.#table, (problem, offset) => this.#broken(problem, offset));
    const cies = new Map<number, Cie>();
    while (records.next()) {
      this.#at = records.body;
      this.#end = records.end;
      if (records.cie === -1) {
        cies.set(records.start, this.#readCie(writer));
        continue;
      }
      const { rules, functionEncoding, handlersEncoding, hasLength } = cies.get(records.cie)!;
      const function_ = this.#pointer(functionEncoding);
      if (function_ === undefined) throw this.#broken("a record describes no function", records.start);
      const { target, addend } = function_;
      if (target.section !== undefined) {
        this.described.add(functionKey(target.section, offsetOf(target) + Number(addend)));
      }
      const width = widthOf(functionEncoding);
      const at = this.#skip(width);
      const length = width === 4 ? this.#view.getUint32(at, true) : signed64(this.#view, at);
      if (!(length >= 0 && length < 2 ** 32)) throw this.#broken("a function is too long", at);
      const hasHandlers = handlersEncoding !== OMITTED;
      let handlers: FrameTarget | undefined;
      if (hasLength) {
        const next = this.#leb128() + this.#at;
        if (hasHandlers) handlers = this.#pointer(handlersEncoding);
        if (next < this.#at || next > this.#end) throw this.#broken("an augmentation is too long", this.#at);
        this.#at = next;
      }
      const instructions = this.#table.subarray(this.#at, this.#end);
      writer.add(rules, hasHandlers, { function: function_, length, handlers, instructions });
    }
  }

  #readCie(writer: FrameWriter): Cie {
    const start = this.#at;
    const version = this.#byte();
    if (version !== 1 && version !== 3) throw this.#broken(`version ${version} is unknown`, start);
    let letters = "";
    for (let letter = this.#byte(); letter !== 0; letter = this.#byte()) {
      letters += String.fromCharCode(letter);
    }
    if (!/^(?:z[LPRSB]*)?$/.test(letters)) throw this.#broken("an augmentation is unknown", start);
    const unitsAt = this.#at;
    this.#leb128();
    this.#leb128();
    if (version === 1) this.#byte();
    else this.#leb128();
    const units = this.#table.slice(unitsAt, this.#at);
    const hasLength = letters !== "";
    const next = hasLength ? this.#leb128() + this.#at : this.#at;
    let functionEncoding = 0, handlersEncoding = OMITTED;
    let personality: FrameTarget | undefined;
    for (const letter of letters.slice(1)) {
      if (letter === "S" || letter === "B") continue;
      const encoding = this.#byte();
      if (letter === "R") functionEncoding = encoding;
      else if (letter === "L") handlersEncoding = encoding;
      else personality = this.#personality(encoding);
    }
    if (next < this.#at || next > this.#end) throw this.#broken("an augmentation is too long", start);
    const facts: FrameRules = {
      units: [...units],
      personality,
      hasHandlers: handlersEncoding !== OMITTED,
      marks: letters.replace(/[zLPR]/g, ""),
      instructions: this.#table.subarray(next, this.#end),
    };
    return { rules: writer.rules(facts), functionEncoding, handlersEncoding, hasLength };
  }

  #personality(encoding: number): FrameTarget {
    const reference = this.#known.get(this.#at);
    const isDistance = (encoding & (INDIRECT | PC_RELATIVE)) === (INDIRECT | PC_RELATIVE);
    if (reference === undefined || !isDistance || widthOf(encoding) !== 4) throw this.#otherForm();
    this.#skip(4);
    return reference;
  }

  /** Reads a pointer; undefined if it is null. */
  #pointer(encoding: number): FrameTarget | undefined {
    const width = widthOf(encoding);
    if (width === 0) throw this.#otherForm();
    const at = this.#skip(width);
    const reference = this.#known.get(at);
    if (reference !== undefined) return reference;
    const distance = width === 4 ? this.#view.getInt32(at, true) : signed64(this.#view, at);
    if (distance === 0) return undefined;
    if ((encoding & 0xf0) !== PC_RELATIVE) throw this.#otherForm();
    const address = this.#section.address + at + distance;
    const section = this.#sections.find((other) =>
      address >= other.address && address < other.address + other.size
    );
    if (section === undefined) throw this.#broken("a distance leads out of the object", at);
    return { target: { section, offset: address - section.address }, addend: 0 };
  }

  #leb128(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.#broken("a number is too large", this.#at);
  }

  #byte(): number {
    return this.#table[this.#skip(1)];
  }

  /** Skips bytes of the record, and returns where they begin. */
  #skip(count: number): number {
    if (count > this.#end - this.#at) throw this.#broken("a record ends too early", this.#at);
    this.#at += count;
    return this.#at - count;
  }

  #broken(problem: string, offset: number) {
    return malformed(this.#path, `the frame information is broken: ${problem}`, {
      section: this.#section.name,
      offset,
    });
  }

  #otherForm() {
    return unsupported(this.#path, "a pointer of the frame information is not a distance", {
      section: this.#section.name,
      offset: this.#at,
      hint: "compile with clang, or assemble with its assembler",
    });
  }
}
