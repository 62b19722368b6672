/**
 * Arranges the parts of a file: computes offsets first, then writes tables, then the hash of everything. The contents
 * of sections stay where they are, since they may be hundreds of megabytes.
 */

import type { SmfBuilderOptions } from "./builder_options.ts";
import { combineHashes, hashContents, hashHeader } from "./checksum.ts";
import { Arch, HeaderFlag, Platform, SectionType } from "./enums.ts";
import { Xxh32, xxh32 } from "./hash.ts";
import { type Layout, MAGIC, WRITER_MARK } from "./layout.ts";
import { alignUp } from "./offsets.ts";
import { FileParts } from "./file_parts.ts";
import type { SymbolRecords } from "./table_writer.ts";
import { writeRecord } from "./write_record.ts";

/** A section in the form in which the file stores it. */
export interface StoredSection {
  readonly name: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly bytes: Uint8Array;
  readonly virtualSize: number;
}

/** Everything that goes into a file. */
export interface FileContents {
  readonly layout: Layout;
  readonly options: SmfBuilderOptions;
  readonly compression: number;
  readonly sections: readonly StoredSection[];
  readonly symbols: SymbolRecords;
}

const EMPTY = new Uint8Array(0);

/** Makes a file of its contents. */
export function arrangeFile(contents: FileContents): FileParts {
  const { layout, options, sections, symbols } = contents;
  const stub = options.stub ?? EMPTY;
  symbols.writeRare();
  const records = symbols.bytes, names = symbols.names.bytes;

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
  const namesAt = symbolTable + records.length;
  if (symbols.length > 0) at = namesAt + names.length;
  const namesEnd = at;
  place(isBehind);
  const symbolsEnd = Math.min(at, ...offsets.filter((offset) => offset >= namesEnd));
  const headerAt = layout.trailer ? at : 0;
  if (layout.trailer) at += layout.header.size;

  const file = new FileParts(stub.length + at);
  file.add(0, stub);
  const table = new Uint8Array(tableSize), tableView = new DataView(table.buffer);
  sections.forEach((section, i) => {
    const record = i * layout.section.size;
    file.add(stub.length + offsets[i], section.bytes);
    table.set(section.name, record + layout.section.name);
    writeRecord(tableView, record, layout.section.fields, {
      section_type: section.type,
      flags: section.flags,
      offset: offsets[i],
      size: section.bytes.length,
      virtual_size: section.virtualSize,
      alignment: section.alignment,
    });
  });
  file.add(stub.length + sectionTable, table);
  const symbolHash = new Xxh32();
  if (symbols.length > 0) {
    file.add(stub.length + symbolTable, records);
    file.add(stub.length + namesAt, names);
    symbolHash.update(records).update(names).update(new Uint8Array(symbolsEnd - namesEnd));
  }

  const header = new Uint8Array(layout.header.size), headerView = new DataView(header.buffer);
  header.set(ascii(MAGIC));
  header.set(ascii(WRITER_MARK), layout.header.mark);
  header[layout.header.mark + WRITER_MARK.length] = options.cpu ?? 0;
  writeRecord(headerView, 0, layout.header.fields, {
    version_major: 1,
    version_minor: 1,
    platform: options.platform ?? Platform.Linux,
    arch: options.arch ?? Arch.X86_64,
    flags: (options.flags ?? 0) | (stub.length > 0 ? HeaderFlag.HasStub : 0),
    compression: contents.compression,
    compression_level: options.compressionLevel ?? 0,
    section_count: sections.length,
    section_table_offset: sectionTable,
    symbol_table_offset: symbolTable,
    symbol_count: symbols.length,
    exported_count: symbols.exportedCount,
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
  const tableHashes = [hashHeader(header, layout), xxh32(table), symbolHash.digest()];
  const contentHashes = sections.map(({ type, bytes }) => hashContents(type, bytes));
  writeRecord(headerView, 0, layout.header.fields, {
    module_hash: combineHashes([...tableHashes, ...contentHashes], file.size),
  });
  file.add(stub.length + headerAt, header);
  return file;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
