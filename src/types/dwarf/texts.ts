/**
 * The texts of debug information. Objects of one module mention the same names again and again, so a text
 * is decoded once for all of them.
 */
import { damaged } from "../damaged.ts";
import { Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DwarfSections } from "./sections.ts";
import type { Unit } from "./unit.ts";

const decoder = new TextDecoder();

/** Reads the texts of one object. */
export class Texts {
  readonly #sections: DwarfSections;
  /** Texts of .debug_str and of .debug_line_str by offset. */
  readonly #known: readonly [Map<number, string>, Map<number, string>] = [new Map(), new Map()];
  /** Bytes that may still be read: texts may share bytes, so that a few would make any amount of work. */
  #bytesLeft: number;

  constructor(sections: DwarfSections) {
    this.#sections = sections;
    const { str, lineStr, info } = sections;
    this.#bytesLeft = 65_536 + 16 *
        ((str?.length ?? 0) + (lineStr?.length ?? 0) +
          info.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  /** Returns the text that an attribute's value leads to, or the empty text for another form. */
  read(unit: Unit, form: number, value: number): string {
    const { str, lineStr, strOffsets } = this.#sections;
    switch (form) {
      case Form.string:
        return this.#decode(unit.cursor.bytes, value);
      case Form.strp:
        return this.#cached(0, str, value);
      case Form.lineStrp:
        return this.#cached(1, lineStr, value);
      case Form.strx:
      case Form.strx1:
      case Form.strx2:
      case Form.strx3:
      case Form.strx4: {
        if (strOffsets === undefined) throw damaged("the section .debug_str_offsets is missing");
        return this.#cached(0, str, Cursor.in(strOffsets, unit.strOffsetsBase + 4 * value).offset());
      }
      default:
        return "";
    }
  }

  #cached(section: 0 | 1, bytes: Uint8Array | undefined, at: number): string {
    const known = this.#known[section];
    let text = known.get(at);
    if (text === undefined) known.set(at, text = this.#decode(bytes, at));
    return text;
  }

  #decode(bytes: Uint8Array | undefined, at: number): string {
    if (bytes === undefined || at >= bytes.length) throw damaged("a text lies outside its section");
    let text = "";
    let end = at;
    // Almost every name is short and ASCII, which is decoded without a call of the decoder.
    for (let byte = bytes[end]; byte !== 0; byte = bytes[++end]) {
      if (byte === undefined || byte >= 0x80 || end - at === 40) {
        end = bytes.indexOf(0, end);
        if (end === -1) throw damaged("a text has no end");
        text = decoder.decode(bytes.subarray(at, end));
        break;
      }
      text += String.fromCharCode(byte);
    }
    this.#bytesLeft -= end - at;
    if (this.#bytesLeft < 0) throw damaged("texts overlap each other without end");
    return text;
  }
}
