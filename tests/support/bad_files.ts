/**
 * Files to spoil for the list of bad inputs. Offsets are those of the format's
 * tables: H96 header 96 bytes, section 56, symbol 56, relocation 24.
 */
import { parseSmf } from "../../src/smf/file.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { hostBuilder, machineCode, patched, unhashed } from "./testing.ts";

export type Change = readonly [offset: number, size: 1 | 2 | 4 | 8, value: number | bigint];

export const SECTION_TABLE = 96;
export const CODE = SECTION_TABLE;
export const DATA = SECTION_TABLE + 56;
export const RELOC = SECTION_TABLE + 112;
export const [TYPE, FLAGS, OFFSET, SIZE, VIRTUAL_SIZE, ALIGNMENT] = [0, 4, 8, 16, 24, 32];

/** A file with 16 bytes of code and 8 bytes of data, which hold an address; exports `seven` and `word`. */
export function sample(options: Parameters<typeof hostBuilder>[0] = {}): Uint8Array {
  const code = new Uint8Array(16);
  code.set(machineCode.returns(7));
  const builder = hostBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  const symbol = builder.symbol({ name: "seven", type: SymbolType.Function, size: 6 });
  builder.symbol({ name: "word", type: SymbolType.Data, value: 4096, size: 8 });
  builder.relocation({ offset: 4096, symbol, type: RelocationType.Abs64 });
  return builder.build();
}

export const WHOLE = sample();
export const PARSED = parseSmf(WHOLE);
export const SYMBOLS = PARSED.header.symbolTableOffset;
export const STRINGS = SYMBOLS + 2 * 56;
export const SECOND = SYMBOLS + 56;
export const RELOCATION = PARSED.sections[2].offset;

/** The sample without its hash, with some fields changed. */
export const broken = (...changes: Change[]): Uint8Array => patched(unhashed(WHOLE), ...changes);

/** A file like the sample with other symbols and relocations. */
export function built(
  symbols: readonly { name?: string; type?: number; value?: number; size?: number; binding?: number }[],
  relocations: readonly { offset: number; type: number; symbol?: number; addend?: bigint }[] = [],
  options: Parameters<typeof hostBuilder>[0] = {},
): Uint8Array {
  const builder = hostBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(16) });
  symbols.forEach((symbol, index) => builder.symbol({ name: `s${index}`, type: SymbolType.Data, ...symbol }));
  for (const relocation of relocations) builder.relocation({ symbol: 0, ...relocation });
  return builder.build();
}

/** A zstd frame of 5000 threes in one block of repeated bytes (RFC 8878, section 3.1.1). */
const FRAME = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x88, 0x12, 0x43, 0x9c, 0, 3);

/** A file with one compressed section of 5000 bytes, with some fields changed. */
export function compressed(...changes: Change[]): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
  builder.section({
    name: "packed",
    type: SectionType.Data,
    bytes: FRAME,
    virtualSize: 5000,
    compressed: true,
  });
  return patched(unhashed(builder.build()), ...changes);
}

export const text = (letters: string): Uint8Array => new TextEncoder().encode(letters);
export const padded = (bytes: Uint8Array, length: number): Uint8Array => {
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
};

/** A file with two exports with the same name. */
export function withDuplicateExports(): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  builder.symbol({ name: "first", type: SymbolType.Data, value: 0, size: 8 });
  builder.symbol({ name: "first", type: SymbolType.Data, value: 0, size: 4, binding: Binding.Local });
  const bytes = builder.build();
  const { symbolTableOffset } = parseSmf(bytes).header;
  return patched(unhashed(bytes), [symbolTableOffset + 56 + 9, 1, Binding.Global]);
}
