/**
 * Inputs to fuzz the linker with: objects and archives, and the anatomy of ELF;
 * and the link of one of them.
 */
import { LoadError } from "../../src/errors/load_error.ts";
import { type LinkedModule, linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { Platform } from "../../src/smf/enums.ts";
import { everything } from "../support/everything.ts";
import { archive, functionObject } from "../support/objects.ts";
import { coffAnatomy, coffSeeds } from "./coff_objects.ts";
import { isForMac, machAnatomy, machSeeds } from "./macho_objects.ts";
import { fnv1a } from "./format.ts";
import { type Anatomy, FoundParts } from "./mutate.ts";
import { fixtures, type Seed } from "./seeds.ts";
import type { Harness } from "./harness.ts";
import { tryTypes } from "./types.ts";
import { Finding, NOT_JUDGED, type Outcome, sentenceOf } from "./outcome.ts";

/** Seeds for the linker. */
export function objectSeeds(): Seed[] {
  const members = [
    { name: "f.o", bytes: functionObject("f", 1, ["g"]), symbols: ["f"] },
    { name: "a_longer_name_than_fits.o", bytes: functionObject("g", 2, ["table"]), symbols: ["g"] },
    { name: "everything.o", bytes: everything(), symbols: ["table", "common"] },
  ];
  return [
    { name: "everything.o", bytes: everything() },
    { name: "archive.a", bytes: archive(members) },
    { name: "unindexed.a", bytes: archive(members, { withIndex: false }) },
    ...["c", "types", "threads", "platform"].flatMap((folder) => fixtures(folder, /\.o$/)),
    // The other C++ objects are large and add no features to this one.
    ...fixtures("cpp", /^thrower\.o$/),
    ...coffSeeds(),
    ...machSeeds(),
  ];
}

const SECTION = [[0, 4], [4, 4], [8, 8], [24, 8], [32, 8], [40, 4], [44, 4], [48, 8], [56, 8]] as const;
const SYMBOL = [[0, 4], [4, 1], [5, 1], [6, 2], [8, 8], [16, 8]] as const;
const RELA = [[0, 8], [8, 4], [12, 4], [16, 8]] as const;
const HEADER = [[16, 2], [18, 2], [40, 8], [58, 2], [60, 2], [62, 2]] as const;
const [SYMTAB, RELA_TYPE, GROUP] = [2, 4, 17];

/** The anatomy of an object, or of all objects in an archive. */
export function objectAnatomy(bytes: Uint8Array): Anatomy | undefined {
  const other = coffAnatomy(bytes) ?? machAnatomy(bytes);
  if (other !== undefined) return other;
  const parts = new FoundParts(bytes);
  for (const start of objectsIn(bytes)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start);
    parts.add(start, HEADER);
    const table = view.getUint32(40, true), count = view.getUint16(60, true);
    if (table + count * 64 > view.byteLength) continue;
    parts.addTable(start + table, 64, count, SECTION);
    for (let i = 0; i < count; i++) {
      const at = table + i * 64;
      const type = view.getUint32(at + 4, true);
      const offset = view.getUint32(at + 24, true), size = view.getUint32(at + 32, true);
      if (type === SYMTAB) parts.addTable(start + offset, 24, Math.floor(size / 24), SYMBOL);
      if (type === RELA_TYPE) parts.addTable(start + offset, 24, Math.floor(size / 24), RELA);
      if (type === GROUP) parts.addTable(start + offset, 4, Math.floor(size / 4), [[0, 4]]);
    }
  }
  return parts.fields.length === 0 ? undefined : parts.anatomy();
}

/** The offsets of ELF files: 0, or behind the headers of an archive's members. */
function objectsIn(bytes: Uint8Array): number[] {
  const isElf = (at: number) => at + 64 <= bytes.length && bytes[at] === 0x7f && bytes[at + 1] === 0x45;
  if (isElf(0)) return [0];
  const starts: number[] = [];
  for (let at = 8; at + 60 <= bytes.length;) {
    const size = Number(String.fromCharCode(...bytes.subarray(at + 48, at + 58)));
    if (!(size >= 0)) break;
    if (isElf(at + 60)) starts.push(at + 60);
    at += 60 + size + size % 2;
  }
  return starts;
}

/** The most bytes that the linker may make of an input: gaps that alignment leaves have a limit. */
const maxOutput = (size: number): number => 2 ** 26 + 32 * size + 65_536;

/** Links a file, with options that depend on its bytes alone, and tries the linked module. */
export function tryLinking(bytes: Uint8Array, harness: Harness): Outcome {
  const choice = fnv1a(bytes);
  const isArchive = bytes[0] === 0x21;
  const options: LinkOptions = {
    ...(isArchive || choice % 3 === 0 ? { exports: ["f*", "t*"] } : {}),
    ...(choice % 5 === 0 ? { unwind: true } : {}),
    strip: choice % 7 === 0,
    reloadable: choice % 4 === 1,
    layout: choice % 11 === 0 ? "H72" : "H96",
    ...(isForMac(bytes) ? { platform: Platform.Linux } : {}),
  };
  let linked: LinkedModule;
  try {
    linked = linkObjects([{ name: isArchive ? "lib.a" : "a.o", bytes }], options);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { loaded: false, features: [`link: ${sentenceOf(error)}`], judged: 0 };
  }
  if (linked.bytes.length > maxOutput(bytes.length)) {
    throw new Finding(`${linked.bytes.length} bytes from ${bytes.length}`);
  }
  tryTypes(linked.bytes, true);
  const outcome = harness.try(linked.bytes);
  // Relocations may be refused, since they depend on addresses; the bytes that the linker writes may not.
  const [refused] = outcome.features;
  if (
    /^(plain: )?(InvalidFormat|Unsupported)/.test(refused) &&
    !/the system refuses|of host libraries/.test(refused) &&
    !NOT_JUDGED.test(refused)
  ) {
    throw new Finding(`a linked module that is refused: ${refused}`);
  }
  return { ...outcome, features: outcome.features.map((feature) => `linked: ${feature}`) };
}
