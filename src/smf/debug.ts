/**
 * Debug information in a file: sections of the type Dwarf, in which addresses are offsets in the image, and the
 * list of the words that hold them.
 */

import { LoadError } from "../errors/load_error.ts";
import { SectionType } from "./enums.ts";
import type { SmfSection } from "./section.ts";

/** The sections of DWARF that a module keeps; indexes are left out, since debuggers make their own. */
export const DEBUG_SECTIONS: readonly string[] = [
  "info",
  "types",
  "abbrev",
  "line",
  "str",
  "line_str",
  "str_offsets",
  "addr",
  "aranges",
  "ranges",
  "rnglists",
  "loc",
  "loclists",
  "macinfo",
  "macro",
  "frame",
].map((name) => `.debug_${name}`);

/** The section that lists the words with addresses. */
export const DEBUG_PLACES = ".debug_places";
/** The section that names the companion file. */
export const DEBUG_LINK = ".debug_link";

/**
 * The address of what is not in the module, because it was left out of the link. No address of a module comes
 * near it, neither in its image nor in memory, and a size can be added to it without passing zero, as readers
 * of DWARF do that know no special value.
 */
export const NOWHERE_HIGH = 0xffff_ffff;

/** A section of debug information under its whole name. */
export interface DebugSection {
  readonly name: string;
  readonly section: SmfSection;
}

/** Cuts the name of a section of debug information to what the section table can hold. */
export function shortDebugName(name: string): string {
  return name.slice(0, 16);
}

/** Returns the sections of debug information by their whole names, in the order of the file. */
export function debugSectionsOf(sections: readonly SmfSection[]): DebugSection[] {
  return sections.flatMap((section) => {
    if (section.type !== SectionType.Dwarf) return [];
    const name = DEBUG_SECTIONS.find((whole) => shortDebugName(whole) === section.name);
    return name === undefined ? [] : [{ name, section }];
  });
}

/** The words of one section that hold an offset in the image, in ascending order of their places. */
export interface DebugPlaces {
  readonly name: string;
  readonly offsets: Uint32Array;
}

/** Encodes lists of places: for each its section's name, their number, and the distance of each from the last. */
export function encodePlaces(lists: readonly DebugPlaces[]): Uint8Array {
  const most = lists.reduce((sum, { name, offsets }) => sum + name.length + 6 + 5 * offsets.length, 0);
  const bytes = new Uint8Array(most);
  let at = 0;
  const put = (value: number): void => {
    for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes[at++] = value % 0x80 | 0x80;
    bytes[at++] = value;
  };
  for (const { name, offsets } of lists) {
    for (let i = 0; i < name.length; i++) bytes[at++] = name.charCodeAt(i);
    at++;
    put(offsets.length);
    let last = 0;
    for (const offset of offsets) {
      put(offset - last);
      last = offset;
    }
  }
  return bytes.slice(0, at);
}

/**
 * Decodes lists of places.
 *
 * @param sizeOf Returns the size of a section of debug information; undefined if there is no such section.
 * @throws {LoadError} `InvalidFormat` for anything that {@linkcode encodePlaces} does not write.
 */
export function decodePlaces(bytes: Uint8Array, sizeOf: (name: string) => number | undefined): DebugPlaces[] {
  let at = 0;
  const fail = (problem: string): LoadError =>
    new LoadError("InvalidFormat", `Cannot read debug information: ${problem}`, {
      section: DEBUG_PLACES,
      offset: at,
      hint: "link the module again",
    });
  const next = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 0x80) {
      if (at >= bytes.length) throw fail("the list of its addresses has no end");
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw fail("a number in the list of its addresses is too large");
  };
  const lists: DebugPlaces[] = [];
  while (at < bytes.length) {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw fail("the list of its addresses has no end");
    const name = String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 32)));
    const size = sizeOf(name);
    at = end + 1;
    if (size === undefined) {
      throw fail(`the list of its addresses names a section that the file lacks, '${name}'`);
    }
    const count = next();
    if (count > bytes.length - at) throw fail("the list of its addresses has no end");
    const offsets = new Uint32Array(count);
    let last = 0;
    for (let i = 0; i < count; i++) {
      last += next();
      if (last + 8 > size) throw fail("an address lies outside its section");
      offsets[i] = last;
    }
    lists.push({ name, offsets });
  }
  return lists;
}

/** The facts about its companion file that a module has. */
export interface DebugLink {
  /** The file's name, without a folder. */
  readonly name: string;
  /** The XXH32 of its bytes. */
  readonly hash: number;
}

/** Encodes the name of a companion file. */
export function encodeDebugLink({ name, hash }: DebugLink): Uint8Array {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, hash, true);
  bytes.set(text, 4);
  return bytes;
}

/** Decodes the name of a companion file; undefined for anything that cannot be one. */
export function decodeDebugLink(bytes: Uint8Array): DebugLink | undefined {
  if (bytes.length < 5) return undefined;
  const name = new TextDecoder().decode(bytes.subarray(4));
  // A name with a folder would lead to a file that the module's user did not mean.
  if (/[/\\\0]/.test(name) || name === "." || name === "..") return undefined;
  const hash = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return { name, hash };
}
