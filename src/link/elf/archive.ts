/**
 * Reads `ar` archives: System V/GNU names (`//` table, `/123`), BSD names (`#1/12`), and the kinds of
 * symbol index of both. The bytes of a member are read only when it is pulled in.
 */
import { isMachO } from "../macho/file.ts";
import { plainNameStart } from "../macho/names.ts";
import { isObject, readObject } from "../object_file.ts";
import type { PartialBytes } from "../partial_input.ts";
import { isElf } from "./object.ts";
import { SymbolPlace } from "./symbols.ts";
import { malformed, unsupported } from "../problems.ts";
import { isAppleBitcode, isBitcode } from "./bitcode.ts";
import { decodeText, InputBytes, textEnd } from "./bytes.ts";

const MAGIC = "!<arch>\n";
const THIN_MAGIC = "!<thin>\n";
const HEADER_SIZE = 60;

/** Whether the bytes begin as an archive does, thin ones included. */
export function isArchive(bytes: Uint8Array): boolean {
  const magic = bytes.length < 8 ? "" : decodeText(bytes, 0, 8);
  return magic === MAGIC || magic === THIN_MAGIC;
}

/** One file inside an archive. */
export interface ArchiveMember {
  /** Its name in errors and maps, such as `libz.a(crc32.o)`. */
  readonly name: string;
  /** The offset of its header, which symbol indexes refer to. */
  readonly header: number;
  readonly bytes: Uint8Array;
  /** Reads the bytes of an object in ELF, if they are not all in memory. */
  readonly partial?: PartialBytes | undefined;
}

/** Called for each entry of a symbol index: the bytes of the name, and the header of the member that defines it. */
export type IndexVisitor = (bytes: Uint8Array, start: number, end: number, header: number) => void;

/** Reads a decimal field of a member header, padded with spaces; returns -1 if it is not a number. */
function decimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let digits = 0;
  for (let i = start; i < end && bytes[i] !== 0x20; i++, digits++) {
    if (bytes[i] < 0x30 || bytes[i] > 0x39) return -1;
    value = value * 10 + (bytes[i] - 0x30);
  }
  return digits === 0 ? -1 : value;
}

/** A member header. The name is as stored, possibly a reference to the table of long names. */
interface Header {
  readonly offset: number;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** One archive. */
export class Archive {
  readonly name: string;
  readonly #file: InputBytes;
  #longNames: Header | undefined;
  #index: Header | undefined;
  #members: Header[] = [];
  /** The offsets of the headers of objects for macOS, whose names an index has as they are there. */
  readonly #machOs: Set<number> = new Set();

  /**
   * @param partial Reads the bytes, if they are not all in memory.
   * @throws {LoadError} if the archive is thin or its headers are broken.
   */
  constructor(name: string, bytes: Uint8Array, partial?: PartialBytes) {
    this.name = name;
    this.#file = new InputBytes(name, bytes, partial);
    if (decodeText(bytes, 0, Math.min(8, bytes.length)) === THIN_MAGIC) {
      throw unsupported(name, "it is a thin archive, which only names other files", {
        hint: "make the archive without the modifier T: ar rcs LIB.a FILE.o ...",
      });
    }
    let offset = MAGIC.length;
    while (offset < bytes.length) {
      const header = this.#readHeader(offset);
      if (header.name === "//") {
        this.#longNames = header;
        this.#contents(header);
      } else if (isIndexName(header.name)) this.#index ??= header;
      else {
        this.#members.push(header);
        const start = this.#file.peek(header.start, Math.min(header.end, header.start + 4));
        if (isMachO(start) || isBitcode(start) && isAppleBitcode(this.#contents(header))) {
          this.#machOs.add(offset);
        }
      }
      offset = header.end + (header.end & 1);
    }
  }

  #readHeader(offset: number): Header {
    const { bytes, name: path } = this.#file;
    this.#file.table(offset, 1, HEADER_SIZE, "a member's header");
    const header = this.#file.peek(offset, offset + HEADER_SIZE);
    const size = decimal(header, 48, 58);
    if (size < 0 || header[58] !== 0x60 || header[59] !== 0x0a) {
      throw malformed(path, "a member's header is broken", { offset });
    }
    let start = offset + HEADER_SIZE;
    const end = start + size;
    if (end > bytes.length) throw malformed(path, "a member passes the end of the archive", { offset, size });
    let name = decodeText(header, 0, 16).trimEnd();
    if (name.startsWith("#1/")) {
      // BSD: the name stands in front of the contents, and its length counts as part of theirs.
      const length = decimal(header, 3, 16);
      if (length < 0 || length > size) throw malformed(path, "a member's name is broken", { offset });
      const stored = this.#file.peek(start, start + length);
      name = decodeText(stored, 0, textEnd(stored, 0, length));
      start += length;
    }
    return { offset, name, start, end };
  }

  /** Returns the name of a member, from the table of long names or without its final slash. */
  #displayName(header: Header): string {
    const { bytes, name: path } = this.#file;
    const match = /^\/(\d+)$/.exec(header.name);
    if (match === null) return header.name.endsWith("/") ? header.name.slice(0, -1) : header.name;
    const table = this.#longNames;
    const start = table === undefined ? NaN : table.start + Number(match[1]);
    if (table === undefined || !(start < table.end)) {
      throw malformed(path, "a member's name lies outside the table of names", { offset: header.offset });
    }
    // GNU ends a name with "/\n". File systems limit names to far less than 4096 bytes.
    let end = start;
    while (end < Math.min(table.end, start + 4096) && bytes[end] !== 0x0a && bytes[end] !== 0) end++;
    const name = decodeText(bytes, start, end);
    return name.endsWith("/") ? name.slice(0, -1) : name;
  }

  #toMember(header: Header): ArchiveMember {
    const { offset, start, end } = header, { partial } = this.#file;
    const member = { name: `${this.name}(${this.#displayName(header)})`, header: offset };
    if (partial === undefined || !isElf(partial.peek(start, Math.min(end, start + 4)))) {
      return { ...member, bytes: this.#contents(header) };
    }
    const part = partial.part(start, end);
    return { ...member, bytes: part.bytes, partial: part };
  }

  /** Returns the bytes of a member, all of which are in memory then. */
  #contents({ start, end }: Header): Uint8Array {
    this.#file.partial?.load(start, end);
    return this.#file.bytes.subarray(start, end);
  }

  /** Yields the objects in archive order. */
  *objects(): Generator<ArchiveMember> {
    for (const member of this.members()) {
      if (member.partial !== undefined || isObject(member.bytes)) yield member;
    }
  }

  /** Yields all members in archive order. */
  *members(): Generator<ArchiveMember> {
    for (const header of this.#members) yield this.#toMember(header);
  }

  /** Returns the member whose header begins at `offset`, which a symbol index gives. */
  member(offset: number): ArchiveMember {
    let low = 0;
    let high = this.#members.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#members[middle];
      if (found.offset === offset) return this.#toMember(found);
      if (found.offset < offset) low = middle + 1;
      else high = middle - 1;
    }
    throw malformed(this.name, "the symbol index names a member that does not exist", { offset });
  }

  /**
   * Visits the entries of the symbol index in order. For an archive without an
   * index, visits the symbols that its members define.
   */
  visitIndex(visit: IndexVisitor): void {
    const index = this.#index;
    if (index === undefined) return this.#scanMembers(visit);
    this.#contents(index);
    const visitPlain: IndexVisitor = (bytes, start, end, header) =>
      visit(bytes, this.#machOs.has(header) ? plainNameStart(bytes, start, end) : start, end, header);
    if (index.name === "/") this.#visitSystemV(index, 4, visitPlain);
    else if (index.name === "/SYM64/") this.#visitSystemV(index, 8, visitPlain);
    else this.#visitBsd(index, index.name.startsWith("__.SYMDEF_64") ? 8 : 4, visitPlain);
  }

  /** GNU: count, offsets, then NUL-terminated names in the same order; all big-endian. */
  #visitSystemV(index: Header, width: 4 | 8, visit: IndexVisitor): void {
    const { bytes, view } = this.#file;
    const read = (at: number): number =>
      width === 4 ? view.getUint32(at) : view.getUint32(at) * 0x100000000 + view.getUint32(at + 4);
    const size = index.end - index.start;
    const count = size < width ? 0 : read(index.start);
    if (size > 0 && width + count * (width + 1) > size) {
      throw malformed(this.name, "the symbol index is longer than its member", { value: count });
    }
    let name = index.start + width + count * width;
    for (let i = 0; i < count; i++) {
      const end = this.#file.nameEnd(name, index.end);
      if (end === -1) throw malformed(this.name, "the symbol index is cut off");
      visit(bytes, name, end, read(index.start + width + i * width));
      name = end + 1;
    }
  }

  /** BSD: byte size of the table, pairs (name offset, member offset), size of names, names. */
  #visitBsd(index: Header, width: 4 | 8, visit: IndexVisitor): void {
    const { bytes, view } = this.#file;
    const read = (at: number): number =>
      width === 4 ? view.getUint32(at, true) : this.#file.u64(at, "a field of the symbol index");
    const size = index.end - index.start, sizes = 2 * width;
    const pairs = size < sizes ? 0 : read(index.start);
    if (pairs % sizes !== 0 || pairs + sizes > Math.max(size, sizes)) {
      throw malformed(this.name, "the symbol index is longer than its member", { value: pairs });
    }
    const names = index.start + sizes + pairs;
    for (let at = index.start + width; at < index.start + width + pairs; at += sizes) {
      const start = names + read(at);
      const end = this.#file.nameEnd(start, index.end);
      if (end === -1) throw malformed(this.name, "the symbol index is cut off");
      visit(bytes, start, end, read(at + width));
    }
  }

  #scanMembers(visit: IndexVisitor): void {
    for (const member of this.objects()) {
      const { symbols, file } = readObject(member.name, member.bytes, member.partial);
      for (let i = symbols.firstGlobal; i < symbols.length; i++) {
        if (symbols.place(i) === SymbolPlace.UNDEFINED) continue;
        const start = symbols.nameStart(i);
        visit(file.bytes, start, file.bytes.indexOf(0, start), member.header);
      }
    }
  }
}

function isIndexName(name: string): boolean {
  return name === "/" || name === "/SYM64/" || /^__\.SYMDEF(?:_64)?(?: SORTED)?$/.test(name);
}
