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

/** The values of an object's symbols, as words of debug information mean them. */
export class SymbolValues {
  readonly #object: LinkObject;
  readonly #locator: Locator | undefined;
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

  /** Returns a symbol's offset in its section of debug information, or in the image. */
  #find(symbol: number): number {
    const { elf } = this.#object;
    const section = this.#object.sectionOf(symbol);
    if (elf.symbols.place(symbol) === SymbolPlace.SECTION && section === undefined) {
      return elf.symbols.value(symbol);
    }
    const locator = this.#locator;
    if (section?.merge !== undefined || locator === undefined) return NOWHERE;
    locator.symbol(this.#object, symbol, 0);
    return locator.found === Found.DEFINED ? locator.output.address + locator.offset : NOWHERE;
  }
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
      if (relocation !== undefined && (relocation.width === 8 || relocation.isThreadLocal)) places.push(at);
    }
    if (records.length > 0 && last >= bytes.length) throw damaged("a relocation lies outside its section");
    spans.fill(records.length / RECORD, span);
    this.#wide = places;
  }

  wordsThatAre(addresses: ReadonlySet<number>): number[] {
    return this.#wide.filter((at) => addresses.has(this.#valueOf(at))).map((at) => this.#records[at]);
  }

  word(offset: number): number | undefined {
    const records = this.#records;
    let low = this.#spans[offset >>> SPAN];
    let high = this.#spans[(offset >>> SPAN) + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (records[RECORD * middle] < offset) low = middle + 1;
      else high = middle;
    }
    const at = RECORD * low;
    if (records[at] !== offset) return undefined;
    // Types need none of those that newer compilers add.
    if (!this.#known.has(records[at + 2])) return undefined;
    return this.#valueOf(at);
  }

  /** Computes a word: its symbol's value and the addend, of 64 bits. */
  #valueOf(at: number): number {
    const records = this.#records;
    const value = this.#values.get(records[at + 3]);
    return value === NOWHERE ? NOWHERE : value + records[at + 4] + (records[at + 5] | 0) * 0x1_0000_0000;
  }
}
