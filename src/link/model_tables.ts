/**
 * The tables of the input model that objects of other formats than ELF do not hold as the linker reads them: symbols,
 * names and relocations. They stand behind the object's own bytes, so that one buffer has everything.
 */
import {
  RecordSize,
  SectionIndex,
  SectionType,
  SymbolBinding,
  SymbolKind,
  SymbolVisibility,
} from "../os/elf.ts";
import { alignUp } from "../smf/offsets.ts";
import { grown } from "../types/growing.ts";
import { InputBytes } from "./elf/bytes.ts";
import { type ElfSection, ElfSymbols } from "./elf/symbols.ts";

/** The section header that stands for none. */
export const NO_SECTION: ElfSection = {
  index: 0,
  name: "",
  type: SectionType.NULL,
  flags: 0,
  offset: 0,
  size: 0,
  link: 0,
  info: 0,
  alignment: 1,
  entrySize: 0,
  relaOffset: 0,
  relaCount: 0,
};

/** The table of relocations of a section of debug information, whose records begin at `offset`. */
export function debugRelocations(
  index: number,
  target: ElfSection,
  offset: number,
  count: number,
): ElfSection {
  return {
    ...NO_SECTION,
    index,
    name: `.rela${target.name}`,
    type: SectionType.RELA,
    offset,
    size: count * RecordSize.RELA,
    info: target.index,
    entrySize: RecordSize.RELA,
  };
}

/** A symbol of the model. */
export interface ModelSymbol {
  /** The bytes of its name, in the object's bytes. */
  readonly nameStart: number;
  readonly nameEnd: number;
  /** Instead of the name in the object's bytes. */
  readonly text?: string;
  readonly binding: number;
  readonly kind: number;
  readonly visibility: number;
  /** The index of its section; -1 with a {@linkcode ModelSymbol.reserved} index. */
  readonly section: number;
  /** The reserved section index of a symbol that is in no section. */
  readonly reserved: number;
  readonly value: number;
  readonly size: number;
}

/** The symbol of index 0. */
const NO_SYMBOL: ModelSymbol = {
  nameStart: 0,
  nameEnd: 0,
  binding: SymbolBinding.LOCAL,
  kind: SymbolKind.NOTYPE,
  visibility: SymbolVisibility.DEFAULT,
  section: -1,
  reserved: SectionIndex.UNDEF,
  value: 0,
  size: 0,
};

/** The object and its tables in one buffer. */
export interface BuiltTables {
  readonly file: InputBytes;
  readonly symbols: ElfSymbols;
  /** The offset of the first relocation in the buffer. */
  readonly relocations: number;
}

/** The alignment of a tentative definition that the compiler gives none: that of its size, up to 32. */
export function commonAlignment(size: number): number {
  return size >= 32 ? 32 : 2 ** Math.ceil(Math.log2(size));
}

/**
 * Returns the sizes of symbols in formats that tell none: a symbol reaches to the next one of its section, or to the
 * section's end.
 */
export function sizesOf<Placed extends { readonly value: number }>(
  symbols: readonly Placed[],
  sectionOf: (symbol: Placed) => { readonly size: number },
): Map<Placed, number> {
  const sizes = new Map<Placed, number>();
  for (const [section, inside] of Map.groupBy(symbols, sectionOf)) {
    inside.sort((a, b) => b.value - a.value);
    let end = section.size, next = end;
    for (const symbol of inside) {
      if (symbol.value < next) {
        end = next;
        next = symbol.value;
      }
      sizes.set(symbol, end - symbol.value);
    }
  }
  return sizes;
}

const encoder = new TextEncoder();

/** The tables under construction; their first symbol is that of index 0. */
export class ModelTables {
  readonly #object: InputBytes;
  readonly #appended: Uint8Array;
  #symbols = new Uint8Array(RecordSize.SYM * 64);
  #extended = new Int32Array(64);
  #strings = new Uint8Array(1024);
  #relocations = new Uint8Array(0);
  symbolCount = 0;
  #stringsSize = 1;
  relocationCount = 0;

  /** @param appended The contents of sections that the object does not have; they follow its bytes. */
  constructor(object: InputBytes, appended: Uint8Array = new Uint8Array()) {
    this.#object = object;
    this.#appended = appended;
    this.symbol({});
  }

  /** Adds a symbol, which is undefined and local as far as `facts` leave it open. */
  symbol(facts: Partial<ModelSymbol>): void {
    const symbol = { ...NO_SYMBOL, ...facts };
    const index = this.symbolCount++;
    while (this.symbolCount > this.#extended.length) {
      this.#symbols = grown(this.#symbols);
      this.#extended = grown(this.#extended);
    }
    const view = new DataView(this.#symbols.buffer, index * RecordSize.SYM, RecordSize.SYM);
    const { section, reserved } = symbol;
    const fits = section < SectionIndex.LORESERVE;
    view.setUint32(0, this.#name(symbol), true);
    view.setUint8(4, symbol.binding << 4 | symbol.kind);
    view.setUint8(5, symbol.visibility);
    view.setUint16(6, section === -1 ? reserved : fits ? section : SectionIndex.XINDEX, true);
    if (!fits) this.#extended[index] = section;
    view.setBigInt64(8, BigInt(symbol.value), true);
    view.setBigInt64(16, BigInt(symbol.size), true);
  }

  #name({ nameStart, nameEnd, text }: ModelSymbol): number {
    const bytes = text === undefined ? this.#object.bytes.subarray(nameStart, nameEnd) : encoder.encode(text);
    if (bytes.length === 0) return 0;
    const at = this.#stringsSize;
    while (at + bytes.length >= this.#strings.length) this.#strings = grown(this.#strings);
    this.#strings.set(bytes, at);
    this.#stringsSize = at + bytes.length + 1;
    return at;
  }

  /** Makes room for that many further relocations. */
  reserveRelocations(count: number): void {
    const needed = (this.relocationCount + count) * RecordSize.RELA;
    if (needed <= this.#relocations.length) return;
    const more = new Uint8Array(Math.max(needed, 2 * this.#relocations.length));
    more.set(this.#relocations);
    this.#relocations = more;
  }

  /** @param addend A `bigint` if a number cannot hold it. */
  relocation(place: number, symbol: number, type: number, addend: number | bigint): void {
    const at = this.relocationCount++ * RecordSize.RELA;
    const view = new DataView(this.#relocations.buffer, at, RecordSize.RELA);
    view.setUint32(0, place, true);
    view.setUint32(8, type, true);
    view.setUint32(12, symbol, true);
    if (typeof addend === "bigint") return view.setBigInt64(16, addend, true);
    view.setInt32(16, addend | 0, true);
    view.setInt32(20, Math.floor(addend / 0x1_0000_0000), true);
  }

  /**
   * Puts the tables behind the object's bytes.
   *
   * @param firstGlobal The index of the first symbol that is not local.
   */
  build(firstGlobal: number): BuiltTables {
    const { name, bytes: object } = this.#object;
    const symbols = alignUp(object.length + this.#appended.length, 8);
    const relocations = symbols + this.symbolCount * RecordSize.SYM;
    const extended = relocations + this.relocationCount * RecordSize.RELA;
    const strings = extended + this.symbolCount * 4;
    const bytes = new Uint8Array(strings + this.#stringsSize);
    bytes.set(object);
    bytes.set(this.#appended, object.length);
    bytes.set(this.#symbols.subarray(0, this.symbolCount * RecordSize.SYM), symbols);
    bytes.set(this.#relocations.subarray(0, this.relocationCount * RecordSize.RELA), relocations);
    bytes.set(new Uint8Array(this.#extended.buffer, 0, this.symbolCount * 4), extended);
    bytes.set(this.#strings.subarray(0, this.#stringsSize), strings);
    const file = new InputBytes(name, bytes);
    return {
      file,
      symbols: new ElfSymbols(file, symbols, this.symbolCount, firstGlobal, strings, extended),
      relocations,
    };
  }
}
