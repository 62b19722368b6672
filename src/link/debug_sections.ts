/**
 * The debug information of an object: finds its sections, and decompresses them.
 */
import { SectionFlag, SectionType } from "../os/elf.ts";
import { builtinModule } from "../smf/builtin.ts";
import { damaged } from "../types/damaged.ts";
import type { DwarfSection, DwarfSections } from "../types/dwarf/sections.ts";
import { SectionRelocations, type SymbolValues } from "./debug_relocations.ts";
import type { ElfObject } from "./elf/object.ts";
import type { ElfSection } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";

/** The part of `node:zlib` that debug information needs. */
interface Zlib {
  inflateSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array;
}

/** Real debug information shrinks to a fifth or so; zeros may shrink a thousand times. */
const MOST_EXPANSION = 64;
const FREE_EXPANSION = 1 << 20;

const described = new WeakMap<ElfObject, boolean>();

/** Whether an object has debug information; LTO's intermediate copy, `.gnu.debuglto_`, does not count. */
export function hasDebugInfo({ elf }: LinkObject): boolean {
  let isDescribed = described.get(elf);
  if (isDescribed === undefined) {
    isDescribed = elf.sections.some(({ name }) => name === ".debug_info" || name === ".zdebug_info");
    described.set(elf, isDescribed);
  }
  return isDescribed;
}

/**
 * Returns the sections of an object's debug information.
 *
 * @param values Tells the values of symbols.
 * @throws {LoadError} `InvalidFormat` if they are damaged.
 */
export function debugSections(object: LinkObject, values: SymbolValues): DwarfSections {
  const { sections } = object.elf;
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
  const byName = Map.groupBy(
    sections.filter(({ name }) => name.startsWith(".debug_") || name.startsWith(".zdebug_")),
    ({ name }) => name.slice(name.indexOf("_") + 1),
  );
  const named = (name: string): readonly DwarfSection[] => (byName.get(name) ?? []).map(read);
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

/** Returns the plain bytes of a section of debug information. */
export function contentsOf(object: LinkObject, section: ElfSection): Uint8Array {
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
