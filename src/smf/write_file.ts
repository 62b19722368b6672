/**
 * Writes the parts of a file to bytes: computes offsets first, then writes records,
 * then the hash of everything.
 */

import type { RelocationOptions, SmfBuilderOptions, SymbolOptions } from "./builder_options.ts";
import { combineHashes, hashContents, hashHeader } from "./checksum.ts";
import { Arch, HeaderFlag, Platform, SectionType } from "./enums.ts";
import { hashName, xxh32 } from "./hash.ts";
import {
  type Layout,
  MAGIC,
  RELOCATION_FIELDS,
  RELOCATION_SIZE,
  SYMBOL_FIELDS,
  WRITER_MARK,
} from "./layout.ts";
import { alignUp } from "./offsets.ts";
import { type Fields, writeRecord } from "./write_record.ts";

/** A section in the form in which the file stores it. */
export interface StoredSection {
  readonly name: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly bytes: Uint8Array;
  readonly virtualSize: number;
}

/** The parts of a file. */
export interface FileParts {
  readonly layout: Layout;
  readonly options: SmfBuilderOptions;
  readonly compression: number;
  readonly exportedCount: number;
  readonly sections: readonly StoredSection[];
  readonly symbols: readonly Required<SymbolOptions>[];
}

const EMPTY = new Uint8Array(0);
const { template_param_count: _, template_offset: __, ...NARROW_SYMBOL_FIELDS } = SYMBOL_FIELDS;

/** Returns the bytes of a Reloc section. */
export function emitRelocations(relocations: readonly Required<RelocationOptions>[]): Uint8Array {
  const bytes = new Uint8Array(relocations.length * RELOCATION_SIZE);
  const view = new DataView(bytes.buffer);
  const [addendOffset] = RELOCATION_FIELDS.addend;
  relocations.forEach(({ offset, symbol, type, addend }, i) => {
    const at = i * RELOCATION_SIZE;
    writeRecord(view, at, RELOCATION_FIELDS, { offset, symbol_index: symbol, reloc_type: type });
    view.setBigInt64(at + addendOffset, BigInt(addend), true); // the one signed field of the format
  });
  return bytes;
}

/** Returns the bytes of a file. */
export function emitFile(parts: FileParts): Uint8Array {
  const { layout, options, sections, symbols } = parts;
  const stub = options.stub ?? EMPTY;
  const strings = stringTable(symbols);

  // Offsets are relative to the end of the stub. With a leading header the order is
  // header, section table, contents, symbols, names, debug information; with a
  // trailing one contents, section table, symbols, names, header.
  const tableSize = sections.length * layout.section.size;
  let at = layout.trailer ? 0 : layout.header.size + tableSize;
  const offsets: number[] = sections.map(() => 0);
  const place = (isNow: (section: StoredSection) => boolean): void => {
    sections.forEach((section, i) => {
      if (section.bytes.length === 0 || !isNow(section)) return;
      offsets[i] = alignUp(at, section.alignment);
      at = offsets[i] + section.bytes.length;
    });
  };
  // The parts that are loaded stay together, so that a small module costs one read.
  const isBehind = ({ type }: StoredSection): boolean => !layout.trailer && type === SectionType.Dwarf;
  place((section) => !isBehind(section));
  const sectionTable = layout.trailer ? alignUp(at, 8) : layout.header.size;
  if (layout.trailer) at = sectionTable + tableSize;
  const symbolTable = symbols.length === 0 ? 0 : alignUp(at, 8);
  const stringsAt = symbolTable + symbols.length * layout.symbolSize;
  if (symbols.length > 0) at = stringsAt + strings.bytes.length;
  const namesEnd = at;
  place(isBehind);
  const symbolsEnd = Math.min(at, ...offsets.filter((offset) => offset >= namesEnd));
  const headerAt = layout.trailer ? at : 0;
  if (layout.trailer) at += layout.header.size;

  const file = new Uint8Array(stub.length + at);
  file.set(stub);
  const data = file.subarray(stub.length);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);

  sections.forEach((section, i) => {
    const record = sectionTable + i * layout.section.size;
    data.set(section.bytes, offsets[i]);
    data.set(section.name, record + layout.section.name);
    writeRecord(view, record, layout.section.fields, {
      section_type: section.type,
      flags: section.flags,
      offset: offsets[i],
      size: section.bytes.length,
      virtual_size: section.virtualSize,
      alignment: section.alignment,
    });
  });

  const symbolFields: Fields = layout.symbolSize === 40 ? NARROW_SYMBOL_FIELDS : SYMBOL_FIELDS;
  symbols.forEach((symbol, i) => {
    writeRecord(view, symbolTable + i * layout.symbolSize, symbolFields, {
      name_offset: strings.offsets[i],
      name_hash: hashName(strings.bytes.subarray(strings.offsets[i], strings.ends[i])),
      sym_type: symbol.type - layout.symbolTypeBase,
      binding: symbol.binding,
      visibility: symbol.visibility,
      flags: symbol.flags,
      value: symbol.value,
      size: symbol.size,
      type_id: symbol.typeId,
      version: symbol.version,
      template_param_count: symbol.templateParamCount,
      template_offset: symbol.templateOffset,
    });
  });
  if (symbols.length > 0) data.set(strings.bytes, stringsAt);

  data.set(ascii(MAGIC), headerAt);
  data.set(ascii(WRITER_MARK), headerAt + layout.header.mark);
  data[headerAt + layout.header.mark + WRITER_MARK.length] = options.cpu ?? 0;
  writeRecord(view, headerAt, layout.header.fields, {
    version_major: 1,
    version_minor: 1,
    platform: options.platform ?? Platform.Linux,
    arch: options.arch ?? Arch.X86_64,
    flags: (options.flags ?? 0) | (stub.length > 0 ? HeaderFlag.HasStub : 0),
    compression: parts.compression,
    compression_level: options.compressionLevel ?? 0,
    section_count: sections.length,
    section_table_offset: sectionTable,
    symbol_table_offset: symbolTable,
    symbol_count: symbols.length,
    exported_count: parts.exportedCount,
    entry_point: options.entryPoint ?? 0,
    stub_size: stub.length,
    smf_data_offset: stub.length,
    source_hash: options.sourceHash ?? 0n,
    app_type: options.appType ?? 0,
    window_width: options.windowWidth ?? 0,
    window_height: options.windowHeight ?? 0,
    prefetch_hint: options.prefetchHint ?? 0,
    prefetch_file_count: options.prefetchFileCount ?? 0,
  });

  // The hash comes last because it covers everything else.
  const tableHashes = [
    hashHeader(data.subarray(headerAt, headerAt + layout.header.size), layout),
    xxh32(data.subarray(sectionTable, sectionTable + tableSize)),
    xxh32(symbols.length > 0 ? data.subarray(symbolTable, symbolsEnd) : EMPTY),
  ];
  const contentHashes = sections.map(({ type, bytes }) => hashContents(type, bytes));
  writeRecord(view, headerAt, layout.header.fields, {
    module_hash: combineHashes([...tableHashes, ...contentHashes], file.length),
  });
  return file;
}

interface StringTable {
  readonly bytes: Uint8Array;
  /** The start of each symbol's name. */
  readonly offsets: readonly number[];
  /** The offset of the NUL of each symbol's name. */
  readonly ends: readonly number[];
}

/** Makes a string table of all names, each once, with the empty name at offset 0. */
function stringTable(symbols: readonly Required<SymbolOptions>[]): StringTable {
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(1024);
  let size = 1;
  const firstSymbolOf = new Map<string, number>();
  const offsets: number[] = [], ends: number[] = [];
  symbols.forEach(({ name }, i) => {
    const first = name === "" ? undefined : firstSymbolOf.get(name);
    if (name === "" || first !== undefined) {
      offsets.push(first === undefined ? 0 : offsets[first]);
      ends.push(first === undefined ? 0 : ends[first]);
      return;
    }
    const needed = size + name.length * 3 + 1; // a UTF-16 code unit takes at most three bytes of UTF-8
    if (needed > bytes.length) {
      const grown = new Uint8Array(needed * 2);
      grown.set(bytes.subarray(0, size));
      bytes = grown;
    }
    firstSymbolOf.set(name, i);
    offsets.push(size);
    size += encoder.encodeInto(name, bytes.subarray(size)).written;
    ends.push(size);
    size++;
  });
  return { bytes: bytes.slice(0, size), offsets, ends };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
