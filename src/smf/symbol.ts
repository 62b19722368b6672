/**
 * The symbol table and its names: views of the file's bytes, with accessors that
 * do not allocate, so that a million symbols cost two buffers.
 */

import { LoadError, raise, type Report } from "../errors/load_error.ts";
import { Binding } from "./enums.ts";
import { type Layout, SYMBOL_FIELDS } from "./layout.ts";
import { duplicateExports, type Named, SymbolHashIndex } from "./symbol_hash_index.ts";
import { SymbolSortedIndex } from "./symbol_sorted_index.ts";
import { decodeUtf8, littleEndianWords } from "./reader.ts";
import { SymbolKey } from "./symbol_key.ts";
import { checkSymbols, type SymbolCounts } from "./symbol_check.ts";

/** A symbol, as an object. */
export interface SmfSymbol {
  /** Its index in the table. */
  readonly index: number;
  /** Its name. */
  readonly name: string;
  /** The FNV-1a of the name. */
  readonly nameHash: number;
  /** A {@linkcode SymbolType}. */
  readonly type: number;
  /** A {@linkcode Binding}. */
  readonly binding: number;
  /** 0, or 1 for symbols that this package's writer defines. */
  readonly visibility: number;
  /** Layout phase, template and pinning bits; loading ignores them. */
  readonly flags: number;
  /** An offset in the file's own image. */
  readonly value: number;
  /** Size in bytes, 0 if unknown. */
  readonly size: number;
  /** The writer's own number for the symbol's type. */
  readonly typeId: number;
  /** The writer's own version of the symbol. */
  readonly version: number;
  /** The number of template parameters. */
  readonly templateParamCount: number;
  /** The offset of its template in the TemplateCode section. */
  readonly templateOffset: number;
}

/** The bytes of a symbol table, and what is needed to read them. */
export interface SymbolTableSource {
  /** The symbols and, right behind them, their names. */
  readonly bytes: Uint8Array;
  /** The number of symbols. */
  readonly count: number;
  /** The layout of the file. */
  readonly layout: Layout;
  /** The file offset of `bytes`, for errors. */
  readonly fileOffset: number;
  /** The number of exports, according to the header. */
  readonly exportedCount: number;
  /** Whether the file is by this package's writer, which sets the visibility of all symbols that it defines. */
  readonly marked: boolean;
}

/** The offsets of a record's fields in 32-bit words; fields of eight bytes have two, low half first. */
export const SYMBOL_WORDS = {
  nameOffset: SYMBOL_FIELDS.name_offset[0] / 4,
  nameHash: SYMBOL_FIELDS.name_hash[0] / 4,
  /** The stored type, binding, visibility and flags: a byte each, the type lowest. */
  kind: SYMBOL_FIELDS.sym_type[0] / 4,
  value: SYMBOL_FIELDS.value[0] / 4,
  size: SYMBOL_FIELDS.size[0] / 4,
  typeId: SYMBOL_FIELDS.type_id[0] / 4,
  version: SYMBOL_FIELDS.version[0] / 4,
  /** Present only if a record has 14 words. */
  templateParams: SYMBOL_FIELDS.template_param_count[0] / 4,
  templateOffset: SYMBOL_FIELDS.template_offset[0] / 4,
} as const;
const { nameOffset: NAME_OFFSET, nameHash: NAME_HASH, kind: KIND, value: VALUE, size: SIZE } = SYMBOL_WORDS;
const { typeId: TYPE_ID, version: VERSION, templateParams: TEMPLATE_PARAMS } = SYMBOL_WORDS;
const { templateOffset: TEMPLATE_OFFSET } = SYMBOL_WORDS;
/** Words of a record with template fields. */
const WIDE = 14;

/** The key of the current search; searches do not nest. */
const key = new SymbolKey();

/** Set by {@linkcode SymbolTable}, which alone can read its private field. */
let readCounts: (table: SymbolTable) => SymbolCounts;

/** The counts of the check of all records of a table. */
export function countsOf(table: SymbolTable): SymbolCounts {
  return readCounts(table);
}

/** The symbols of a file, in table order. */
export class SymbolTable implements Iterable<SmfSymbol>, Named {
  /** The number of symbols. */
  readonly length: number;
  /** The argument of the constructor, from which another isolate can make an equal table. */
  readonly source: SymbolTableSource;
  /** The records as words, for loops over many; {@linkcode SYMBOL_WORDS} has the offsets. */
  readonly words: Uint32Array;
  /** The distance from one record to the next, in words. */
  readonly step: number;
  /** The bytes of the names, for loops over many. */
  readonly strings: Uint8Array;
  /** The number to add to a stored type to get a {@linkcode SymbolType}. */
  readonly typeBase: number;
  /** The exports, if they come first in the table and are sorted. */
  readonly #exports: SymbolSortedIndex | undefined;
  /** All other symbols; made by the first search for one of them. */
  #others: SymbolHashIndex | undefined;
  /** Whether no symbol is an import: the header says so, or all symbols have a value, size or visibility. */
  readonly isAllDefined: boolean;
  readonly #counts: SymbolCounts;

  static {
    readCounts = (table) => table.#counts;
  }

  /**
   * Checks every record, unless `counts` says that these very bytes were checked.
   *
   * @param report Called with each pair of exports with the same name, which do not make the rest unusable.
   * @throws {LoadError} `InvalidFormat` for the first invalid record, and for two exports with the same name.
   */
  constructor(source: SymbolTableSource, report: Report = raise, counts?: SymbolCounts) {
    const { bytes, count, layout, fileOffset } = source;
    this.length = count;
    this.source = source;
    this.step = layout.symbolSize / 4;
    this.typeBase = layout.symbolTypeBase;
    const records = bytes.subarray(0, count * layout.symbolSize);
    const words = littleEndianWords(records), strings = bytes.subarray(records.length);
    this.words = words;
    this.strings = strings;
    this.#counts = counts ?? checkSymbols(words, strings, layout, fileOffset);
    const { globals, defined, weak, ordered } = this.#counts;
    this.isAllDefined = (!source.marked && globals === source.exportedCount) ||
      (globals === defined && weak === 0);
    if (ordered === (this.isAllDefined ? globals : defined)) {
      this.#exports = new SymbolSortedIndex(this, ordered);
      return;
    }
    this.#others = new SymbolHashIndex(this, this);
    if (this.#others.duplicate === undefined) return;
    for (const [first, second] of duplicateExports(this)) {
      report(
        new LoadError("InvalidFormat", "Cannot use the symbols: two exports have the same name", {
          symbol: this.name(second),
          offset: fileOffset + second * layout.symbolSize,
          value: `symbols ${first} and ${second}`,
          hint: "rename one of them or make it local (static in C), and build again",
        }),
      );
    }
  }

  /** A symbol's {@linkcode SymbolType}, in the common numbering of all layouts. */
  type(index: number): number {
    return (this.words[index * this.step + KIND] & 0xff) + this.typeBase;
  }

  /** A symbol's {@linkcode Binding}. */
  binding(index: number): number {
    return (this.words[index * this.step + KIND] >>> 8) & 0xff;
  }

  /** A symbol's visibility. */
  visibility(index: number): number {
    return (this.words[index * this.step + KIND] >>> 16) & 0xff;
  }

  /** A symbol's flags. */
  flags(index: number): number {
    return this.words[index * this.step + KIND] >>> 24;
  }

  /** A symbol's value, an offset in the file's own image. */
  value(index: number): number {
    return this.#number(index, VALUE);
  }

  /** A symbol's size in bytes. */
  size(index: number): number {
    return this.#number(index, SIZE);
  }

  /** The writer's own number for a symbol's type. */
  typeId(index: number): number {
    return this.words[index * this.step + TYPE_ID];
  }

  /** The writer's own version of a symbol. */
  version(index: number): number {
    return this.words[index * this.step + VERSION];
  }

  /** The FNV-1a of a symbol's name. */
  nameHash(index: number): number {
    return this.words[index * this.step + NAME_HASH];
  }

  /** A symbol's name. */
  name(index: number): string {
    const { strings } = this, start = this.#nameOffset(index);
    const name = decodeUtf8(strings.subarray(start, strings.indexOf(0, start)));
    // The constructor has checked all names, so the buffer has changed since.
    if (name === undefined) {
      throw new LoadError(
        "InvalidFormat",
        "Cannot read the symbol's name: its bytes changed after the check",
        {
          hint: "do not change the bytes of a file while it is in use",
        },
      );
    }
    return name;
  }

  /**
   * Whether a symbol is defined in this file, not imported: it is local, or has a
   * value, size or visibility; or the header counts every global symbol as an
   * export, as in files of real compilers with a function at offset 0.
   */
  isDefined(index: number): boolean {
    if (this.isAllDefined) return true;
    const words = this.words, at = index * this.step;
    // Binding and visibility are the second and third byte.
    return ((words[at + KIND] >>> 8) & 0xff) === Binding.Local || (words[at + KIND] & 0xff_0000) !== 0 ||
      (words[at + VALUE] | words[at + VALUE + 1] | words[at + SIZE] | words[at + SIZE + 1]) !== 0;
  }

  /** Whether a symbol is exported to other modules: global and defined in this file. */
  isExport(index: number): boolean {
    return this.binding(index) === Binding.Global && this.isDefined(index);
  }

  /** Returns a symbol as an object. */
  at(index: number): SmfSymbol {
    const at = index * this.step;
    const words = this.words;
    const wide = this.step === WIDE;
    return {
      index,
      name: this.name(index),
      nameHash: this.nameHash(index),
      type: this.type(index),
      binding: this.binding(index),
      visibility: this.visibility(index),
      flags: this.flags(index),
      value: this.value(index),
      size: this.size(index),
      typeId: words[at + TYPE_ID],
      version: words[at + VERSION],
      templateParamCount: wide ? words[at + TEMPLATE_PARAMS] & 0xff : 0,
      templateOffset: wide ? this.#number(index, TEMPLATE_OFFSET) : 0,
    };
  }

  /** Finds the first symbol with a name, exported or not. */
  find(name: string): SmfSymbol | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.at(index);
  }

  /** Finds the exported symbol with a name; there is at most one. */
  findExport(name: string): SmfSymbol | undefined {
    const index = this.exportOf(name);
    return index < 0 ? undefined : this.at(index);
  }

  /** Like {@linkcode SymbolTable.find}, but returns the symbol's index or -1, without allocating an object. */
  indexOf(name: string): number {
    if (!key.set(name)) return -1;
    const found = this.#exports?.find(key) ?? -1;
    if (found >= 0) return found;
    this.#others ??= new SymbolHashIndex(this, this, this.#exports?.length);
    return this.#others.find(key, false);
  }

  /** Like {@linkcode SymbolTable.findExport}, but returns the symbol's index or -1, without allocating an object. */
  exportOf(name: string): number {
    if (!key.set(name)) return -1;
    return this.#exports === undefined ? this.#others!.find(key, true) : this.#exports.find(key);
  }

  /** Iterates over all symbols, as objects. */
  *[Symbol.iterator](): Iterator<SmfSymbol> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** Whether two symbols have the same name. */
  sameName(a: number, b: number): boolean {
    const { strings } = this;
    let i = this.#nameOffset(a), j = this.#nameOffset(b);
    if (i === j) return true;
    // If the buffer was changed after the check, there may not be a NUL.
    for (; i < strings.length && strings[i] === strings[j]; i++, j++) if (strings[i] === 0) return true;
    return false;
  }

  #nameOffset(index: number): number {
    return this.words[index * this.step + NAME_OFFSET];
  }

  /** Reads a field of eight bytes, which the check has limited to 2^53 - 1. */
  #number(index: number, field: number): number {
    const at = index * this.step + field;
    return this.words[at + 1] * 0x1_0000_0000 + this.words[at];
  }
}
