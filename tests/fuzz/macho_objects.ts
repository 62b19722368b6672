/**
 * Mach-O objects, libraries and files for several processors to fuzz the linker with, and their anatomy.
 */
import { isFat } from "../../src/link/macho/fat.ts";
import { isMachO } from "../../src/link/macho/file.ts";
import { Cpu, Desc, fatFile, Kind, MachWriter, Sect, X86 } from "../support/macho_writer.ts";
import { ascii } from "../support/objects.ts";
import { type Anatomy, FoundParts } from "./mutate.ts";
import { fixtures, type Seed } from "./seeds.ts";

/** An object with parts, literals, differences, thread-local variables, a weak and a tentative definition. */
function everyFeature(hasSubsections: boolean): Uint8Array {
  const writer = new MachWriter(Cpu.X86_64, hasSubsections);
  // call; ret
  const code = Uint8Array.of(0xe8, 0, 0, 0, 0, 0xc3, 0x90, 0x90, 0xe8, 0, 0, 0, 0, 0xc3, 0x90, 0x90);
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes: code, alignment: 8 });
  const literals = writer.section({
    name: "__TEXT,__cstring",
    flags: Sect.CSTRINGS,
    bytes: ascii("one\0two\0"),
  });
  const data = writer.section({ name: "__DATA,__const", bytes: new Uint8Array(24), alignment: 8 });
  const variables = writer.section({
    name: "__DATA,__thread_vars",
    flags: Sect.DESCRIPTORS,
    bytes: new Uint8Array(24),
  });
  const values = writer.section({ name: "__DATA,__thread_data", flags: Sect.TLS, bytes: new Uint8Array(4) });
  const table = writer.symbol({ name: "_table", section: text });
  const f = writer.symbol({ name: "_f", section: text, value: 8, desc: Desc.WEAK });
  const words = writer.symbol({ name: "_t_words", section: data });
  const start = writer.symbol({ name: "_tv$tlv$init", section: values, type: Kind.LOCAL });
  writer.symbol({ name: "_tv", section: variables });
  const bootstrap = writer.symbol({ name: "__tlv_bootstrap" });
  writer.symbol({ name: "_f_common", value: 24, desc: 3 << 8 });
  writer.symbol({ name: "_f_other", type: Kind.INDIRECT, value: 1 });
  writer.relocation(text, { place: 1, type: X86.BRANCH, symbol: f, isRelative: true });
  writer.relocation(text, { place: 9, type: X86.BRANCH, symbol: table, isRelative: true });
  writer.relocation(data, { place: 0, type: X86.UNSIGNED, symbol: literals, isSymbol: false, power: 3 });
  writer.relocation(data, { place: 8, type: X86.SUBTRACTOR, symbol: words, power: 3 });
  writer.relocation(data, { place: 8, type: X86.UNSIGNED, symbol: f, power: 3 });
  writer.relocation(data, { place: 16, type: X86.UNSIGNED, symbol: f, power: 3 });
  writer.relocation(variables, { place: 0, type: X86.UNSIGNED, symbol: bootstrap, power: 3 });
  writer.relocation(variables, { place: 16, type: X86.UNSIGNED, symbol: start, power: 3 });
  writer.option("-lz");
  return writer.build();
}

/** Whether a file is for macOS, as far as its beginning tells; modules of such files can run on Linux. */
export function isForMac(bytes: Uint8Array): boolean {
  return isMachO(bytes) || isFat(bytes) ||
    String.fromCharCode(...bytes.subarray(8, 80)).includes("__.SYMDEF");
}

/** Seeds for the linker. */
export function machSeeds(): Seed[] {
  const bytes = everyFeature(true);
  return [
    { name: "features_mach.o", bytes },
    { name: "whole_mach.o", bytes: everyFeature(false) },
    { name: "fat.o", bytes: fatFile([[Cpu.X86_64, bytes], [12, bytes]]) },
    { name: "fat_64.o", bytes: fatFile([[Cpu.X86_64, bytes]], true) },
    // Of libparts.a both parts could be meant.
    ...fixtures("macho", /\.o$|_\w+\.a$/),
  ];
}

const SEGMENT = 0x19, SYMTAB = 0x2;
const HEADER = [[0, 4], [4, 4], [8, 4], [12, 4], [16, 4], [20, 4], [24, 4]] as const;
const COMMAND = [[0, 4], [4, 4], [8, 4], [12, 4], [16, 4], [20, 4]] as const;
const SECTION = [[0, 8], [16, 8], [32, 8], [40, 8], [48, 4], [52, 4], [56, 4], [60, 4], [64, 4]] as const;
const RELOCATION = [[0, 4], [4, 4], [7, 1]] as const;
const SYMBOL = [[0, 4], [4, 1], [5, 1], [6, 2], [8, 8]] as const;

/** The anatomy of an object; undefined for another file. */
export function machAnatomy(bytes: Uint8Array): Anatomy | undefined {
  if (bytes.length < 32) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0xfeedfacf) return undefined;
  const parts = new FoundParts(bytes);
  parts.add(0, HEADER);
  const count = view.getUint32(16, true);
  for (let at = 32, i = 0; i < count && at + 72 <= bytes.length; i++) {
    parts.add(at, COMMAND);
    const command = view.getUint32(at, true);
    if (command === SYMTAB) {
      parts.addTable(view.getUint32(at + 8, true), 16, view.getUint32(at + 12, true), SYMBOL);
    }
    if (command === SEGMENT) {
      const sections = view.getUint32(at + 64, true);
      parts.addTable(at + 72, 80, sections, SECTION);
      for (let j = 0; j < sections && at + 72 + 80 * j + 80 <= bytes.length; j++) {
        const header = at + 72 + 80 * j;
        parts.addTable(view.getUint32(header + 56, true), 8, view.getUint32(header + 60, true), RELOCATION);
      }
    }
    at += Math.max(8, view.getUint32(at + 4, true));
  }
  return parts.anatomy();
}
