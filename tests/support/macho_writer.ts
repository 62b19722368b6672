// Writes Mach-O objects and files for several processors, for the tests of the linker.

/** cputype. */
export const Cpu = { X86_64: 0x0100_0007, ARM64: 0x0100_000c } as const;

/** Flags of sections: S_* and S_ATTR_*. */
export const Sect = {
  REGULAR: 0,
  ZEROFILL: 1,
  CSTRINGS: 2,
  LITERALS_8: 4,
  STUBS: 8,
  INIT: 9,
  TERM: 10,
  INTERPOSING: 13,
  TLS: 0x11,
  TLS_ZEROFILL: 0x12,
  DESCRIPTORS: 0x13,
  CODE: 0x8000_0400,
  RETAIN: 0x1000_0000,
} as const;

/** n_type with its bits. */
export const Kind = {
  UNDEFINED: 1,
  COMMON: 1,
  ABSOLUTE: 3,
  LOCAL: 0xe,
  GLOBAL: 0xf,
  PRIVATE: 0x1f,
  INDIRECT: 0xb,
} as const;

/** n_desc. */
export const Desc = { RETAIN: 0x20, WEAK_REFERENCE: 0x40, WEAK: 0x80, ALT_ENTRY: 0x200 } as const;

/** r_type: X86_64_RELOC_*. */
export const X86 = {
  UNSIGNED: 0,
  SIGNED: 1,
  BRANCH: 2,
  GOT_LOAD: 3,
  GOT: 4,
  SUBTRACTOR: 5,
  SIGNED_4: 8,
  TLV: 9,
} as const;

interface Section {
  /** `SEGMENT,SECTION`. */
  readonly name: string;
  /** Default: 0. */
  readonly flags?: number;
  readonly bytes?: Uint8Array;
  readonly size?: number;
  /** A power of two. Default: 1. */
  readonly alignment?: number;
}

interface Symbol {
  readonly name: string;
  /** Default: GLOBAL with a section, UNDEFINED without. */
  readonly type?: number;
  /** The number of its section. */
  readonly section?: number;
  /** The offset in its section; a size, a constant. */
  readonly value?: number;
  readonly desc?: number;
}

interface Relocation {
  readonly place: number;
  readonly type: number;
  /** A symbol's index, or a section's number. */
  readonly symbol: number;
  /** Whether `symbol` is a symbol's index. Default: true. */
  readonly isSymbol?: boolean;
  /** The power of two of its size. Default: 2. */
  readonly power?: number;
  /** Default: false. */
  readonly isRelative?: boolean;
}

const encoder = new TextEncoder();

/** Builds an object. */
export class MachWriter {
  readonly #cpu: number;
  readonly #flags: number;
  readonly #sections: (Section & { relocations: Relocation[] })[] = [];
  readonly #symbols: Symbol[] = [];
  readonly #options: string[][] = [];
  #platform = 1;

  /** @param hasSubsections Whether sections may be taken apart at symbols. */
  constructor(cpu: number = Cpu.X86_64, hasSubsections = true) {
    this.#cpu = cpu;
    this.#flags = hasSubsections ? 0x2000 : 0;
  }

  /** Adds a section; returns its number. */
  section(section: Section): number {
    return this.#sections.push({ ...section, relocations: [] });
  }

  /** Adds a symbol; returns its index. */
  symbol(symbol: Symbol): number {
    return this.#symbols.push(symbol) - 1;
  }

  relocation(section: number, relocation: Relocation): void {
    this.#sections[section - 1].relocations.push(relocation);
  }

  /** Adds options for the linker. */
  option(...texts: string[]): void {
    this.#options.push(texts);
  }

  platform(platform: number): void {
    this.#platform = platform;
  }

  /** Returns the address of a section in the object. */
  addressOf(number: number): number {
    let address = 0;
    for (const [i, section] of this.#sections.entries()) {
      const alignment = section.alignment ?? 1;
      address = Math.ceil(address / alignment) * alignment;
      if (i === number - 1) return address;
      address += sizeOf(section);
    }
    throw new Error(`there is no section ${number}`);
  }

  build(): Uint8Array {
    const options = this.#options.map((texts) => {
      const bytes = encoder.encode(texts.map((text) => `${text}\0`).join(""));
      return { count: texts.length, bytes, size: Math.ceil((12 + bytes.length) / 8) * 8 };
    });
    const segment = 72 + 80 * this.#sections.length;
    const commands = segment + 24 + 24 + options.reduce((sum, { size }) => sum + size, 0);
    let at = 32 + commands;
    const place = (size: number): number => {
      const start = at;
      at += Math.ceil(size / 8) * 8;
      return start;
    };
    const contents = this.#sections.map(({ bytes }) => bytes === undefined ? 0 : place(bytes.length));
    const tables = this.#sections.map(({ relocations }) => place(8 * relocations.length));
    const symbols = place(16 * this.#symbols.length);
    const names = encoder.encode(`\0${this.#symbols.map(({ name }) => `${name}\0`).join("")}`);
    const strings = place(names.length);
    const out = new Uint8Array(at), view = new DataView(out.buffer);
    const words = (start: number, ...values: number[]): void =>
      values.forEach((value, i) => view.setUint32(start + 4 * i, value, true));
    words(0, 0xfeedfacf, this.#cpu, 0, 1, 3 + options.length, commands, this.#flags, 0);
    words(32, 0x19, segment);
    words(32 + 64, this.#sections.length);
    this.#sections.forEach((section, i) => {
      const header = 32 + 72 + 80 * i;
      const [inSegment, name] = section.name.split(",");
      out.set(encoder.encode(name), header);
      out.set(encoder.encode(inSegment), header + 16);
      view.setBigUint64(header + 32, BigInt(this.addressOf(i + 1)), true);
      view.setBigUint64(header + 40, BigInt(sizeOf(section)), true);
      const power = Math.log2(section.alignment ?? 1);
      words(header + 48, contents[i], power, tables[i], section.relocations.length, section.flags ?? 0);
      if (section.bytes !== undefined) out.set(section.bytes, contents[i]);
      section.relocations.forEach((relocation, j) => {
        const { place, symbol, type, power = 2, isRelative = false, isSymbol = true } = relocation;
        const word = (symbol & 0xff_ffff) | Number(isRelative) << 24 | power << 25 | Number(isSymbol) << 27;
        words(tables[i] + 8 * j, place, (word | type << 28) >>> 0);
      });
    });
    let command = 32 + segment;
    words(command, 0x32, 24, this.#platform, 0x000b_0000, 0, 0);
    words(command + 24, 0x2, 24, symbols, this.#symbols.length, strings, names.length);
    command += 48;
    for (const { count, bytes, size } of options) {
      words(command, 0x2d, size, count);
      out.set(bytes, command + 12);
      command += size;
    }
    let name = 1;
    this.#symbols.forEach(({ name: text, type, section = 0, value = 0, desc = 0 }, i) => {
      const entry = symbols + 16 * i;
      words(entry, name);
      out[entry + 4] = type ?? (section > 0 ? Kind.GLOBAL : Kind.UNDEFINED);
      out[entry + 5] = section;
      view.setUint16(entry + 6, desc, true);
      view.setBigUint64(entry + 8, BigInt(value + (section > 0 ? this.addressOf(section) : 0)), true);
      name += encoder.encode(text).length + 1;
    });
    out.set(names, strings);
    return out;
  }
}

function sizeOf({ bytes, size }: Section): number {
  return size ?? bytes?.length ?? 0;
}

/** Builds a file for several processors. */
export function fatFile(
  parts: readonly (readonly [cpu: number, bytes: Uint8Array, cpuSubtype?: number])[],
  isLarge = false,
): Uint8Array {
  const size = isLarge ? 32 : 20;
  let at = Math.ceil((8 + size * parts.length) / 16) * 16;
  const starts = parts.map(([, bytes]) => {
    const start = at;
    at += Math.ceil(bytes.length / 16) * 16;
    return start;
  });
  const out = new Uint8Array(at), view = new DataView(out.buffer);
  view.setUint32(0, isLarge ? 0xcafebabf : 0xcafebabe);
  view.setUint32(4, parts.length);
  parts.forEach(([cpu, bytes, cpuSubtype = 0], i) => {
    const entry = 8 + size * i;
    view.setUint32(entry, cpu);
    view.setUint32(entry + 4, cpuSubtype);
    if (isLarge) {
      view.setBigUint64(entry + 8, BigInt(starts[i]));
      view.setBigUint64(entry + 16, BigInt(bytes.length));
    } else {
      view.setUint32(entry + 8, starts[i]);
      view.setUint32(entry + 12, bytes.length);
    }
    out.set(bytes, starts[i]);
  });
  return out;
}
