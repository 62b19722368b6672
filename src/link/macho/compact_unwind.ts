/**
 * Apple's compact unwind information (`mach-o/compact_unwind_encoding.h`): 32 bits describe a function whose frame has
 * a usual form. Unwinders of other systems do not know it, so functions that nothing else describes get records of call
 * frame information, which hold for all of a function but its prologue and epilogue: exceptions pass at calls only.
 */
import { Machine } from "../../os/elf.ts";
import { DATA_ALIGNMENT, defineCfa, savedBelow } from "../../smf/frame_instructions.ts";
import { malformed, unsupported } from "../problems.ts";
import type { MachFile, MachSection } from "./file.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { functionKey } from "./frames.ts";
import { offsetOf } from "./relocation_record.ts";
import type { Reference } from "./relocations.ts";

/** The size of an entry: function, length, encoding, personality, handlers. */
const ENTRY_SIZE = 32;
const ENTRY = { FUNCTION: 0, LENGTH: 8, ENCODING: 12, PERSONALITY: 16, HANDLERS: 24 } as const;
const MODE = 0x0f00_0000;

/** The rules of a frame: a register and an offset for its start (CFA), and where registers are saved. */
interface Frame {
  readonly base: number;
  readonly offset: number;
  /** Registers by their numbers in DWARF, and the words from the CFA down to each. */
  readonly saved: readonly (readonly [register: number, words: number])[];
}

/** A processor's encodings. */
interface Processor {
  readonly returnAddress: number;
  readonly dwarfMode: number;
  /** Returns the frame of an encoding; undefined if it is not of a usual form. */
  frame(encoding: number): Frame | undefined;
}

/** The pairs of registers for the bits of an encoding, in the order of their places: x19 to x28, d8 to d15. */
// deno-fmt-ignore
const ARM_PAIRS = [
  [0x1, 19], [0x2, 21], [0x4, 23], [0x8, 25], [0x10, 27],
  [0x100, 72], [0x200, 74], [0x400, 76], [0x800, 78],
] as const;

const ARM: Processor = {
  returnAddress: 30,
  dwarfMode: 0x0300_0000,
  frame(encoding) {
    const mode = encoding & MODE;
    const [FRAMELESS, FRAME] = [0x0200_0000, 0x0400_0000];
    if (mode !== FRAMELESS && mode !== FRAME) return undefined;
    // Below the frame pointer and the return address, if they are saved.
    let words = mode === FRAME ? 2 : 0;
    const saved: [number, number][] = mode === FRAME ? [[29, 2], [30, 1]] : [];
    for (const [bit, register] of ARM_PAIRS) {
      if ((encoding & bit) === 0) continue;
      saved.push([register, ++words], [register + 1, ++words]);
    }
    return mode === FRAME
      ? { base: 29, offset: 16, saved }
      : { base: 31, offset: (encoding >>> 12 & 0xfff) * 16, saved };
  },
};

/** rbx, r12, r13, r14, r15 by their numbers in an encoding, from 1. */
const X86_REGISTERS = [3, 12, 13, 14, 15];

const X86: Processor = {
  returnAddress: 16,
  dwarfMode: 0x0400_0000,
  frame(encoding) {
    if ((encoding & MODE) !== 0x0100_0000) return undefined;
    const saved: [number, number][] = [[6, 2], [16, 1]];
    const deepest = encoding >>> 16 & 0xff;
    for (let i = 0; i < 5; i++) {
      const register = encoding >>> 3 * i & 7;
      if (register > 0) saved.push([X86_REGISTERS[register - 1], 2 + deepest - i]);
    }
    return saved.some(([register]) => register === undefined) ? undefined : { base: 6, offset: 16, saved };
  },
};

/**
 * Makes the records of the functions that have none.
 *
 * @param entries The relocations of the section.
 * @param described The functions that have a record, by {@linkcode functionKey}.
 */
export function addCompactFrames(
  { file: { view, name: path }, machine }: MachFile,
  section: MachSection,
  entries: readonly Reference[],
  described: ReadonlySet<string>,
  writer: FrameWriter,
): void {
  const processor = machine === Machine.AARCH64 ? ARM : X86;
  if (section.size % ENTRY_SIZE !== 0) {
    throw malformed(path, `the table's size is not a multiple of ${ENTRY_SIZE}`, { section: section.name });
  }
  const byPlace = new Map(entries.map((entry) => [entry.place, entry]));
  // The offsets of CIEs, by personality and by whether there are handlers.
  const rules = new Map<string, number>();
  for (let at = 0; at < section.size; at += ENTRY_SIZE) {
    const encoding = view.getUint32(section.offset + at + ENTRY.ENCODING, true);
    if (encoding === 0 || (encoding & MODE) === processor.dwarfMode) continue;
    const function_ = byPlace.get(at + ENTRY.FUNCTION);
    if (function_?.target.section === undefined) {
      throw malformed(path, "an entry describes no function", { section: section.name, offset: at });
    }
    const start = offsetOf(function_.target) + Number(function_.addend);
    if (described.has(functionKey(function_.target.section, start))) continue;
    const frame = processor.frame(encoding);
    if (frame === undefined) {
      throw unsupported(path, `a frame has an unusual form, 0x${encoding.toString(16)}`, {
        section: section.name,
        offset: at,
        hint: "compile with -femit-dwarf-unwind=always, or with -fno-omit-frame-pointer",
      });
    }
    const length = view.getUint32(section.offset + at + ENTRY.LENGTH, true);
    const handlers = byPlace.get(at + ENTRY.HANDLERS), given = byPlace.get(at + ENTRY.PERSONALITY);
    // Its addend is that of an address; the distance to a slot has none.
    const personality = given === undefined ? undefined : { target: given.target, addend: 0 };
    const hasHandlers = handlers !== undefined;
    const key = `${personality === undefined ? "" : keyOf(personality.target)} ${hasHandlers}`;
    let cie = rules.get(key);
    if (cie === undefined) {
      const units = [1, DATA_ALIGNMENT, processor.returnAddress];
      cie = writer.rules({ units, personality, hasHandlers, marks: "", instructions: [] });
      rules.set(key, cie);
    }
    writer.add(cie, hasHandlers, {
      function: function_,
      length,
      handlers,
      instructions: instructionsOf(frame),
    });
  }
}

function keyOf(target: Reference["target"]): string {
  return "index" in target ? `${target.index}` : functionKey(target.section, target.offset);
}

function instructionsOf({ base, offset, saved }: Frame): number[] {
  return [...defineCfa(base, offset), ...saved.flatMap(([register, words]) => savedBelow(register, words))];
}
