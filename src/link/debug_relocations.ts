/**
 * The relocations of debug information, computed where a word is read: offsets become offsets in the sections
 * that they lead to, addresses become offsets in the image.
 */
import { Machine, RecordSize } from "../os/elf.ts";
import { damaged } from "../types/damaged.ts";
import type { Relocations } from "../types/dwarf/sections.ts";
import { type ElfSection, SymbolPlace } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";

/** How a relocation of debug information is applied: its width in bytes. */
export interface DebugRelocation {
  readonly width: 4 | 8;
  /** Whether the value is an offset in the TLS block. */
  readonly isThreadLocal: boolean;
}

const WORD: DebugRelocation = { width: 8, isThreadLocal: false };
const HALF: DebugRelocation = { width: 4, isThreadLocal: false };
const TLS_WORD: DebugRelocation = { width: 8, isThreadLocal: true };
const TLS_HALF: DebugRelocation = { width: 4, isThreadLocal: true };

/** The relocation types of debug information, by machine (psABIs); the type 0 does nothing. */
export const DEBUG_RELOCATIONS: Readonly<Record<number, ReadonlyMap<number, DebugRelocation>>> = {
  [Machine.X86_64]: new Map([[1, WORD], [10, HALF], [11, HALF], [17, TLS_WORD], [21, TLS_HALF]]),
  [Machine.AARCH64]: new Map([[257, WORD], [258, HALF], [1029, TLS_WORD]]),
};

/** An address that no code or variable of the module has: it stands for what is not in it. */
const NOWHERE = 0xffff_ffff;

/** Whether a symbol is in the image, or has an address otherwise: where the layout puts it. Other values are constant. */
export function hasAddress({ elf: { symbols }, sections }: LinkObject, symbol: number): boolean {
  return symbols.place(symbol) !== SymbolPlace.SECTION || sections[symbols.section(symbol)] !== undefined;
}

/** The values of an object's symbols, as words of debug information mean them. */
export class SymbolValues {
  readonly #object: LinkObject;
  readonly #locator: Locator | undefined;
  /**
   * Whether something else was read than which words are the addresses that are looked for, and what no layout
   * changes. The result of such a reading holds for this link alone.
   */
  dependsOnLayout = false;
  /** The values that were needed; NaN for the others. */
  readonly #values: Float64Array;

  constructor(object: LinkObject, locator: Locator | undefined) {
    this.#object = object;
    this.#locator = locator;
    this.#values = new Float64Array(object.elf.symbols.length).fill(NaN);
  }

  get(symbol: number): number {
    if (symbol >= this.#values.length) throw damaged("a relocation's symbol does not exist");
    if (Number.isNaN(this.#values[symbol])) this.#values[symbol] = this.#find(symbol);
    return this.#values[symbol];
  }

  hasAddress(symbol: number): boolean {
    return hasAddress(this.#object, symbol);
  }

  /** Like {@linkcode hasAddress}; a symbol that does not exist is an error only if its value is needed. */
  mayBeAddress(symbol: number): boolean {
    return symbol >= this.#values.length || this.hasAddress(symbol);
  }

  /** Returns a symbol's offset in its section of debug information, or in the image. */
  #find(symbol: number): number {
    if (!this.hasAddress(symbol)) return this.#object.elf.symbols.value(symbol);
    const section = this.#object.sectionOf(symbol);
    const locator = this.#locator;
    if (section?.merge !== undefined || locator === undefined) return NOWHERE;
    locator.symbol(this.#object, symbol, 0);
    return locator.found === Found.DEFINED ? locator.output.address + locator.offset : NOWHERE;
  }
}

/** Computes the value of a word: that of its symbol and the addend, of 64 bits. */
export function wordValue(value: number, low: number, high: number): number {
  return value === NOWHERE ? NOWHERE : value + low + high * 0x1_0000_0000;
}

/** Words of 32 bits in a record: 0 is the place, whose upper half is 0; 2 the type, 3 the symbol, 4 and 5 the addend. */
const RECORD = RecordSize.RELA / 4;
/** A span has 2^SPAN bytes of the section, and a handful of relocations. */
const SPAN = 6;

/** The relocations of one section, which compilers write in the order of their places. */
export class SectionRelocations implements Relocations {
  readonly #records: Uint32Array;
  readonly #known: ReadonlyMap<number, DebugRelocation>;
  readonly #values: SymbolValues;
  /** Where the records of addresses are: those of words of 8 bytes, and of thread-local variables. */
  readonly #wide: readonly number[];
  /** The first record of each span of the section. */
  readonly #spans: Int32Array;

  constructor(object: LinkObject, table: ElfSection, bytes: Uint8Array, values: SymbolValues) {
    const { file, machine } = object.elf;
    const size = table.size - table.size % RecordSize.RELA;
    const stored = file.bytes.subarray(table.offset, table.offset + size);
    // Members of archives need not lie at multiples of 4; all processors that Deno runs on are little-endian.
    const { buffer, byteOffset } = stored.byteOffset % 4 === 0 ? stored : stored.slice();
    const records = new Uint32Array(buffer, byteOffset, size / 4);
    this.#records = records;
    const known = this.#known = DEBUG_RELOCATIONS[machine];
    this.#values = values;
    const spans = this.#spans = new Int32Array((bytes.length >>> SPAN) + 2);
    const places: number[] = [];
    let span = 0, last = 0;
    for (let at = 0; at < records.length; at += RECORD) {
      const place = records[at];
      if (place < last) throw damaged("relocations are not in the order of their places");
      last = place;
      if (place >>> SPAN >= span) {
        if (place >= bytes.length) break;
        for (const index = at / RECORD; span <= place >>> SPAN; span++) spans[span] = index;
      }
      const relocation = known.get(records[at + 2]);
      if (relocation === undefined || relocation.width !== 8 && !relocation.isThreadLocal) continue;
      if (values.mayBeAddress(records[at + 3])) places.push(at);
    }
    if (records.length > 0 && last >= bytes.length) throw damaged("a relocation lies outside its section");
    spans.fill(records.length / RECORD, span);
    this.#wide = places;
  }

  wordsThatAre(addresses: ReadonlySet<number>): number[] {
    return this.#wide.filter((at) => addresses.has(this.#valueOf(at))).map((at) => this.#records[at]);
  }

  word(offset: number): number | undefined {
    const at = this.#find(offset);
    if (at === -1) return undefined;
    const value = this.#valueOf(at);
    if (this.#values.hasAddress(this.#records[at + 3])) this.#values.dependsOnLayout = true;
    return value;
  }

  address(offset: number): number | undefined {
    const at = this.#find(offset);
    const value = at === -1 ? undefined : this.#valueOf(at);
    // A layout may put something that is looked for at a constant address.
    if (at === -1 || !this.#values.hasAddress(this.#records[at + 3])) this.#values.dependsOnLayout = true;
    return value;
  }

  /** Finds the relocation of a word, as an index into the records; -1 if there is none. */
  #find(offset: number): number {
    const records = this.#records;
    let low = this.#spans[offset >>> SPAN];
    let high = this.#spans[(offset >>> SPAN) + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (records[RECORD * middle] < offset) low = middle + 1;
      else high = middle;
    }
    const at = RECORD * low;
    if (records[at] !== offset) return -1;
    // Types need none of those that newer compilers add.
    return this.#known.has(records[at + 2]) ? at : -1;
  }

  #valueOf(at: number): number {
    const records = this.#records;
    return wordValue(this.#values.get(records[at + 3]), records[at + 4], records[at + 5] | 0);
  }
}
