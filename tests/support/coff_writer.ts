// Writes COFF objects and members of import libraries, for the tests of the linker.

/** IMAGE_SCN_*. */
export const Scn = {
  CODE: 0x6000_0020,
  DATA: 0xc000_0040,
  RODATA: 0x4000_0040,
  BSS: 0xc000_0080,
  INFO: 0x0000_0a00,
  COMDAT: 0x1000,
} as const;

/** IMAGE_SYM_CLASS_*. */
export const Class = { EXTERNAL: 2, STATIC: 3, WEAK: 105 } as const;

/** IMAGE_COMDAT_SELECT_*. */
export const Select = { ONE: 1, ANY: 2, SAME_SIZE: 3, EXACT: 4, ASSOCIATIVE: 5, LARGEST: 6 } as const;

/** IMAGE_REL_AMD64_*. */
export const Rel = {
  ABSOLUTE: 0,
  ADDR64: 1,
  ADDR32: 2,
  ADDR32NB: 3,
  REL32: 4,
  REL32_4: 8,
  SECTION: 10,
  SECREL: 11,
  TOKEN: 13,
} as const;

interface Section {
  readonly name: string;
  readonly flags: number;
  readonly bytes?: Uint8Array;
  readonly size?: number;
  /** Default: 1. */
  readonly alignment?: number;
}

interface Symbol {
  readonly name: string;
  readonly section?: number;
  readonly value?: number;
  readonly type?: number;
  readonly storage?: number;
  readonly aux?: Uint8Array;
}

const encoder = new TextEncoder();

/** Builds an object, in the ordinary form or that of `/bigobj`. */
export class CoffWriter {
  readonly #isBig: boolean;
  readonly #sections: Section[] = [];
  readonly #symbols: Symbol[] = [];
  readonly #relocations: Map<number, { at: number; symbol: number; type: number }[]> = new Map();
  #count = 0;

  constructor(isBig = false) {
    this.#isBig = isBig;
  }

  /** Adds a section; returns its number. */
  section(section: Section): number {
    return this.#sections.push(section);
  }

  /** Adds a symbol, external unless it says otherwise; returns its index. */
  symbol(symbol: Symbol): number {
    const index = this.#count;
    this.#symbols.push(symbol);
    this.#count += symbol.aux === undefined ? 1 : 2;
    return index;
  }

  /** Adds the symbol of a COMDAT section. */
  comdat(section: number, selection: number, parent = 0): number {
    const aux = new Uint8Array(18);
    const view = new DataView(aux.buffer);
    view.setUint16(12, parent, true);
    aux[14] = selection;
    return this.symbol({ name: this.#sections[section - 1].name, section, storage: Class.STATIC, aux });
  }

  /** Adds a weak external that falls back on another symbol. */
  weak(name: string, fallback: number, search = 3): number {
    const aux = new Uint8Array(18);
    new DataView(aux.buffer).setUint32(0, fallback, true);
    new DataView(aux.buffer).setUint32(4, search, true);
    return this.symbol({ name, storage: Class.WEAK, aux });
  }

  relocation(section: number, at: number, symbol: number, type: number): void {
    const known = this.#relocations.get(section) ?? [];
    known.push({ at, symbol, type });
    this.#relocations.set(section, known);
  }

  build(): Uint8Array {
    const header = this.#isBig ? 56 : 20, symbolSize = this.#isBig ? 20 : 18;
    const strings: number[] = [];
    const longName = (name: string): number => {
      const at = 4 + strings.length;
      strings.push(...encoder.encode(name), 0);
      return at;
    };
    let at = header + 40 * this.#sections.length;
    const places = this.#sections.map(({ bytes = new Uint8Array() }, index) => {
      const raw = at;
      at += bytes.length;
      const relocations = at;
      at += 10 * (this.#relocations.get(index + 1)?.length ?? 0);
      return { raw, relocations };
    });
    const table = at;
    const bytes = new Uint8Array(table + symbolSize * this.#count + 4 + 2 ** 16);
    const view = new DataView(bytes.buffer);
    if (this.#isBig) {
      view.setUint16(2, 0xffff, true);
      view.setUint16(4, 2, true);
      view.setUint16(6, 0x8664, true);
      bytes.set([
        0xc7,
        0xa1,
        0xba,
        0xd1,
        0xee,
        0xba,
        0xa9,
        0x4b,
        0xaf,
        0x20,
        0xfa,
        0xf6,
        0x6a,
        0xa4,
        0xdc,
        0xb8,
      ], 12);
      view.setUint32(44, this.#sections.length, true);
      view.setUint32(48, table, true);
      view.setUint32(52, this.#count, true);
    } else {
      view.setUint16(0, 0x8664, true);
      view.setUint16(2, this.#sections.length, true);
      view.setUint32(8, table, true);
      view.setUint32(12, this.#count, true);
    }
    this.#sections.forEach(({ name, flags, bytes: own, size, alignment = 1 }, index) => {
      const entry = header + 40 * index;
      bytes.set(encoder.encode(name.length > 8 ? `/${longName(name)}` : name), entry);
      view.setUint32(entry + 16, own?.length ?? size ?? 0, true);
      view.setUint32(entry + 20, own === undefined ? 0 : places[index].raw, true);
      const relocations = this.#relocations.get(index + 1) ?? [];
      view.setUint32(entry + 24, places[index].relocations, true);
      view.setUint16(entry + 32, relocations.length, true);
      view.setUint32(entry + 36, flags | (Math.log2(alignment) + 1) << 20, true);
      bytes.set(own ?? [], places[index].raw);
      relocations.forEach((relocation, position) => {
        const record = places[index].relocations + 10 * position;
        view.setUint32(record, relocation.at, true);
        view.setUint32(record + 4, relocation.symbol, true);
        view.setUint16(record + 8, relocation.type, true);
      });
    });
    let record = table;
    for (const { name, section = 0, value = 0, type = 0, storage = Class.EXTERNAL, aux } of this.#symbols) {
      if (name.length > 8) view.setUint32(record + 4, longName(name), true);
      else bytes.set(encoder.encode(name), record);
      view.setUint32(record + 8, value, true);
      if (this.#isBig) view.setInt32(record + 12, section, true);
      else view.setInt16(record + 12, section, true);
      const tail = record + (this.#isBig ? 16 : 14);
      view.setUint16(tail, type, true);
      bytes[tail + 2] = storage;
      bytes[tail + 3] = aux === undefined ? 0 : 1;
      bytes.set(aux ?? [], record + symbolSize);
      record += symbolSize * (aux === undefined ? 1 : 2);
    }
    view.setUint32(record, 4 + strings.length, true);
    bytes.set(strings, record + 4);
    return bytes.slice(0, record + 4 + strings.length);
  }
}

/** A member of an import library in the short form. */
export function shortImport(
  name: string,
  library: string,
  type = 0,
  nameType = 1,
  exported = "",
): Uint8Array {
  const texts = encoder.encode([name, library, ...(exported === "" ? [] : [exported]), ""].join("\0"));
  const bytes = new Uint8Array(20 + texts.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, 0xffff, true);
  view.setUint16(6, 0x8664, true);
  view.setUint32(12, texts.length, true);
  view.setUint16(18, type | nameType << 2, true);
  bytes.set(texts, 20);
  return bytes;
}

/** Adds a function in a section of its own, that returns a number: its bytes tell it apart. */
export function addCoffFunction(writer: CoffWriter, name: string, value: number): number {
  const section = writer.section({
    name: ".text",
    flags: Scn.CODE,
    // mov $value, %eax; ret
    bytes: Uint8Array.of(0xb8, value, 0, 0, 0, 0xc3),
    alignment: 16,
  });
  writer.symbol({ name, section, type: 0x20 });
  return section;
}
