/**
 * Writes ELF files with section headers: relocatable objects, for the linker's own code and for programs that
 * generate machine code to link, and files of debug information, whose sections have addresses.
 */
import {
  GRP_COMDAT,
  Machine,
  ObjectType,
  RecordSize,
  SectionFlag,
  SectionIndex,
  SectionType,
  SymbolBinding,
  SymbolKind,
  SymbolVisibility,
} from "./elf.ts";

/** A section of the object. */
export interface ElfSectionOptions {
  readonly name: string;
  /** Default: PROGBITS, or NOBITS when only a size is given. */
  readonly type?: number;
  /** Default: ALLOC. */
  readonly flags?: number;
  /** Default: 0, as in relocatable objects. */
  readonly address?: number | bigint;
  readonly bytes?: Uint8Array;
  /** The size of a section without bytes. */
  readonly size?: number;
  /** Default: 1. */
  readonly alignment?: number;
  readonly entrySize?: number;
  readonly link?: number;
  readonly info?: number;
}

/** A symbol of the object. */
export interface ElfSymbolOptions {
  readonly name: string;
  /** The result of `section`, or a reserved index. Default: the symbol is undefined. */
  readonly section?: number;
  readonly value?: number | bigint;
  readonly size?: number;
  /** Default: GLOBAL. */
  readonly binding?: number;
  readonly kind?: number;
  readonly visibility?: number;
}

/** A relocation of one section. */
export interface ElfRelocationOptions {
  readonly offset: number;
  /** The result of `symbol` or `sectionSymbol`. */
  readonly symbol: number;
  readonly type: number;
  readonly addend?: number | bigint;
}

/** Returns a text of the bytes that a name has in UTF-8, a character each, as {@linkcode ElfWriter} takes it. */
export function nameBytes(name: string): string {
  if (/^[\0-\x7f]*$/.test(name)) return name;
  return Array.from(new TextEncoder().encode(name), (byte) => String.fromCharCode(byte)).join("");
}

/** A string table under construction. */
class Strings {
  #bytes = new Uint8Array(256);
  #size = 1;

  /** Adds a string; returns its offset. */
  add(text: string): number {
    if (text === "") return 0;
    const at = this.#size;
    const end = at + text.length;
    if (end >= this.#bytes.length) {
      const grown = new Uint8Array(2 * end + 1);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    this.#size = end + 1;
    return at;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }
}

/** Builds an ELF64 file without segments: a relocatable object, unless another type is asked for. Each character of a name is a byte. */
export class ElfWriter {
  readonly #machine: number;
  readonly #type: number;
  readonly #sections: ElfSectionOptions[] = [{ name: "", type: SectionType.NULL, flags: 0 }];
  readonly #symbols: ElfSymbolOptions[] = [{ name: "", binding: SymbolBinding.LOCAL }];
  readonly #relocations: Map<number, ElfRelocationOptions[]> = new Map();
  readonly #groups: { section: number; signature: number; members: readonly number[]; flags: number }[] = [];

  constructor(machine: number = Machine.X86_64, type: number = ObjectType.REL) {
    this.#machine = machine;
    this.#type = type;
  }

  /** Adds a section; returns its index. */
  section(options: ElfSectionOptions): number {
    return this.#sections.push(options) - 1;
  }

  /** Adds a symbol; returns a number for relocations. */
  symbol(options: ElfSymbolOptions): number {
    return this.#symbols.push(options) - 1;
  }

  /** Adds the symbol of a section itself; returns a number for relocations. */
  sectionSymbol(section: number): number {
    return this.symbol({ name: "", section, binding: SymbolBinding.LOCAL, kind: SymbolKind.SECTION });
  }

  /** Adds a relocation to a section. */
  relocation(section: number, options: ElfRelocationOptions): void {
    const known = this.#relocations.get(section);
    if (known === undefined) this.#relocations.set(section, [options]);
    else known.push(options);
  }

  /** Makes sections a group, by default a COMDAT group. */
  group(signature: number, members: readonly number[], flags: number = GRP_COMDAT): void {
    const section = this.section({
      name: ".group",
      type: SectionType.GROUP,
      flags: 0,
      entrySize: 4,
      alignment: 4,
    });
    this.#groups.push({ section, signature, members, flags });
  }

  /** Returns the bytes of the object. */
  build(): Uint8Array {
    // Local symbols come first (gABI). `order` maps symbols to their positions in the table.
    const locals = this.#symbols.filter((symbol) => symbol.binding === SymbolBinding.LOCAL);
    const sorted = [...locals, ...this.#symbols.filter((symbol) => symbol.binding !== SymbolBinding.LOCAL)];
    const order = new Map(sorted.map((symbol, index) => [symbol, index]));
    const indexOf = (symbol: number): number => order.get(this.#symbols[symbol])!;

    const sections: ElfSectionOptions[] = this.#sections.map((section) => ({ ...section }));
    const symtab = sections.length + this.#relocations.size;
    for (const [target, relocations] of this.#relocations) {
      sections.push({
        name: `.rela${this.#sections[target].name}`,
        type: SectionType.RELA,
        flags: 0,
        bytes: relaBytes(relocations, indexOf),
        alignment: 8,
        entrySize: RecordSize.RELA,
        link: symtab,
        info: target,
      });
    }
    for (const { section, signature, members, flags } of this.#groups) {
      sections[section] = {
        ...sections[section],
        bytes: new Uint8Array(Uint32Array.of(flags, ...members).buffer),
        link: symtab,
        info: indexOf(signature),
      };
    }
    const strings = new Strings();
    sections.push({
      name: ".symtab",
      type: SectionType.SYMTAB,
      flags: 0,
      bytes: symbolBytes(sorted, strings),
      alignment: 8,
      entrySize: RecordSize.SYM,
      link: symtab + 1,
      info: locals.length,
    });
    sections.push({ name: ".strtab", type: SectionType.STRTAB, flags: 0, bytes: strings.bytes() });
    return this.#write(sections);
  }

  #write(sections: ElfSectionOptions[]): Uint8Array {
    const names = new Strings();
    const nameOffsets = sections.map(({ name }) => names.add(name));
    nameOffsets.push(names.add(".shstrtab"));
    sections.push({ name: ".shstrtab", type: SectionType.STRTAB, flags: 0, bytes: names.bytes() });
    let end: number = RecordSize.EHDR;
    const offsets = sections.map(({ bytes, alignment = 1 }) => {
      const offset = Math.ceil(end / alignment) * alignment;
      end = offset + (bytes?.length ?? 0);
      return offset;
    });
    const table = Math.ceil(end / 8) * 8;
    const file = new Uint8Array(table + sections.length * RecordSize.SHDR);
    const view = new DataView(file.buffer);
    file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64 bits, little-endian, version
    view.setUint16(16, this.#type, true); // e_type
    view.setUint16(18, this.#machine, true); // e_machine
    view.setUint32(20, 1, true); // e_version
    view.setUint32(40, table, true); // e_shoff
    view.setUint16(52, RecordSize.EHDR, true); // e_ehsize
    view.setUint16(58, RecordSize.SHDR, true); // e_shentsize
    view.setUint16(60, sections.length, true); // e_shnum
    view.setUint16(62, sections.length - 1, true); // e_shstrndx
    sections.forEach((section, index) => {
      const { bytes, size = 0, flags = SectionFlag.ALLOC } = section;
      if (bytes !== undefined) file.set(bytes, offsets[index]);
      const at = table + index * RecordSize.SHDR;
      view.setUint32(at, nameOffsets[index], true); // sh_name
      view.setUint32(at + 4, section.type ?? defaultType(section), true); // sh_type
      view.setUint32(at + 8, flags, true); // sh_flags
      view.setBigUint64(at + 16, BigInt(section.address ?? 0), true); // sh_addr
      view.setUint32(at + 24, index === 0 ? 0 : offsets[index], true); // sh_offset
      view.setBigUint64(at + 32, BigInt(bytes?.length ?? size), true); // sh_size
      view.setUint32(at + 40, section.link ?? 0, true); // sh_link
      view.setUint32(at + 44, section.info ?? 0, true); // sh_info
      view.setUint32(at + 48, index === 0 ? 0 : section.alignment ?? 1, true); // sh_addralign
      view.setUint32(at + 56, section.entrySize ?? 0, true); // sh_entsize
    });
    return file;
  }
}

function defaultType({ bytes, size }: ElfSectionOptions): number {
  return bytes === undefined && size !== undefined ? SectionType.NOBITS : SectionType.PROGBITS;
}

function relaBytes(
  relocations: readonly ElfRelocationOptions[],
  indexOf: (symbol: number) => number,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(relocations.length * RecordSize.RELA));
  relocations.forEach(({ offset, symbol, type, addend = 0 }, i) => {
    const at = i * RecordSize.RELA;
    view.setUint32(at, offset, true); // r_offset
    view.setUint32(at + 8, type, true); // r_info: type
    view.setUint32(at + 12, indexOf(symbol), true); // r_info: symbol
    view.setBigInt64(at + 16, BigInt(addend), true); // r_addend
  });
  return new Uint8Array(view.buffer);
}

function symbolBytes(symbols: readonly ElfSymbolOptions[], strings: Strings): Uint8Array {
  const view = new DataView(new ArrayBuffer(symbols.length * RecordSize.SYM));
  symbols.forEach((symbol, i) => {
    const at = i * RecordSize.SYM;
    const { binding = SymbolBinding.GLOBAL, kind = SymbolKind.NOTYPE } = symbol;
    view.setUint32(at, strings.add(symbol.name), true); // st_name
    view.setUint8(at + 4, (binding << 4) | kind); // st_info
    view.setUint8(at + 5, symbol.visibility ?? SymbolVisibility.DEFAULT); // st_other
    view.setUint16(at + 6, symbol.section ?? SectionIndex.UNDEF, true); // st_shndx
    view.setBigUint64(at + 8, BigInt.asUintN(64, BigInt(symbol.value ?? 0)), true); // st_value
    view.setBigUint64(at + 16, BigInt(symbol.size ?? 0), true); // st_size
  });
  return new Uint8Array(view.buffer);
}
