/**
 * The symbol table and its names: views over the file's bytes, with accessors
 * that allocate nothing, so that a million symbols cost two buffers.
 */

import { LoadError, raise, type Report } from "../errors.ts";
import { Binding } from "./enums.ts";
import { type Layout, SYMBOL_FIELDS } from "./layout.ts";
import { duplicateExports, type Named, NameIndex } from "./symbol_hash_index.ts";
import { type NameRecords, OrderedNames } from "./symbol_sorted_index.ts";
import { decodeUtf8, littleEndianWords } from "./reader.ts";
import { SearchKey } from "./symbol_key.ts";
import { checkSymbols } from "./symbol_check.ts";

/** A symbol, as an object of its own. */
export interface SmfSymbol {
  /** Its place in the table. */
  readonly index: number;
  /** Its name. */
  readonly name: string;
  /** FNV-1a of the name. */
  readonly nameHash: number;
  /** A {@linkcode SymbolType}. */
  readonly type: number;
  /** A {@linkcode Binding}. */
  readonly binding: number;
  /** 0, or 1 for what this package's writer defines. */
  readonly visibility: number;
  /** Layout phase, template and pinning bits; of no meaning to loading. */
  readonly flags: number;
  /** An offset in the file's own image. */
  readonly value: number;
  /** Bytes, 0 when unknown. */
  readonly size: number;
  /** The writer's number for the symbol's type. */
  readonly typeId: number;
  /** The writer's version of the symbol. */
  readonly version: number;
  /** How many template parameters it has. */
  readonly templateParamCount: number;
  /** Where its template is in the TemplateCode section. */
  readonly templateOffset: number;
}

/** Where the parts of a symbol table are. */
export interface SymbolTableSource {
  /** Symbols and, right behind them, their names. */
  readonly bytes: Uint8Array;
  /** How many symbols there are. */
  readonly count: number;
  /** The layout of the file. */
  readonly layout: Layout;
  /** Where `bytes` are in the file, for errors. */
  readonly fileOffset: number;
  /** The header's count of exports. */
  readonly exportedCount: number;
  /** Whether the writer is this package's, which marks what it defines. */
  readonly marked: boolean;
}

/** Where the fields of a record are, in words; those of eight bytes have two, low half first. */
export const SYMBOL_WORDS = {
  nameOffset: SYMBOL_FIELDS.name_offset[0] / 4,
  nameHash: SYMBOL_FIELDS.name_hash[0] / 4,
  /** Type as the layout numbers it, binding, visibility and flags: a byte each, type lowest. */
  kind: SYMBOL_FIELDS.sym_type[0] / 4,
  value: SYMBOL_FIELDS.value[0] / 4,
  size: SYMBOL_FIELDS.size[0] / 4,
  typeId: SYMBOL_FIELDS.type_id[0] / 4,
  version: SYMBOL_FIELDS.version[0] / 4,
  /** Only where a record has 14 words. */
  templateParams: SYMBOL_FIELDS.template_param_count[0] / 4,
  templateOffset: SYMBOL_FIELDS.template_offset[0] / 4,
} as const;
const { nameOffset: NAME_OFFSET, nameHash: NAME_HASH, kind: KIND, value: VALUE, size: SIZE } = SYMBOL_WORDS;
const { typeId: TYPE_ID, version: VERSION, templateParams: TEMPLATE_PARAMS } = SYMBOL_WORDS;
const { templateOffset: TEMPLATE_OFFSET } = SYMBOL_WORDS;
const WIDE = 14;

/** What is looked for; no search begins before another has ended. */
const key = new SearchKey();

/** The symbols of a file, in table order. */
export class SymbolTable implements Iterable<SmfSymbol>, Named {
  /** How many there are. */
  readonly length: number;
  /** What the table was made from; the same again makes an equal one. */
  readonly source: SymbolTableSource;
  /** The records, for loops over many; {@linkcode SYMBOL_WORDS} says what is where. */
  readonly words: Uint32Array;
  /** Words of a record. */
  readonly step: number;
  readonly #records: NameRecords;
  /** What to add to a stored type to get a {@linkcode SymbolType}. */
  readonly typeBase: number;
  /** The exports, if they stand first and ascend. */
  readonly #exports: OrderedNames | undefined;
  /** All other symbols, once somebody has looked for one of them. */
  #others: NameIndex | undefined;
  /** Whether no symbol is an import, as the header says or because none looks like one. */
  readonly #allDefined: boolean;

  /**
   * Checks every record.
   *
   * @param report Told about exports of one name, which do not make the rest unusable.
   * @throws {LoadError} `InvalidFormat` for the first that is wrong, and for two exports of one name.
   */
  constructor(source: SymbolTableSource, report: Report = raise) {
    const { bytes, count, layout, fileOffset } = source;
    this.length = count;
    this.source = source;
    this.step = layout.symbolSize / 4;
    this.typeBase = layout.symbolTypeBase;
    const records = bytes.subarray(0, count * layout.symbolSize);
    const words = littleEndianWords(records), strings = bytes.subarray(records.length);
    this.words = words;
    this.#records = { words, step: this.step, strings };
    const { globals, defined, weak, ordered } = checkSymbols(words, strings, layout, fileOffset);
    this.#allDefined = (!source.marked && globals === source.exportedCount) ||
      (globals === defined && weak === 0);
    if (ordered === (this.#allDefined ? globals : defined)) {
      this.#exports = new OrderedNames(this.#records, ordered);
      return;
    }
    this.#others = new NameIndex(this, this.#records);
    if (this.#others.duplicate === undefined) return;
    for (const [first, second] of duplicateExports(this)) {
      report(
        new LoadError("InvalidFormat", "Cannot use the symbols: two exports have one name", {
          symbol: this.name(second),
          offset: fileOffset + second * layout.symbolSize,
          value: `symbols ${first} and ${second}`,
        }),
      );
    }
  }

  /** A symbol's {@linkcode SymbolType}, in the common numbering. */
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

  /** A symbol's value: an offset in the file's own image. */
  value(index: number): number {
    return this.#number(index, VALUE);
  }

  /** A symbol's size in bytes. */
  size(index: number): number {
    return this.#number(index, SIZE);
  }

  /** The number that a symbol's file gives its type. */
  typeId(index: number): number {
    return this.words[index * this.step + TYPE_ID];
  }

  /** A symbol's own version. */
  version(index: number): number {
    return this.words[index * this.step + VERSION];
  }

  /** The stored hash of a symbol's name, which has been checked. */
  nameHash(index: number): number {
    return this.words[index * this.step + NAME_HASH];
  }

  /** A symbol's name. */
  name(index: number): string {
    const { strings } = this.#records, start = this.#nameOffset(index);
    const name = decodeUtf8(strings.subarray(start, strings.indexOf(0, start)));
    // Checked when the table was read; only a changed buffer gets here.
    if (name === undefined) throw new LoadError("InvalidFormat", "Cannot read the symbol's name: it changed");
    return name;
  }

  /**
   * Whether a symbol is defined in this file, not imported: it is local, or has
   * a value, size or visibility; or the header counts every global symbol as
   * an export, as real compilers' files do whose functions are at offset 0.
   */
  isDefined(index: number): boolean {
    if (this.#allDefined) return true;
    const words = this.words, at = index * this.step;
    // The second and third byte: binding and visibility.
    return ((words[at + KIND] >>> 8) & 0xff) === Binding.Local || (words[at + KIND] & 0xff_0000) !== 0 ||
      (words[at + VALUE] | words[at + VALUE + 1] | words[at + SIZE] | words[at + SIZE + 1]) !== 0;
  }

  /** Whether other modules may use a symbol: global, and defined here. */
  isExport(index: number): boolean {
    return this.binding(index) === Binding.Global && this.isDefined(index);
  }

  /** A symbol as an object. */
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
      flags: words[at + KIND] >>> 24,
      value: this.value(index),
      size: this.size(index),
      typeId: words[at + TYPE_ID],
      version: words[at + VERSION],
      templateParamCount: wide ? words[at + TEMPLATE_PARAMS] & 0xff : 0,
      templateOffset: wide ? this.#number(index, TEMPLATE_OFFSET) : 0,
    };
  }

  /** The first symbol of this name, whatever it is. */
  find(name: string): SmfSymbol | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.at(index);
  }

  /** The symbol of this name that other modules may use; there is at most one. */
  findExport(name: string): SmfSymbol | undefined {
    const index = this.exportOf(name);
    return index < 0 ? undefined : this.at(index);
  }

  /** As {@linkcode SymbolTable.find}, but its place in the table, or -1; makes no object. */
  indexOf(name: string): number {
    if (!key.set(name)) return -1;
    const found = this.#exports?.find(key) ?? -1;
    if (found >= 0) return found;
    this.#others ??= new NameIndex(this, this.#records, this.#exports?.length);
    return this.#others.find(key, false);
  }

  /** As {@linkcode SymbolTable.findExport}, but its place in the table, or -1; makes no object. */
  exportOf(name: string): number {
    if (!key.set(name)) return -1;
    return this.#exports === undefined ? this.#others!.find(key, true) : this.#exports.find(key);
  }

  /** All symbols, as objects. */
  *[Symbol.iterator](): Iterator<SmfSymbol> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** Whether two symbols have one name. */
  sameName(a: number, b: number): boolean {
    const { strings } = this.#records;
    let i = this.#nameOffset(a), j = this.#nameOffset(b);
    if (i === j) return true;
    // In a buffer that somebody changed after the check there may be no NUL.
    for (; i < strings.length && strings[i] === strings[j]; i++, j++) if (strings[i] === 0) return true;
    return false;
  }

  #nameOffset(index: number): number {
    return this.words[index * this.step + NAME_OFFSET];
  }

  /** A field of eight bytes; none is above 2^53 - 1. */
  #number(index: number, field: number): number {
    const at = index * this.step + field;
    return this.words[at + 1] * 0x1_0000_0000 + this.words[at];
  }
}
