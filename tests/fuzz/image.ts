/**
 * The oracle's own model of an image: the places of sections by the description
 * of the format, and the bytes that are known to be there.
 */
import { type Module, must, number, type Section, type Symbol } from "./format.ts";

/** Sections of one type, which lie together. */
export interface Group {
  /** 1 code, 2 data, 3 read-only data, 4 zeroed data. */
  readonly type: number;
  readonly start: number;
  readonly end: number;
  readonly alignment: number;
}

/** The places of groups and sections in the file's own image. */
export interface OwnImage {
  readonly groups: readonly Group[];
  /** The offset of each section of the image, by index. */
  readonly offsets: ReadonlyMap<number, number>;
}

const up = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** Code packed from 0; then RoData, Data, Bss, each from a multiple of 4096 and aligned. */
export function ownImage(sections: readonly Section[]): OwnImage {
  const groups: Group[] = [];
  const offsets = new Map<number, number>();
  let cursor = 0;
  for (const type of [1, 3, 2, 4]) {
    const members = sections.filter((section) => section.type === type);
    if (members.length === 0) continue;
    const start = up(cursor, 4096);
    cursor = start;
    for (const { index, alignment, virtualSize } of members) {
      if (type !== 1) cursor = up(cursor, alignment);
      offsets.set(index, cursor);
      cursor += virtualSize;
    }
    const alignment = Math.max(...members.map((section) => section.alignment));
    groups.push({ type, start, end: cursor, alignment });
  }
  must(cursor <= 2 ** 30, "an image of more than 1 GiB");
  return { groups, offsets };
}

/** The group that `length` bytes at `offset` lie in. */
export function groupOf(image: OwnImage, offset: number, length: number): Group | undefined {
  return image.groups.find(({ start, end }) => offset >= start && offset < end && offset + length <= end);
}

/** Whether a symbol's place is allowed: in one group, or without size at the end of one. */
export function hasPlace(image: OwnImage, { value, size }: Pick<Symbol, "value" | "size">): boolean {
  if (groupOf(image, value, size) !== undefined) return true;
  const inside = image.groups.some(({ start, end }) => value >= start && value < end);
  return size === 0 && !inside && (value === 0 || image.groups.some(({ end }) => end === value));
}

/** Refuses symbols and entry points outside their groups. */
export function checkPlaces(module: Module, image: OwnImage): void {
  const inCode = (value: number) => groupOf(image, value, 1)?.type === 1;
  for (const symbol of module.symbols) {
    // Types, traits and actors have no address.
    if (!symbol.defined || (symbol.type >= 3 && symbol.type <= 5)) continue;
    must(hasPlace(image, symbol), "a symbol outside the image");
    must(symbol.type !== 1 || inCode(symbol.value), "a function outside code");
  }
  must((module.flags & 1) === 0 || inCode(module.entryPoint), "an entry point outside code");
}

/** Refuses a list of homes that are not places of variables in ascending order. */
export function checkHomes({ sections, symbols, contents }: Module, { offsets }: OwnImage): void {
  const lists = sections.filter(({ type }) => type === 81);
  must(lists.length <= 1, "two lists of homes");
  for (const list of lists) {
    const bytes = contents(list);
    must(bytes.length % 12 === 0, "a part of a home");
    let from = 0;
    for (let at = 0; at < bytes.length; at += 12) {
      const [index, size, alignment] = [0, 4, 8].map((field) => number(bytes, at + field, 4));
      must(index < symbols.length, "a home without a symbol");
      const { type, binding, value } = symbols[index];
      must(binding === 0 && (type === 0 || type === 2), "a home whose symbol is not local data");
      must(
        size > 0 && Number.isInteger(Math.log2(alignment)) && alignment <= 2 ** 24,
        "a home of a bad shape",
      );
      must(value % alignment === 0 && value >= from, "a home at a bad place");
      const holds = sections.some((section) => {
        const start = offsets.get(section.index);
        const isPossible = section.type === 2 || section.type === 4 ||
          section.type === 3 && section.name !== ".tdata";
        return isPossible && start !== undefined && value >= start &&
          value + size <= start + section.virtualSize;
      });
      must(holds, "a home outside variables and constants");
      from = value + size;
    }
  }
}

/**
 * Refuses a list of entries that are not local functions in ascending order, each of another file and name, and call
 * slots that are not words in constants.
 */
export function checkEntries({ sections, symbols, contents }: Module, { offsets }: OwnImage): void {
  const lists = sections.filter(({ type }) => type === 82);
  must(lists.length <= 1, "two lists of entries");
  for (const list of lists) {
    const bytes = contents(list);
    must(bytes.length >= 17 && bytes.length <= 17 + symbols.length * 4104, "entries of a bad size");
    const count = number(bytes, 0, 4), texts = 16 + 8 * count;
    must(texts < bytes.length, "a part of the entries");
    must(bytes[texts] === 0 && bytes.at(-1) === 0, "texts without ends");
    const slots = number(bytes, 4, 4), first = number(bytes, 8, 8);
    must(first % 8 === 0 && (slots > 0 || first === 0), "call slots at a bad place");
    const holds = slots === 0 || sections.some((section) => {
      const start = offsets.get(section.index);
      return section.type === 3 && section.name !== ".tdata" && start !== undefined && first >= start &&
        first + 8 * slots <= start + section.virtualSize;
    });
    must(holds, "call slots outside constants");
    const seen = new Set<string>();
    let least = 0;
    for (let at = 16; at < texts; at += 8) {
      const index = number(bytes, at, 4), text = texts + number(bytes, at + 4, 4);
      must(index >= least && index < symbols.length, "an entry without a symbol");
      least = index + 1;
      const { type, binding, defined, name } = symbols[index];
      must(binding === 0 && type === 1 && defined, "an entry that is not a local function");
      must(
        text < bytes.length && (text === texts || bytes[text - 1] === 0),
        "a file that is not among the texts",
      );
      const file = new TextDecoder().decode(bytes.subarray(text, bytes.indexOf(0, text)));
      must(!seen.has(`${file}\0${name}`), "an entry twice");
      seen.add(`${file}\0${name}`);
    }
  }
}

const PAGE = 4096;

/** Bytes at large offsets; pages of zeros are not stored. */
export class SparseBytes {
  readonly #pages = new Map<number, Uint8Array>();

  /** The stored pages; all others are zero. */
  pages(): Iterable<[start: number, bytes: Uint8Array]> {
    return [...this.#pages].map(([page, bytes]) => [page * PAGE, bytes]);
  }

  write(at: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length;) {
      const page = Math.floor((at + i) / PAGE), from = (at + i) % PAGE;
      const length = Math.min(PAGE - from, bytes.length - i);
      let held = this.#pages.get(page);
      if (held === undefined) this.#pages.set(page, held = new Uint8Array(PAGE));
      held.set(bytes.subarray(i, i + length), from);
      i += length;
    }
  }

  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length;) {
      const from = (at + i) % PAGE, count = Math.min(PAGE - from, length - i);
      const page = this.#pages.get(Math.floor((at + i) / PAGE));
      if (page !== undefined) bytes.set(page.subarray(from, from + count), i);
      i += count;
    }
    return bytes;
  }
}
