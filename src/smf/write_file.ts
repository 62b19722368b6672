/**
 * Writes the parts of a file to bytes: computes offsets first, then writes records,
 * then the hash of everything.
 */

import type { RelocationOptions, SmfBuilderOptions, SymbolOptions } from "./builder_options.ts";
import { combineHashes, hashContents, hashHeader } from "./checksum.ts";
import { Arch, HeaderFlag, Platform, SectionType } from "./enums.ts";
import { fnv1a, xxh32 } from "./hash.ts";
import {
  type Layout,
  MAGIC,
  RELOCATION_FIELDS,
  RELOCATION_SIZE,
  SYMBOL_FIELDS,
  WRITER_MARK,
} from "./layout.ts";
import { alignUp } from "./offsets.ts";
import { type Fields, writeField, writeRecord } from "./write_record.ts";

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
  const { offset, symbol_index, reloc_type, addend: [addendOffset] } = RELOCATION_FIELDS;
  for (let i = 0, at = 0; i < relocations.length; i++, at += RELOCATION_SIZE) {
    const relocation = relocations[i], { addend } = relocation;
    writeField(view, at, "offset", offset, relocation.offset);
    writeField(view, at, "symbol_index", symbol_index, relocation.symbol);
    writeField(view, at, "reloc_type", reloc_type, relocation.type);
    // The one signed field of the format.
    if (typeof addend === "bigint") view.setBigInt64(at + addendOffset, addend, true);
    else {
      view.setInt32(at + addendOffset, addend % 2 ** 32, true);
      view.setInt32(at + addendOffset + 4, Math.floor(addend / 2 ** 32), true);
    }
  }
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

  emitSymbols(view, symbolTable, layout, symbols, strings);
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

/** Writes the symbol table. Modules have hundreds of thousands of symbols, so that no symbol makes an object. */
function emitSymbols(
  view: DataView,
  start: number,
  { symbolSize, symbolTypeBase }: Layout,
  symbols: readonly Required<SymbolOptions>[],
  { bytes, offsets, ends }: StringTable,
): void {
  const fields: typeof SYMBOL_FIELDS | typeof NARROW_SYMBOL_FIELDS = symbolSize === 40
    ? NARROW_SYMBOL_FIELDS
    : SYMBOL_FIELDS;
  const { template_param_count, template_offset }: Fields = fields;
  const { name_offset, name_hash, sym_type, binding, visibility, flags, value, size, type_id, version } =
    fields;
  for (let i = 0, at = start; i < symbols.length; i++, at += symbolSize) {
    const symbol = symbols[i];
    writeField(view, at, "name_offset", name_offset, offsets[i]);
    writeField(view, at, "name_hash", name_hash, fnv1a(bytes, offsets[i], ends[i]));
    writeField(view, at, "sym_type", sym_type, symbol.type - symbolTypeBase);
    writeField(view, at, "binding", binding, symbol.binding);
    writeField(view, at, "visibility", visibility, symbol.visibility);
    writeField(view, at, "flags", flags, symbol.flags);
    writeField(view, at, "value", value, symbol.value);
    writeField(view, at, "size", size, symbol.size);
    writeField(view, at, "type_id", type_id, symbol.typeId);
    writeField(view, at, "version", version, symbol.version);
    writeField(view, at, "template_param_count", template_param_count, symbol.templateParamCount);
    writeField(view, at, "template_offset", template_offset, symbol.templateOffset);
  }
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
