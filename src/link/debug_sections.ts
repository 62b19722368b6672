/**
 * The debug information of an object: finds its sections, decompresses and relocates them. Offsets become
 * offsets in the sections, addresses become offsets in the image.
 */
import { LoadError } from "../errors/load_error.ts";
import { Machine, RecordSize, SectionFlag, SectionType } from "../os/elf.ts";
import { builtinModule } from "../smf/builtin.ts";
import { damaged } from "../types/merge.ts";
import type { DwarfSections } from "../types/dwarf/unit.ts";
import { signed64 } from "./elf/bytes.ts";
import { type ElfSection, SymbolPlace } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";

/** The part of `node:zlib` that debug information needs. */
interface Zlib {
  inflateSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array;
}

/** The relocation types of 64-bit and 32-bit words, by machine. */
const WORDS: Readonly<Record<number, { readonly [type: number]: 4 | 8 }>> = {
  [Machine.X86_64]: { 1: 8, 10: 4, 11: 4 },
  [Machine.AARCH64]: { 257: 8, 258: 4 },
};

/** An address that no code or variable of the module has: it stands for what is not in it. */
const NOWHERE = 0xffff_ffff;
/** Real debug information shrinks to a fifth or so; zeros may shrink a thousand times. */
const MOST_EXPANSION = 64;
const FREE_EXPANSION = 1 << 20;

/** Whether an object has debug information; LTO's intermediate copy, `.gnu.debuglto_`, does not count. */
export function hasDebugInfo(object: LinkObject): boolean {
  return object.elf.sections.some(({ name }) => name === ".debug_info" || name === ".zdebug_info");
}

/**
 * Returns the sections of an object's debug information.
 *
 * @throws {LoadError} `InvalidFormat` if they are damaged.
 */
export function debugSections(object: LinkObject, locator: Locator): DwarfSections {
  const reader = new SectionReader(object, locator);
  const named = (name: string): readonly ElfSection[] =>
    object.elf.sections.filter((section) =>
      section.name === `.debug_${name}` || section.name === `.zdebug_${name}`
    );
  const first = (name: string): Uint8Array | undefined => {
    const [section] = named(name);
    return section === undefined ? undefined : reader.read(section);
  };
  const abbrev = first("abbrev");
  if (abbrev === undefined) throw damaged("the section .debug_abbrev is missing");
  const [str, lineStr, strOffsets, addr] = ["str", "line_str", "str_offsets", "addr"].map(first);
  return {
    info: [
      ...named("info").map((section) => ({ bytes: reader.read(section), isTypes: false })),
      ...named("types").map((section) => ({ bytes: reader.read(section), isTypes: true })),
    ],
    abbrev,
    ...(str !== undefined && { str }),
    ...(lineStr !== undefined && { lineStr }),
    ...(strOffsets !== undefined && { strOffsets }),
    ...(addr !== undefined && { addr }),
  };
}

class SectionReader {
  readonly #object: LinkObject;
  readonly #locator: Locator;
  /** Relocations by the section that they apply to. */
  readonly #relocations: Map<number, ElfSection> = new Map();
  /** The values of symbols that were needed; NaN for the others. */
  readonly #values: Float64Array;

  constructor(object: LinkObject, locator: Locator) {
    this.#object = object;
    this.#locator = locator;
    for (const section of object.elf.sections) {
      if (section.type === SectionType.RELA) this.#relocations.set(section.info, section);
    }
    this.#values = new Float64Array(object.elf.symbols.length).fill(NaN);
  }

  read(section: ElfSection): Uint8Array {
    const plain = this.#contents(section);
    const table = this.#relocations.get(section.index);
    if (table === undefined || table.size < RecordSize.RELA) return plain;
    const bytes = plain.slice();
    this.#relocate(bytes, table);
    return bytes;
  }

  #contents(section: ElfSection): Uint8Array {
    if (section.type === SectionType.NOBITS) return new Uint8Array(0);
    const stored = this.#object.elf.file.bytes.subarray(section.offset, section.offset + section.size);
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    if ((section.flags & SectionFlag.COMPRESSED) !== 0) {
      // Elf64_Chdr: type, reserved, size, alignment.
      if (stored.length < 24) throw damaged("a compressed section has no header");
      const size = view.getUint32(12, true) * 0x100000000 + view.getUint32(8, true);
      return decompress(stored.subarray(24), size, view.getUint32(0, true));
    }
    if (!section.name.startsWith(".z")) return stored;
    // The older form: "ZLIB" and the size, big-endian.
    if (stored.length < 12) throw damaged("a compressed section has no header");
    return decompress(
      stored.subarray(12),
      view.getUint32(4) * 0x100000000 + view.getUint32(8),
      ELFCOMPRESS_ZLIB,
    );
  }

  #relocate(bytes: Uint8Array, table: ElfSection): void {
    const { file, symbols, machine } = this.#object.elf;
    const words = WORDS[machine];
    const target = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = this.#values;
    const end = table.offset + table.size - RecordSize.RELA;
    for (let at = table.offset; at <= end; at += RecordSize.RELA) {
      const width = words[file.view.getUint32(at + 8, true)];
      // Offsets of thread-local variables, and what newer compilers add: types do not need it.
      if (width === undefined) continue;
      const symbol = file.view.getUint32(at + 12, true);
      if (symbol >= symbols.length) throw damaged("a relocation's symbol does not exist");
      let value = values[symbol];
      if (Number.isNaN(value)) values[symbol] = value = this.#valueOf(symbol);
      const place = file.view.getUint32(at, true);
      if (file.view.getUint32(at + 4, true) !== 0 || place + width > bytes.length) {
        throw damaged("a relocation lies outside its section");
      }
      const sum = value === NOWHERE ? NOWHERE : value + signed64(file.view, at + 16);
      target.setUint32(place, sum, true);
      if (width === 8) target.setUint32(place + 4, Math.floor(sum / 0x100000000), true);
    }
  }

  /** Returns a symbol's offset in its section of debug information, or in the image. */
  #valueOf(symbol: number): number {
    const { elf } = this.#object;
    if (elf.symbols.place(symbol) === SymbolPlace.SECTION && this.#object.sectionOf(symbol) === undefined) {
      return elf.symbols.value(symbol);
    }
    const section = this.#object.sectionOf(symbol);
    if (section?.merge !== undefined) return NOWHERE;
    this.#locator.symbol(this.#object, symbol, 0);
    if (this.#locator.found !== Found.DEFINED) return NOWHERE;
    return this.#locator.output.address + this.#locator.offset;
  }
}

const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;

function decompress(bytes: Uint8Array, size: number, method: number): Uint8Array {
  if (size > MOST_EXPANSION * bytes.length + FREE_EXPANSION) throw damaged("a section expands beyond reason");
  const zlib = builtinModule<Zlib>("node:zlib", ["inflateSync", "zstdDecompressSync"]);
  let plain: Uint8Array;
  try {
    const options = { maxOutputLength: Math.max(1, size) };
    if (method === ELFCOMPRESS_ZLIB) plain = zlib.inflateSync(bytes, options);
    else if (method === ELFCOMPRESS_ZSTD) plain = zlib.zstdDecompressSync(bytes, options);
    else throw damaged(`the method of compression ${method} is unknown`);
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    const error = damaged("a section does not decompress");
    error.cause = cause;
    throw error;
  }
  if (plain.length !== size) throw damaged("a section decompresses to another size than it says");
  return plain;
}
