/**
 * The debug information of an object: finds its sections, decompresses them, and computes their relocations:
 * offsets become offsets in the sections, addresses become offsets in the image.
 */
import { Machine, RecordSize, SectionFlag, SectionType } from "../os/elf.ts";
import { builtinModule } from "../smf/builtin.ts";
import { damaged } from "../types/damaged.ts";
import type { DwarfSection, DwarfSections, Relocations } from "../types/dwarf/sections.ts";
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
  const { sections } = object.elf;
  const values = new SymbolValues(object, locator);
  const tables = new Map(
    sections.filter(({ type }) => type === SectionType.RELA).map((table) => [table.info, table]),
  );
  const read = (section: ElfSection): DwarfSection => {
    const bytes = contentsOf(object, section);
    const table = tables.get(section.index);
    const relocations = table === undefined
      ? undefined
      : new SectionRelocations(object, table, bytes, values);
    return { bytes, relocations, isTypes: /^\.z?debug_types$/.test(section.name) };
  };
  const named = (name: string): readonly DwarfSection[] =>
    sections.filter((section) => section.name === `.debug_${name}` || section.name === `.zdebug_${name}`).map(
      read,
    );
  const [[abbrev], [str], [lineStr]] = [named("abbrev"), named("str"), named("line_str")];
  if (abbrev === undefined) throw damaged("the section .debug_abbrev is missing");
  return {
    info: [...named("info"), ...named("types")],
    abbrev: abbrev.bytes,
    str: str?.bytes,
    lineStr: lineStr?.bytes,
    strOffsets: named("str_offsets")[0],
    addr: named("addr")[0],
  };
}

/** The values of an object's symbols, as words of debug information mean them. */
class SymbolValues {
  readonly #object: LinkObject;
  readonly #locator: Locator;
  /** The values that were needed; NaN for the others. */
  readonly #values: Float64Array;

  constructor(object: LinkObject, locator: Locator) {
    this.#object = object;
    this.#locator = locator;
    this.#values = new Float64Array(object.elf.symbols.length).fill(NaN);
  }

  get(symbol: number): number {
    if (symbol >= this.#values.length) throw damaged("a relocation's symbol does not exist");
    if (Number.isNaN(this.#values[symbol])) this.#values[symbol] = this.#find(symbol);
    return this.#values[symbol];
  }

  /** Returns a symbol's offset in its section of debug information, or in the image. */
  #find(symbol: number): number {
    const { elf } = this.#object;
    const section = this.#object.sectionOf(symbol);
    if (elf.symbols.place(symbol) === SymbolPlace.SECTION && section === undefined) {
      return elf.symbols.value(symbol);
    }
    if (section?.merge !== undefined) return NOWHERE;
    this.#locator.symbol(this.#object, symbol, 0);
    if (this.#locator.found !== Found.DEFINED) return NOWHERE;
    return this.#locator.output.address + this.#locator.offset;
  }
}

/** The relocations of one section, which compilers write in the order of their places. */
class SectionRelocations implements Relocations {
  readonly #view: DataView;
  readonly #words: { readonly [type: number]: 4 | 8 };
  readonly #start: number;
  readonly #count: number;
  readonly #values: SymbolValues;
  /** The index behind that of the relocation that was found last. */
  #next = 0;

  constructor(object: LinkObject, table: ElfSection, bytes: Uint8Array, values: SymbolValues) {
    this.#view = object.elf.file.view;
    this.#words = WORDS[object.elf.machine];
    this.#start = table.offset;
    this.#count = Math.floor(table.size / RecordSize.RELA);
    this.#values = values;
    const view = this.#view;
    const end = this.#start + this.#count * RecordSize.RELA;
    for (let at = this.#start, last = -1; at < end; at += RecordSize.RELA) {
      const place = view.getUint32(at, true);
      if (place < last) throw damaged("relocations are not in the order of their places");
      if (place >= bytes.length) throw damaged("a relocation lies outside its section");
      last = place;
    }
  }

  wordsThatAre(addresses: ReadonlySet<number>): number[] {
    const view = this.#view;
    const places: number[] = [];
    const end = this.#start + this.#count * RecordSize.RELA;
    for (let at = this.#start; at < end; at += RecordSize.RELA) {
      if (this.#words[view.getUint32(at + 8, true)] !== 8) continue;
      const value = this.#values.get(view.getUint32(at + 12, true)) + signed64(view, at + 16);
      if (addresses.has(value)) places.push(view.getUint32(at, true));
    }
    return places;
  }

  word(offset: number): number | undefined {
    const index = this.#find(offset);
    if (index === -1) return undefined;
    const at = this.#start + index * RecordSize.RELA;
    // Offsets of thread-local variables, and what newer compilers add: types do not need it.
    if (this.#words[this.#view.getUint32(at + 8, true)] === undefined) return undefined;
    const value = this.#values.get(this.#view.getUint32(at + 12, true));
    return value === NOWHERE ? NOWHERE : value + signed64(this.#view, at + 16);
  }

  #find(offset: number): number {
    // Entries are read in order, and few words between them are passed.
    const next = this.#next;
    for (let i = next; i < next + 4 && i < this.#count; i++) {
      if (this.#place(i) === offset) {
        this.#next = i + 1;
        return i;
      }
    }
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#place(middle) < offset) low = middle + 1;
      else high = middle;
    }
    this.#next = low;
    if (low === this.#count || this.#place(low) !== offset) return -1;
    this.#next = low + 1;
    return low;
  }

  /** Returns the offset that a relocation applies to; sections of debug information end below 2^32. */
  #place(index: number): number {
    return this.#view.getUint32(this.#start + index * RecordSize.RELA, true);
  }
}

function contentsOf(object: LinkObject, section: ElfSection): Uint8Array {
  if (section.type === SectionType.NOBITS) return new Uint8Array(0);
  const stored = object.elf.file.bytes.subarray(section.offset, section.offset + section.size);
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

const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;

/** The function that decompresses what each method has compressed. */
const DECOMPRESS: ReadonlyMap<number, keyof Zlib> = new Map([
  [ELFCOMPRESS_ZLIB, "inflateSync"],
  [ELFCOMPRESS_ZSTD, "zstdDecompressSync"],
]);

function decompress(bytes: Uint8Array, size: number, method: number): Uint8Array {
  if (size > MOST_EXPANSION * bytes.length + FREE_EXPANSION) throw damaged("a section expands beyond reason");
  const name = DECOMPRESS.get(method);
  if (name === undefined) throw damaged(`the method of compression ${method} is unknown`);
  // Only this one: Deno before 2.7.1 has no zstd.
  const zlib = builtinModule<Zlib>("node:zlib", [name]);
  let plain: Uint8Array;
  try {
    plain = zlib[name](bytes, { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    const error = damaged("a section does not decompress");
    error.cause = cause;
    throw error;
  }
  if (plain.length !== size) throw damaged("a section decompresses to another size than it says");
  return plain;
}
