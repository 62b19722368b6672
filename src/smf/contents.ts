/**
 * The contents of sections: reads them into memory, decompressed, and refuses code
 * that no processor can run.
 */

import { LoadError, raise, type Report } from "../errors/load_error.ts";
import type { ModuleChecksum } from "./checksum.ts";
import { decompressZstd } from "./compress.ts";
import { SectionType } from "./enums.ts";
import { COMPILE_TO_MACHINE_CODE, LINK_FIRST } from "./hints.ts";
import { ByteReader, type Reading } from "./reader.ts";
import { RelocationTable } from "./reloc.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Reads a section that is part of the image: its bytes, decompressed, which the
 * file's checksum hashes. The zeros behind them are not written, so that their
 * pages cost nothing until the module uses them.
 *
 * @param into Exactly `section.virtualSize` bytes, all zero.
 * @throws {LoadError} `Unsupported` for code that no processor can run.
 */
export function* readSection(
  { checksum }: { readonly checksum: ModuleChecksum | undefined },
  section: SmfSection,
  into: Uint8Array,
): Reading<void> {
  if (into.length !== section.virtualSize) {
    throw new RangeError(
      `Cannot read section '${
        sectionLabel(section)
      }': it needs ${section.virtualSize} bytes, not ${into.length}`,
    );
  }
  yield* readContents(section, into, checksum);
  refuseForeignCode(section, into);
}

/** Reads a section's contents, decompressed, to the start of `into`, which must be zero. */
export function* readContents(
  section: SmfSection,
  into: Uint8Array,
  checksum: ModuleChecksum | undefined,
): Reading<void> {
  const { offset, size } = section;
  if (section.compressed) {
    const stored = size > 0 ? yield { offset, length: size } : NO_BYTES;
    checksum?.section(section, stored);
    decompressZstd(stored, into, sectionLabel(section));
    return;
  }
  if (size > 0) {
    const stored = into.length === size ? into : into.subarray(0, size);
    yield { offset, length: size, into: stored };
    checksum?.section(section, stored);
  }
}

/** Reads the relocations of all Reloc sections; calls `report` with each problem of one. */
export function* readRelocations(
  sections: readonly SmfSection[],
  symbolCount: number,
  checksum: ModuleChecksum | undefined,
  report: Report = raise,
): Reading<RelocationTable> {
  const relocSections = sections.filter((section) => section.type === SectionType.Reloc);
  const bytes = yield* readConcatenated(relocSections, checksum);
  return new RelocationTable(relocSections, bytes, symbolCount, report);
}

/** Reads the contents of all `sections` into one array. */
function* readConcatenated(
  sections: readonly SmfSection[],
  checksum: ModuleChecksum | undefined,
): Reading<Uint8Array> {
  if (sections.length === 0) return NO_BYTES;
  const [{ offset, size, compressed }] = sections;
  if (sections.length === 1 && !compressed) {
    const bytes = size > 0 ? yield { offset, length: size } : NO_BYTES;
    checksum?.section(sections[0], bytes);
    return bytes;
  }
  const bytes = new Uint8Array(sections.reduce((sum, section) => sum + contentLength(section), 0));
  let at = 0;
  for (const section of sections) {
    yield* readContents(section, bytes.subarray(at, at + contentLength(section)), checksum);
    at += contentLength(section);
  }
  return bytes;
}

/** Describes code that is not machine code, by how it begins; undefined for anything else. */
export function foreignCode(bytes: Uint8Array): string | undefined {
  return recognizeForeignCode(bytes)?.description;
}

function recognizeForeignCode(bytes: Uint8Array): { description: string; hint: string } | undefined {
  const reader = new ByteReader(bytes);
  if (reader.startsWith("BCOD")) {
    return { description: "bytecode, not machine code", hint: COMPILE_TO_MACHINE_CODE };
  }
  if (reader.startsWith("\x7fELF")) return { description: "a whole ELF file", hint: LINK_FIRST };
  return undefined;
}

/**
 * Refuses a Code section that holds bytecode or a whole ELF file, which some
 * compilers write with that type.
 *
 * @throws {LoadError} `Unsupported`.
 */
export function refuseForeignCode(section: SmfSection, bytes: Uint8Array): void {
  const foreign = section.type === SectionType.Code ? recognizeForeignCode(bytes) : undefined;
  if (foreign === undefined) return;
  throw new LoadError("Unsupported", `Cannot load the section: it holds ${foreign.description}`, {
    section: sectionLabel(section),
    offset: section.offset,
    hint: foreign.hint,
  });
}
