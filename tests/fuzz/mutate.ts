/**
 * Mutations of bytes anywhere, and of the values of fields. The maps of fields
 * follow the tables that a file announces, even in a damaged file.
 */
import { DIALECTS } from "./dialects.ts";
import { fnv1a, headerStart, number, readModule, Refusal } from "./format.ts";

/** Random choices that are the same for the same seed. */
export class Random {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** In [0, limit). */
  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

/** The place of a number in a file. */
export interface FieldAt {
  readonly at: number;
  readonly size: number;
}

/** Consecutive records of one size. */
export interface TableAt {
  readonly at: number;
  readonly size: number;
  readonly count: number;
}

/** The fields and tables of a file. */
export interface Anatomy {
  readonly fields: readonly FieldAt[];
  readonly tables: readonly TableAt[];
  /** Repairs checksums of a mutant, so that it gets past their checks. */
  repair(bytes: Uint8Array, random: Random): void;
}

/** The most records of a table that are mutated: mutants of large files would otherwise take long to make. */
const MAX_RECORDS = 512;

/** Fields of a record: where each begins, and its size. */
export type Places = readonly (readonly [offset: number, size: number])[];

/** The parts of a table whose records have fields at these places. */
function tableOf(
  bytes: Uint8Array,
  at: number,
  size: number,
  count: number,
  places: Places,
): { table: TableAt; fields: FieldAt[] } {
  const whole = Math.max(0, Math.min(count, MAX_RECORDS, Math.floor((bytes.length - at) / size)));
  const fields: FieldAt[] = [];
  for (let i = 0; i < whole; i++) {
    for (const [offset, width] of places) fields.push({ at: at + i * size + offset, size: width });
  }
  return { table: { at, size, count: whole }, fields };
}

/** The fields and tables of a file that are found one after the other. */
export class FoundParts {
  readonly fields: FieldAt[] = [];
  readonly tables: TableAt[] = [];
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Adds fields at these places, which count from `start`. */
  add(start: number, places: Places): void {
    for (const [offset, size] of places) this.fields.push({ at: start + offset, size });
  }

  /** Adds a table whose records have fields at these places. */
  addTable(at: number, size: number, count: number, places: Places): void {
    const { table, fields } = tableOf(this.#bytes, at, size, count, places);
    this.fields.push(...fields);
    if (table.count > 0) this.tables.push(table);
  }

  /** Returns them as an anatomy without checksums. */
  anatomy(): Anatomy {
    return { fields: this.fields, tables: this.tables, repair: () => {} };
  }
}

const SECTION_56 = [[0, 1], [4, 4], [8, 8], [16, 8], [24, 8], [32, 8]] as const;
const SECTION_64 = [[0, 1], [4, 4], [8, 8], [16, 8], [24, 8], [32, 4]] as const;
const SYMBOL = [[0, 4], [4, 4], [8, 1], [9, 1], [10, 1], [16, 8], [24, 8]] as const;
const RELOCATION = [[0, 8], [8, 4], [12, 1], [16, 8]] as const;

/** Whether a file is sound by this layout; the second test only asks whether it may be meant to have it. */
const isSound = (bytes: Uint8Array, dialect: string) => readModule(bytes, dialect) !== undefined;
const isLikely = (bytes: Uint8Array, dialect: string) => {
  const { size, sectionTable: [at, width] } = DIALECTS[dialect].header;
  const start = headerStart(bytes, dialect);
  return start > 0 || number(bytes, at, width) === size;
};

/** The anatomy of a module; `undefined` if no header is found. */
export function moduleAnatomy(bytes: Uint8Array): Anatomy | undefined {
  const dialects = [isSound, isLikely].flatMap((test) =>
    Object.entries(DIALECTS).filter(([dialect]) => {
      try {
        return test(bytes, dialect);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return false;
      }
    })
  );
  for (const [dialect, { header, section, symbol }] of dialects) {
    try {
      const start = headerStart(bytes, dialect);
      const base = header.dataOffset !== undefined && start > 0
        ? number(bytes, start + header.dataOffset[0], 4)
        : 0;
      const get = ([offset, size]: readonly [number, number]) => number(bytes, start + offset, size);
      const sectionTable = base + get(header.sectionTable), symbolTable = base + get(header.symbolTable);
      if (sectionTable + section > bytes.length || get(header.sectionCount) > bytes.length / section) {
        continue;
      }
      const sections = tableOf(
        bytes,
        sectionTable,
        section,
        get(header.sectionCount),
        section === 56 ? SECTION_56 : SECTION_64,
      );
      const symbols = tableOf(bytes, symbolTable, symbol, get(header.symbolCount), SYMBOL);
      const relocations = [...Array(sections.table.count).keys()].flatMap((i) => {
        const record = sectionTable + i * section;
        if (bytes[record] !== 5 || (bytes[record + 4] & 8) !== 0) return [];
        const at = base + number(bytes, record + 8, 8), size = number(bytes, record + 16, 8);
        return at < bytes.length ? [tableOf(bytes, at, 24, Math.floor(size / 24), RELOCATION)] : [];
      });
      const own = Object.values(header).filter((place) => typeof place === "object") as [number, number][];
      const headerFields = [[4, 1], [5, 1], [6, 1], [7, 1], [8, 4], ...own].map(([at, size]) => ({
        at: start + at,
        size,
      }));
      const parts = [sections, symbols, ...relocations];
      const names = symbolTable + symbols.table.count * symbol;
      return {
        // Twice, so that they are picked more often: they are few.
        fields: [...headerFields, ...headerFields, ...parts.flatMap(({ fields }) => fields)],
        tables: parts.map(({ table }) => table).filter(({ count }) => count > 0),
        repair(mutant, random) {
          // A wrong checksum would hide all other damage.
          if (!random.once(12)) write(mutant, { at: start + header.moduleHash[0], size: 8 }, 0n);
          if (!random.once(6)) rehash(mutant, symbols.table, names);
        },
      };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
  return undefined;
}

/** Stores the hashes of symbols' names. */
function rehash(bytes: Uint8Array, { at, size, count }: TableAt, names: number): void {
  for (let i = 0; i < count; i++) {
    const record = at + i * size;
    if (record + size > bytes.length) return;
    const start = names + new DataView(bytes.buffer, bytes.byteOffset).getUint32(record, true);
    const end = bytes.indexOf(0, start);
    if (end >= 0 && end - start < 200) {
      write(bytes, { at: record + 4, size: 4 }, BigInt(fnv1a(bytes.subarray(start, end))));
    }
  }
}

/** Values at which arithmetic tends to break. */
const EDGES = [
  0n,
  1n,
  2n,
  3n,
  4n,
  5n,
  7n,
  8n,
  15n,
  16n,
  24n,
  40n,
  56n,
  64n,
  72n,
  96n,
  128n,
  255n,
  4088n,
  4096n,
]
  .concat([8, 16, 24, 30, 31, 32, 33, 40, 52, 53, 62, 63, 64].flatMap((bits) => {
    const power = 1n << BigInt(bits);
    return [power - 1n, power, power + 1n, power - 8n];
  }));

/** Writes a little-endian number, truncated to its size; skips places outside the bytes. */
export function write(bytes: Uint8Array, { at, size }: FieldAt, value: bigint): void {
  for (let i = 0; i < size; i++) {
    if (at + i >= 0 && at + i < bytes.length) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

function read(bytes: Uint8Array, { at, size }: FieldAt): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[at + i] ?? 0);
  return value;
}

/** A mutant of a file. `others` are files of its kind that it may take parts from. */
export function mutate(
  original: Uint8Array,
  anatomy: Anatomy | undefined,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let bytes: Uint8Array = original.slice();
  const changes = 1 + random.below(random.once(4) ? 8 : 2);
  let moved = false;
  for (let i = 0; i < changes; i++) {
    if (anatomy !== undefined && anatomy.fields.length > 0 && !random.once(4)) {
      mutateFields(bytes, anatomy, random);
    } else {
      const before = bytes.length;
      bytes = mutateBytes(bytes, others, random);
      moved ||= bytes.length !== before;
    }
  }
  if (!moved) anatomy?.repair(bytes, random);
  return bytes;
}

function mutateFields(bytes: Uint8Array, { fields, tables }: Anatomy, random: Random): void {
  const field = random.pick(fields);
  switch (random.below(7)) {
    case 0:
      write(bytes, field, random.pick(EDGES));
      break;
    case 1:
      // Everything counts from somewhere: places in the file, its size, what other fields say.
      write(bytes, field, BigInt(random.pick([random.below(bytes.length + 2), bytes.length])));
      break;
    case 2:
      write(bytes, field, read(bytes, random.pick(fields)));
      break;
    case 3:
      write(bytes, field, read(bytes, field) + BigInt(random.pick([-8, -4, -1, 1, 4, 8])));
      break;
    case 4:
      write(bytes, field, BigInt(random.below(random.pick([4, 8, 40, 256, 65_536]))));
      break;
    default: {
      if (tables.length === 0) return;
      const { at, size, count } = random.pick(tables);
      const [a, b] = [at + random.below(count) * size, at + random.below(count) * size];
      const kept = bytes.slice(a, a + size);
      bytes.copyWithin(a, b, b + size);
      // Half of the time the records are swapped; else one of them is there twice.
      if (random.once(2)) kept.forEach((byte, i) => write(bytes, { at: b + i, size: 1 }, BigInt(byte)));
    }
  }
}

function mutateBytes(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  if (bytes.length === 0) return random.pick(others).slice();
  const at = random.below(bytes.length);
  const length = 1 + random.below(random.pick([2, 8, 64, 512]));
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 3:
      write(bytes, { at, size: random.pick([1, 2, 4, 8]) }, random.pick(EDGES));
      return bytes;
    case 4:
      bytes.copyWithin(random.below(bytes.length), at, at + length);
      return bytes;
    case 5:
      bytes.fill(random.pick([0, 0xff, random.below(256)]), at, at + length);
      return bytes;
    case 6:
      return random.once(3) ? bytes.slice(0, at) : bytes;
    case 7:
      return random.once(3) ? joined(bytes.subarray(0, at), bytes.subarray(at + length)) : bytes;
    default: {
      if (!random.once(3)) return bytes;
      const other = random.pick(others);
      const from = random.below(other.length + 1);
      return joined(bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at));
    }
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
