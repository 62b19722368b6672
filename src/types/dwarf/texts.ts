/**
 * The texts of one object's debug information.
 */
import { damaged } from "../damaged.ts";
import { Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DwarfSections } from "./sections.ts";
import type { TextPool } from "../text_pool.ts";
import type { Unit } from "./unit.ts";

/** Reads the texts of one object. */
export class Texts {
  readonly #sections: DwarfSections;
  readonly #pool: TextPool;
  readonly #offsets: Cursor | undefined;
  /** Bytes that may still be read: texts may share bytes, so that a few would make any amount of work. */
  #bytesLeft: number;

  constructor(sections: DwarfSections, pool: TextPool) {
    this.#sections = sections;
    this.#pool = pool;
    const { str, lineStr, strOffsets, info } = sections;
    if (strOffsets !== undefined) this.#offsets = Cursor.in(strOffsets);
    this.#bytesLeft = 65_536 + 64 *
        ((str?.length ?? 0) + (lineStr?.length ?? 0) +
          info.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  /** Returns the number of the text that an attribute's value leads to; that of the empty text for another form. */
  read(unit: Unit, form: number, value: number, likely: number): number {
    const { str, lineStr } = this.#sections;
    switch (form) {
      case Form.string:
        return this.#decode(unit.cursor.bytes, value, likely);
      case Form.strp:
        return this.#decode(str, value, likely);
      case Form.lineStrp:
        return this.#decode(lineStr, value, likely);
      case Form.strx:
      case Form.strx1:
      case Form.strx2:
      case Form.strx3:
      case Form.strx4: {
        const offsets = this.#offsets;
        if (offsets === undefined) throw damaged("the section .debug_str_offsets is missing");
        offsets.at = unit.strOffsetsBase + 4 * value;
        return this.#decode(str, offsets.offset(), likely);
      }
      default:
        return 0;
    }
  }

  #decode(bytes: Uint8Array | undefined, at: number, likely: number): number {
    // Damaged relocations compute any number.
    if (bytes === undefined || !(at >= 0 && at < bytes.length)) {
      throw damaged("a text lies outside its section");
    }
    const number = this.#pool.read(bytes, at, likely);
    this.#bytesLeft -= this.#pool.lengthOf(number);
    if (this.#bytesLeft < 0) throw damaged("texts overlap each other without end");
    return number;
  }
}
