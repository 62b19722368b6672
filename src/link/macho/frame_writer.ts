/**
 * Writes call frame information (LSB Core, "Exception Frames") in the one form that loaders of modules take: distances
 * of 4 bytes, and personalities through GOT slots.
 */
import { Machine } from "../../os/elf.ts";
import { alignUp } from "../../smf/offsets.ts";
import { offsetOf, type Translation } from "./relocation_record.ts";

/** A place that a record leads to. */
export type FrameTarget = Pick<Translation, "target" | "addend">;

/** The facts of a CIE. */
export interface FrameRules {
  /** The units of code and of offsets, as they are written, and the register of the return address. */
  readonly units: readonly number[];
  readonly personality: FrameTarget | undefined;
  readonly hasHandlers: boolean;
  /** Further letters of the augmentation: `S`, `B`. */
  readonly marks: string;
  readonly instructions: Iterable<number>;
}

/** The facts of an FDE. */
export interface FunctionFrame {
  readonly function: FrameTarget;
  readonly length: number;
  readonly handlers: FrameTarget | undefined;
  readonly instructions: Iterable<number>;
}

/** A relocation of a record, at an offset of the table. */
export interface FrameRelocation extends Translation {
  readonly place: number;
}

/** The encodings of pointers: a distance in 4 bytes; one to a word that holds the address. */
const [DISTANCE, DISTANCE_TO_SLOT] = [0x1b, 0x9b];

/** R_X86_64_PC32 and GOTPCREL; R_AARCH64_PREL32 and GOTPCREL32. */
const TYPES: Readonly<Record<number, readonly [distance: number, slot: number]>> = {
  [Machine.X86_64]: [2, 9],
  [Machine.AARCH64]: [261, 315],
};

/** A table under construction. */
export class FrameWriter {
  readonly relocations: FrameRelocation[] = [];
  readonly #bytes: number[] = [];
  readonly #distance: number;
  readonly #slot: number;

  constructor(machine: number) {
    [this.#distance, this.#slot] = TYPES[machine];
  }

  /** Adds a CIE; returns its offset, for the FDEs that follow it. */
  rules({ units, personality, hasHandlers, marks, instructions }: FrameRules): number {
    const start = this.#begin();
    this.#word(0);
    const letters = `${personality === undefined ? "" : "P"}${hasHandlers ? "L" : ""}R`;
    this.#bytes.push(1, ...[...`z${letters}${marks}`].map((letter) => letter.charCodeAt(0)), 0, ...units);
    this.#bytes.push((personality === undefined ? 1 : 6) + (hasHandlers ? 1 : 0));
    if (personality !== undefined) {
      this.#bytes.push(DISTANCE_TO_SLOT);
      this.#target(this.#slot, personality);
    }
    if (hasHandlers) this.#bytes.push(DISTANCE);
    this.#bytes.push(DISTANCE);
    this.#end(start, instructions);
    return start;
  }

  /** Adds an FDE that belongs to the CIE at an offset. */
  add(rules: number, hasHandlers: boolean, frame: FunctionFrame): void {
    const start = this.#begin();
    this.#word(this.#bytes.length - rules);
    this.#target(this.#distance, frame.function);
    this.#word(frame.length);
    this.#bytes.push(hasHandlers ? 4 : 0);
    if (frame.handlers !== undefined) this.#target(this.#distance, frame.handlers);
    else if (hasHandlers) this.#word(0);
    this.#end(start, frame.instructions);
  }

  /** Returns the table; empty without records. */
  build(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #begin(): number {
    const start = this.#bytes.length;
    this.#word(0);
    return start;
  }

  /** Adds the instructions, fills the record up with those that do nothing, and gives it its length. */
  #end(start: number, instructions: Iterable<number>): void {
    for (const byte of instructions) this.#bytes.push(byte);
    const end = alignUp(this.#bytes.length, 8);
    while (this.#bytes.length < end) this.#bytes.push(0);
    const length = end - start - 4;
    for (let i = 0; i < 4; i++) this.#bytes[start + i] = length >>> 8 * i & 255;
  }

  #word(value: number): void {
    for (let i = 0; i < 4; i++) this.#bytes.push(value >>> 8 * i & 255);
  }

  #target(type: number, { target, addend }: FrameTarget): void {
    const { section } = target;
    // A record describes the code beside it, whatever definition a name gets.
    const near = type === this.#distance && section !== undefined
      ? { target: { section, offset: offsetOf(target) + Number(addend) }, addend: 0 }
      : { target, addend };
    this.relocations.push({ place: this.#bytes.length, type, ...near });
    this.#word(0);
  }
}
