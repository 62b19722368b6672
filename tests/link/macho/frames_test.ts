// Call frame information of Mach-O objects, which is written anew: of its own form, and of compact encodings.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import type { ElfObject } from "../../../src/link/elf/object.ts";
import { parseMachObject } from "../../../src/link/macho/object.ts";
import { Cpu, MachWriter, Sect, X86 } from "../../support/macho_writer.ts";
import { relocationsOf } from "../../support/parsed_objects.ts";

const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);
const quad = (value: number): number[] => [...word(value), ...word(value < 0 ? -1 : 0)];

/** A record: its length, and its bytes filled up. */
function record(...bytes: number[]): number[] {
  while (bytes.length % 8 !== 4) bytes.push(0);
  return [...word(bytes.length), ...bytes];
}

const letters = (text: string): number[] => [...text, "\0"].map((letter) => letter.charCodeAt(0));

/** The table that was made: its bytes, and its relocations as offset, type, symbol's name or offset, addend. */
function tableOf(object: ElfObject) {
  const { sections, symbols, file: { bytes } } = object;
  const table = sections.find(({ name }) => name === ".eh_frame");
  if (table === undefined) return undefined;
  const relocations = relocationsOf(object, table).map(({ place, type, symbol, addend }) => {
    return [place, type, symbols.name(symbol) || symbols.value(symbol), Number(addend)];
  });
  return { bytes: [...bytes.subarray(table.offset, table.offset + table.size)], relocations };
}

/** An object with two functions of 16 bytes, and a table of handlers. */
function twoFunctions(cpu: number) {
  const writer = new MachWriter(cpu);
  const text = writer.section({
    name: "__TEXT,__text",
    flags: Sect.CODE,
    bytes: new Uint8Array(32),
    alignment: 16,
  });
  const handlers = writer.section({
    name: "__TEXT,__gcc_except_tab",
    bytes: new Uint8Array(16),
    alignment: 4,
  });
  writer.symbol({ name: "_f", section: text });
  writer.symbol({ name: "_g", section: text, value: 16 });
  const personality = writer.symbol({ name: "___gxx_personality_v0" });
  return { writer, text, handlers, personality };
}

/** A CIE of x86-64 with a personality, whose stored distance is given, and an encoding of handlers and functions. */
function cieOf(personality: number, encoding: number): number[] {
  const data = [7, 0x9b, ...word(personality), encoding, encoding];
  return record(...word(0), 1, ...letters("zPLR"), 1, 0x78, 16, ...data, 0x0c, 7, 8);
}

Deno.test("distances of 8 bytes without relocations become relocated ones of 4", () => {
  const { writer, handlers, personality } = twoFunctions(Cpu.X86_64);
  const address = 48;
  const cie = cieOf(4, 0x10);
  // The fields of the record's function and handlers are 8 bytes behind its start, and 17 bytes further.
  const start = cie.length;
  const toG = 16 - (address + start + 8),
    toHandlers = writer.addressOf(handlers) + 4 - (address + start + 25);
  const fde = record(...word(start + 4), ...quad(toG), ...quad(16), 8, ...quad(toHandlers), 0x41);
  const frames = writer.section({
    name: "__TEXT,__eh_frame",
    bytes: Uint8Array.from([...cie, ...fde]),
    alignment: 8,
  });
  assertEquals(writer.addressOf(frames), address);
  writer.relocation(frames, { place: 19, type: X86.GOT, symbol: personality, isRelative: true });
  const made = tableOf(parseMachObject("a.o", writer.build()))!;
  const newCie = cieOf(0, 0x1b);
  // Zeros at the end of a record may be operands, so they stay.
  const padding = [0, 0, 0, 0, 0, 0];
  const newFde = record(...word(newCie.length + 4), ...word(0), ...word(16), 4, ...word(0), 0x41, ...padding);
  assertEquals(made.bytes, [...newCie, ...newFde]);
  assertEquals(made.relocations, [
    [19, 9, "__gxx_personality_v0", 0],
    [newCie.length + 8, 2, 0, 0],
    [newCie.length + 17, 2, 4, 0],
  ]);
});

/** An object whose functions have compact encodings. */
function compact(cpu: number, encodings: readonly number[], withHandlers = false): Uint8Array {
  const { writer, text, handlers, personality } = twoFunctions(cpu);
  const bytes = encodings.flatMap((
    encoding,
    i,
  ) => [...quad(16 * i), ...word(16), ...word(encoding), ...quad(0), ...quad(writer.addressOf(handlers))]);
  const table = writer.section({
    name: "__LD,__compact_unwind",
    flags: 0x0200_0000,
    bytes: Uint8Array.from(bytes),
  });
  encodings.forEach((_, i) => {
    writer.relocation(table, { place: 32 * i, type: 0, symbol: text, isSymbol: false, power: 3 });
    if (!withHandlers) return;
    writer.relocation(table, { place: 32 * i + 16, type: 0, symbol: personality, power: 3 });
    writer.relocation(table, { place: 32 * i + 24, type: 0, symbol: handlers, isSymbol: false, power: 3 });
  });
  return writer.build();
}

Deno.test("frames of AArch64 in compact encodings become rules for each register", () => {
  // A frame with x19, x20, d8 and d9; one without a frame, of 32 bytes.
  const made = tableOf(parseMachObject("a.o", compact(Cpu.ARM64, [0x0400_0101, 0x0200_2000])))!;
  const cie = record(...word(0), 1, ...letters("zR"), 1, 0x78, 30, 1, 0x1b);
  const saved = [0x9d, 2, 0x9e, 1, 0x93, 3, 0x94, 4, 0x05, 72, 5, 0x05, 73, 6];
  const first = record(...word(cie.length + 4), ...word(0), ...word(16), 0, 0x0c, 29, 16, ...saved);
  const second = record(...word(cie.length + first.length + 4), ...word(0), ...word(16), 0, 0x0c, 31, 32);
  assertEquals(made.bytes, [...cie, ...first, ...second]);
  assertEquals(made.relocations, [[cie.length + 8, 261, 0, 0], [cie.length + first.length + 8, 261, 0, 0]]);
});

Deno.test("functions with handlers get their personality", () => {
  const made = tableOf(parseMachObject("a.o", compact(Cpu.ARM64, [0x4400_0000, 0x4400_0000], true)))!;
  assertEquals(made.relocations.map(([, type, symbol]) => [type, symbol]), [
    [315, "__gxx_personality_v0"],
    [261, 0],
    [261, 0],
    [261, 0],
    [261, 0],
  ]);
});

Deno.test("frames of x86-64 with a frame pointer are known, others refused with what to do", () => {
  // rbx and r12, the deepest two words below the frame pointer.
  const made = tableOf(parseMachObject("a.o", compact(Cpu.X86_64, [0x0102_0011, 0])))!;
  const instructions = [0x0c, 6, 16, 0x86, 2, 0x90, 1, 0x83, 4, 0x8c, 3];
  const text = made.bytes.join();
  assert(text.includes(instructions.join()), text);
  const error = assertThrows(() => parseMachObject("a.o", compact(Cpu.X86_64, [0x0300_0000])), LoadError);
  assertEquals([error.kind, error.data.path], ["Unsupported", "a.o"]);
  assert(error.hint.includes("-femit-dwarf-unwind=always"));
});

Deno.test("functions whose frames only call frame information describes get no second record", () => {
  assertEquals(tableOf(parseMachObject("a.o", compact(Cpu.ARM64, [0x0300_0000, 0]))), undefined);
});
