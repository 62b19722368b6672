/** A small file in every layout, and copies of it with one field changed. */
import { SmfBuilder, type SmfBuilderOptions } from "../../src/smf/builder.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import {
  type Field,
  type LayoutName,
  LAYOUTS,
  RELOCATION_FIELDS,
  SYMBOL_FIELDS,
} from "../../src/smf/layout.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import { detect } from "../../src/smf/detect.ts";
import { patched } from "./testing.ts";

export const LAYOUT_NAMES = Object.keys(LAYOUTS) as LayoutName[];

export const bytesOf = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Sections: 0 code, 1 .rodata, 2 .data, 3 .bss, 4 note, 5 .reloc. Symbols: 0 seven, 1 ext, 2 table, 3 helper. */
export function sample(layout: LayoutName = "H96", options: SmfBuilderOptions = {}): Uint8Array {
  const builder = new SmfBuilder({ layout, ...options });
  builder.section({ name: "code", type: SectionType.Code, bytes: bytesOf(0xb8, 7, 0, 0, 0, 0xc3) });
  builder.section({ name: ".rodata", type: SectionType.RoData, bytes: bytesOf(1, 2, 3, 4) });
  builder.section({ name: ".data", type: SectionType.Data, bytes: new Uint8Array(24), virtualSize: 32 });
  builder.section({ name: ".bss", type: SectionType.Bss, virtualSize: 64 });
  builder.section({ name: "note", type: SectionType.Debug, bytes: bytesOf(9, 9, 9) });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: 6 });
  builder.symbol({ name: "ext", type: SymbolType.Function, defined: false });
  builder.symbol({ name: "table", type: SymbolType.Data, value: 8192, size: 24 });
  builder.symbol({ name: "helper", type: SymbolType.Function, binding: Binding.Local, value: 2 });
  builder.relocation({ offset: 8192, symbol: 0, type: RelocationType.Abs64, addend: 0x1234_5678_9abc_def0n });
  builder.relocation({ offset: 1, symbol: 1, type: RelocationType.Pc32, addend: -4 });
  return builder.build();
}

/** The header and the layout of a file. */
function headerOf(bytes: Uint8Array) {
  const { header, layout } = readFrom(bytes, detect(bytes.length));
  return { header, layout };
}

/** A copy in which one header field differs. The original must be a file that the detector knows. */
export function withHeader(bytes: Uint8Array, name: string, value: number | bigint): Uint8Array {
  const { header, layout } = headerOf(bytes);
  return patched(bytes, at(header.offset, (layout.header.fields as Record<string, Field>)[name], value));
}

/** A copy in which one field of a section differs. */
export function withSection(
  bytes: Uint8Array,
  index: number,
  name: string,
  value: number | bigint,
): Uint8Array {
  const { header, layout } = headerOf(bytes);
  const record = header.sectionTableOffset + index * layout.section.size;
  return patched(bytes, at(record, (layout.section.fields as Record<string, Field>)[name], value));
}

/** A copy in which a section has another name. */
export function withSectionName(bytes: Uint8Array, index: number, name: Uint8Array): Uint8Array {
  const { header, layout } = headerOf(bytes);
  const record = header.sectionTableOffset + index * layout.section.size + layout.section.name;
  const copy = bytes.slice();
  copy.fill(0, record, record + 16);
  copy.set(name, record);
  return copy;
}

/** A copy in which one field of a symbol differs. */
export function withSymbol(
  bytes: Uint8Array,
  index: number,
  name: keyof typeof SYMBOL_FIELDS,
  value: number | bigint,
): Uint8Array {
  const { header, layout } = headerOf(bytes);
  return patched(bytes, at(header.symbolTableOffset + index * layout.symbolSize, SYMBOL_FIELDS[name], value));
}

/** A copy in which one field of a relocation differs. */
export function withRelocation(
  bytes: Uint8Array,
  index: number,
  name: keyof typeof RELOCATION_FIELDS,
  value: number | bigint,
): Uint8Array {
  const section = parseSmf(bytes).sections.find(({ type }) => type === SectionType.Reloc)!;
  return patched(bytes, at(section.offset + index * 24, RELOCATION_FIELDS[name], value));
}

function at(
  record: number,
  [offset, size]: Field,
  value: number | bigint,
): [number, 1 | 2 | 4 | 8, number | bigint] {
  return [record + offset, size, value];
}

/** The contents of a file, as plain objects. */
export function contentsOf(file: ParsedSmf): unknown {
  return {
    sections: file.sections.map((section) => ({
      name: section.name,
      type: section.type,
      flags: section.flags,
      virtualSize: section.virtualSize,
      alignment: section.alignment,
      bytes: section.type === SectionType.Bss ? undefined : file.contents(section),
    })),
    symbols: [...file.symbols],
    relocations: [...file.relocations],
  };
}
