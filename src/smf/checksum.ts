/**
 * The `module_hash` of this package's files: proof that a file is whole.
 *
 * The high 32 bits are the file's size. The low 32 are the XXH32 of a list of
 * XXH32s, each as four bytes: of the header with `module_hash` zeroed, of the
 * section table, of symbols and names, and of each section's bytes in the file,
 * in table order. Since the parts are hashed apart, they may be read in
 * any order. The format gives the field no meaning, so files say in five bytes
 * that the format leaves unused (`mark` in layout.ts) that it has this one.
 */

import { LoadError } from "../errors.ts";
import { Xxh32, xxh32 } from "./hash.ts";
import type { SmfHeader } from "./header.ts";
import type { Layout } from "./layout.ts";
import { ByteReader } from "./reader.ts";
import { sectionLabel, type SmfSection } from "./section.ts";

/** What files whose `module_hash` is as above have at their layout's `mark`. */
export const CHECKSUM_MARK = "XXH32";

/** Whether a header says that it comes from this package's writer. */
export function isMarked(header: Uint8Array, layout: Layout): boolean {
  return new ByteReader(header).startsWith(CHECKSUM_MARK, layout.header.mark);
}

/** The stored hash's high half: a cheap first look at whether the file is whole. */
export function checkStoredSize(header: SmfHeader, layout: Layout, fileSize: number): void {
  const expected = Number(header.moduleHash >> 32n);
  if (expected === fileSize % 2 ** 32) return;
  throw new LoadError(
    "InvalidFormat",
    "Cannot use the file: it does not have the size that it was written with",
    {
      offset: header.offset + layout.header.fields.module_hash[0],
      value: fileSize,
      range: [expected, expected + 1],
    },
  );
}

const hasher = new Xxh32();

/** The hash of the header with its own field zeroed. */
export function hashHeader(header: Uint8Array, layout: Layout): number {
  const [at, size] = layout.header.fields.module_hash;
  hasher.restart().update(header.subarray(0, at));
  for (let zeroed = 0; zeroed < size; zeroed += 4) hasher.updateWord(0);
  return hasher.update(header.subarray(at + size)).digest();
}

/** The whole `module_hash`, from the hashes of the parts. */
export function combineHashes(parts: readonly number[], fileSize: number): bigint {
  hasher.restart();
  for (const part of parts) hasher.updateWord(part);
  return BigInt(fileSize % 2 ** 32) << 32n | BigInt(hasher.digest());
}

/** The hash of no bytes. */
const EMPTY = xxh32(new Uint8Array(0));

/** Compares a file with its `module_hash` while its sections are read. */
export class ModuleChecksum {
  #expected: bigint;
  #fileSize: number;
  #offset: number;
  #tables: readonly number[];
  #sections: readonly SmfSection[];
  /** Of the sections that were seen whole. */
  #digests: (number | undefined)[];
  /** Of those of which pieces were seen. */
  #pieces: (Xxh32 | undefined)[];

  /**
   * Starts with the tables known and no section seen.
   *
   * @param header The header, with the hash that is expected.
   * @param layout Its layout.
   * @param tables The hashes of header, section table, and symbols with names.
   * @param sections The sections whose bytes are still to come.
   */
  constructor(
    header: SmfHeader,
    layout: Layout,
    tables: readonly number[],
    sections: readonly SmfSection[],
    fileSize: number,
  ) {
    this.#expected = header.moduleHash;
    this.#fileSize = fileSize;
    this.#offset = header.offset + layout.header.fields.module_hash[0];
    this.#tables = tables;
    this.#sections = sections;
    // What has no bytes is seen.
    this.#digests = sections.map(({ size }) => size === 0 ? EMPTY : undefined);
    this.#pieces = sections.map(() => undefined);
  }

  /** How many bytes of a section have been seen. */
  seen(section: SmfSection): number {
    const { index, size } = section;
    return this.#digests[index] !== undefined ? size : this.#pieces[index]?.length ?? 0;
  }

  /**
   * Takes a section's bytes as they are in the file, at once or in pieces. A
   * section that was seen whole is not looked at again.
   */
  section(section: SmfSection, storedBytes: Uint8Array): void {
    const { index, size } = section;
    const left = size - this.seen(section);
    if (left === 0) return;
    if (storedBytes.length > left) {
      throw new RangeError(
        `Cannot take ${storedBytes.length} bytes of section '${sectionLabel(section)}': ${left} are left`,
      );
    }
    if (storedBytes.length === size) {
      this.#digests[index] = xxh32(storedBytes);
      return;
    }
    const pieces = this.#pieces[index] ??= new Xxh32();
    pieces.update(storedBytes);
    if (storedBytes.length === left) this.#digests[index] = pieces.digest();
  }

  /**
   * Compares. Every section must have been seen.
   *
   * @throws {LoadError} `InvalidFormat` if the file is not the one that was written.
   */
  finish(): void {
    const parts = [...this.#tables];
    for (const section of this.#sections) {
      const digest = this.#digests[section.index];
      if (digest === undefined) {
        throw new TypeError(`Cannot check the file: section '${sectionLabel(section)}' was not read`);
      }
      parts.push(digest);
    }
    const found = combineHashes(parts, this.#fileSize);
    if (found === this.#expected) return;
    throw new LoadError(
      "InvalidFormat",
      "Cannot use the file: its bytes do not have the hash that it was written with",
      {
        offset: this.#offset,
        value: found,
        range: [this.#expected, this.#expected + 1n],
      },
    );
  }
}
