/**
 * The `module_hash` of this package's files, which proves that a file is whole.
 *
 * The high 32 bits are the file's size. The low 32 are the XXH32 of a list of
 * XXH32s, each as four bytes: of the header with `module_hash` zeroed, of the
 * section table, of symbols and names, and of each section's bytes in the file,
 * in table order. Debug information counts as empty: loading never reads it. The
 * parts are hashed separately, so that they can be read in any order. The format
 * gives the field no meaning; five bytes that the format leaves unused (`mark` in
 * layout.ts) say that it has this one.
 */

import { LoadError } from "../errors/load_error.ts";
import { SectionType } from "./enums.ts";
import { Xxh32, xxh32 } from "./hash.ts";
import type { SmfHeader } from "./header.ts";
import { COPY_AGAIN } from "./hints.ts";
import { type Layout, WRITER_MARK } from "./layout.ts";
import { ByteReader, type Reading } from "./reader.ts";
import { sectionLabel, type SmfSection } from "./section.ts";

/** Whether a header has the mark of this package's writer. */
export function isMarked(header: Uint8Array, layout: Layout): boolean {
  return new ByteReader(header).startsWith(WRITER_MARK, layout.header.mark);
}

/**
 * Compares the file's size with the high half of the stored hash: a cheap first check that the file is whole.
 *
 * @throws {LoadError} `InvalidFormat` if they differ.
 */
export function checkStoredSize(header: SmfHeader, layout: Layout, fileSize: number): void {
  const expected = Number(header.moduleHash >> 32n);
  if (expected === fileSize % 2 ** 32) return;
  throw new LoadError(
    "InvalidFormat",
    "Cannot use the file: its size does not match the size it was written with",
    {
      offset: header.offset + layout.header.fields.module_hash[0],
      value: fileSize,
      range: [expected, expected + 1],
      hint: COPY_AGAIN,
    },
  );
}

const hasher = new Xxh32();

/** Hashes a header with its `module_hash` zeroed. */
export function hashHeader(header: Uint8Array, layout: Layout): number {
  const [at, size] = layout.header.fields.module_hash;
  hasher.restart().update(header.subarray(0, at));
  for (let zeroed = 0; zeroed < size; zeroed += 4) hasher.updateWord(0);
  return hasher.update(header.subarray(at + size)).digest();
}

/** Makes a `module_hash` from the file's size and the hashes of its parts. */
export function combineHashes(parts: readonly number[], fileSize: number): bigint {
  hasher.restart();
  for (const part of parts) hasher.updateWord(part);
  return BigInt(fileSize % 2 ** 32) << 32n | BigInt(hasher.digest());
}

/** The hash of zero bytes. */
const EMPTY_HASH = xxh32(new Uint8Array(0));

/** Whether the hash of the file covers a section's bytes. */
function isHashed({ type, size }: SmfSection): boolean {
  return size > 0 && type !== SectionType.Dwarf;
}

/** Returns the hash of a section's bytes in the file, as `module_hash` counts it. */
export function hashContents(type: number, stored: Uint8Array): number {
  return type === SectionType.Dwarf ? EMPTY_HASH : xxh32(stored);
}

/** The hashes of a file's parts. */
interface Parts {
  readonly sections: readonly SmfSection[];
  /** The hash of each section that was read completely. */
  readonly digests: (number | undefined)[];
  /** The running hash of each section that was read in part. */
  readonly partial: (Xxh32 | undefined)[];
}

/** Compares a file with its `module_hash` while its sections are read. */
export class ModuleChecksum {
  #expected: bigint;
  #fileSize: number;
  /** The file offset of `module_hash`, for errors. */
  #fieldOffset: number;
  /** The hashes of header, section table, and symbols with names. */
  readonly tableHashes: readonly number[];
  /** Whether these very bytes were compared with the hash before, so that nothing is hashed. */
  readonly isKnown: boolean;
  /** Undefined once all have been compared, now or before. */
  #parts: Parts | undefined;

  /**
   * Starts with the hashes of the tables, before any section is read.
   *
   * @param header The header, which has the expected hash.
   * @param layout Its layout.
   * @param tableHashes The hashes of header, section table, and symbols with names.
   * @param sections The sections whose bytes will be read.
   * @param isKnown Whether the file is known to be the one that was written.
   */
  constructor(
    header: SmfHeader,
    layout: Layout,
    tableHashes: readonly number[],
    sections: readonly SmfSection[],
    fileSize: number,
    isKnown = false,
  ) {
    this.#expected = header.moduleHash;
    this.#fileSize = fileSize;
    this.#fieldOffset = header.offset + layout.header.fields.module_hash[0];
    this.tableHashes = tableHashes;
    this.isKnown = isKnown;
    if (isKnown) return;
    this.#parts = {
      sections,
      digests: sections.map((section) => isHashed(section) ? undefined : EMPTY_HASH),
      partial: sections.map(() => undefined),
    };
  }

  /** The number of a section's bytes that have been hashed. */
  seen(section: SmfSection): number {
    const { index, size } = section, parts = this.#parts;
    return parts === undefined || parts.digests[index] !== undefined
      ? size
      : parts.partial[index]?.length ?? 0;
  }

  /**
   * Hashes a section's bytes as they are in the file, at once or in consecutive
   * pieces. Bytes of a section that is complete are ignored.
   *
   * @throws {RangeError} if there are more bytes than the section has left.
   */
  section(section: SmfSection, storedBytes: Uint8Array): void {
    const { index, size } = section, parts = this.#parts;
    const left = size - this.seen(section);
    if (left === 0 || parts === undefined) return;
    if (storedBytes.length > left) {
      throw new RangeError(
        `Cannot take ${storedBytes.length} bytes of section '${sectionLabel(section)}': ${left} are left`,
      );
    }
    if (storedBytes.length === size) {
      parts.digests[index] = xxh32(storedBytes);
      return;
    }
    const hash = parts.partial[index] ??= new Xxh32();
    hash.update(storedBytes);
    if (storedBytes.length === left) parts.digests[index] = hash.digest();
  }

  /**
   * Compares the hash of all parts with the stored one. Every section must have been read.
   *
   * @throws {LoadError} `InvalidFormat` if the file is not the one that was written.
   */
  finish(): void {
    if (this.#parts === undefined) return;
    const { sections, digests } = this.#parts;
    const hashes = [...this.tableHashes];
    for (const section of sections) {
      const digest = digests[section.index];
      if (digest === undefined) {
        throw new TypeError(`Cannot check the file: section '${sectionLabel(section)}' was not read`);
      }
      hashes.push(digest);
    }
    const found = combineHashes(hashes, this.#fileSize);
    if (found === this.#expected) {
      // Loaded modules keep their checksums.
      this.#parts = undefined;
      return;
    }
    throw new LoadError(
      "InvalidFormat",
      "Cannot use the file: its bytes do not match the hash it was written with",
      {
        offset: this.#fieldOffset,
        value: found,
        range: [this.#expected, this.#expected + 1n],
        hint: COPY_AGAIN,
      },
    );
  }
}

/** How many bytes are read at once from sections that are only hashed. */
const CHUNK = 65_536;

/**
 * Reads the sections that nothing has read yet, in small pieces, and compares
 * the whole file with its `module_hash`. Does nothing for files without one.
 */
export function* verifyModuleHash(
  { checksum, sections }: {
    readonly checksum: ModuleChecksum | undefined;
    readonly sections: readonly SmfSection[];
  },
): Reading<void> {
  if (checksum === undefined) return;
  let chunk = new Uint8Array(0);
  for (const section of sections) {
    for (let at = checksum.seen(section); at < section.size;) {
      const length = Math.min(CHUNK, section.size - at);
      if (chunk.length < length) chunk = new Uint8Array(length);
      const into = chunk.subarray(0, length);
      yield { offset: section.offset + at, length, into };
      checksum.section(section, into);
      at += length;
    }
  }
  checksum.finish();
}
