/**
 * The symbol table and its names: views over the file's bytes, with accessors
 * that allocate nothing, so that a million symbols cost two buffers.
 */

import { LoadError } from "../errors.ts";
import { Binding } from "./enums.ts";
import { type Layout, SYMBOL_FIELDS } from "./layout.ts";
import { type Named, NameIndex } from "./names.ts";
import { ByteReader, decodeUtf8, littleEndianWords } from "./reader.ts";
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

const { name_offset: [NAME_OFFSET], name_hash: [NAME_HASH], sym_type: [TYPE], binding: [BINDING] } =
  SYMBOL_FIELDS;
const { visibility: [VISIBILITY], flags: [FLAGS], value: [VALUE], size: [SIZE] } = SYMBOL_FIELDS;
const { type_id: [TYPE_ID], version: [VERSION] } = SYMBOL_FIELDS;
const { template_param_count: [TEMPLATE_PARAMS], template_offset: [TEMPLATE_OFFSET] } = SYMBOL_FIELDS;

/** The symbols of a file, in table order. */
export class SymbolTable implements Iterable<SmfSymbol>, Named {
  /** How many there are. */
  readonly length: number;
  /** What the table was made from; the same again makes an equal one. */
  readonly source: SymbolTableSource;
  #entries: ByteReader;
  #strings: Uint8Array;
  #stride: number;
  #typeBase: number;
  #index: NameIndex;
  #zeroIsDefined: boolean;

  /** Checks every record; the first that is wrong is the error. */
  constructor(source: SymbolTableSource) {
    const { bytes, count, layout, fileOffset } = source;
    this.length = count;
    this.source = source;
    this.#stride = layout.symbolSize;
    this.#typeBase = layout.symbolTypeBase;
    const records = bytes.subarray(0, count * this.#stride);
    this.#entries = new ByteReader(records, fileOffset);
    this.#strings = bytes.subarray(records.length);
    const words = littleEndianWords(records);
    const globals = checkSymbols(words, this.#strings, layout, fileOffset);
    this.#zeroIsDefined = !source.marked && globals === source.exportedCount;
    this.#index = new NameIndex(this, words, this.#stride / 4);
    if (this.#index.duplicate !== undefined) {
      const [first, second] = this.#index.duplicate;
      throw new LoadError("InvalidFormat", "Cannot use the symbols: two exports have one name", {
        symbol: this.name(second),
        offset: fileOffset + second * this.#stride,
        value: `symbols ${first} and ${second}`,
      });
    }
  }

  /** A symbol's {@linkcode SymbolType}, in the common numbering. */
  type(index: number): number {
    return this.#entries.u8(index * this.#stride + TYPE) + this.#typeBase;
  }

  /** A symbol's {@linkcode Binding}. */
  binding(index: number): number {
    return this.#entries.u8(index * this.#stride + BINDING);
  }

  /** A symbol's visibility. */
  visibility(index: number): number {
    return this.#entries.u8(index * this.#stride + VISIBILITY);
  }

  /** A symbol's value: an offset in the file's own image. */
  value(index: number): number {
    return this.#entries.u64(index * this.#stride + VALUE, "the symbol's value");
  }

  /** A symbol's size in bytes. */
  size(index: number): number {
    return this.#entries.u64(index * this.#stride + SIZE, "the symbol's size");
  }

  /** The stored hash of a symbol's name, which has been checked. */
  nameHash(index: number): number {
    return this.#entries.u32(index * this.#stride + NAME_HASH);
  }

  /** A symbol's name. */
  name(index: number): string {
    const start = this.#nameOffset(index);
    const name = decodeUtf8(this.#strings.subarray(start, this.#strings.indexOf(0, start)));
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
    return this.binding(index) === Binding.Local || this.visibility(index) !== 0 ||
      !this.#isZero(index * this.#stride + VALUE) || !this.#isZero(index * this.#stride + SIZE) ||
      this.#zeroIsDefined;
  }

  /** Whether other modules may use a symbol: global, and defined here. */
  isExport(index: number): boolean {
    return this.binding(index) === Binding.Global && this.isDefined(index);
  }

  /** A symbol as an object. */
  at(index: number): SmfSymbol {
    const at = index * this.#stride;
    const entries = this.#entries;
    const wide = this.#stride === 56;
    return {
      index,
      name: this.name(index),
      nameHash: this.nameHash(index),
      type: this.type(index),
      binding: this.binding(index),
      visibility: this.visibility(index),
      flags: entries.u8(at + FLAGS),
      value: this.value(index),
      size: this.size(index),
      typeId: entries.u32(at + TYPE_ID),
      version: entries.u32(at + VERSION),
      templateParamCount: wide ? entries.u8(at + TEMPLATE_PARAMS) : 0,
      templateOffset: wide ? entries.u64(at + TEMPLATE_OFFSET, "the symbol's template offset") : 0,
    };
  }

  /** The first symbol of this name, whatever it is. */
  find(name: string): SmfSymbol | undefined {
    const index = this.#index.find(name, false);
    return index < 0 ? undefined : this.at(index);
  }

  /** The symbol of this name that other modules may use; there is at most one. */
  findExport(name: string): SmfSymbol | undefined {
    const index = this.#index.find(name, true);
    return index < 0 ? undefined : this.at(index);
  }

  /** All symbols, as objects. */
  *[Symbol.iterator](): Iterator<SmfSymbol> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** Whether two symbols have one name. */
  sameName(a: number, b: number): boolean {
    const strings = this.#strings;
    let i = this.#nameOffset(a), j = this.#nameOffset(b);
    if (i === j) return true;
    for (; strings[i] === strings[j]; i++, j++) if (strings[i] === 0) return true;
    return false;
  }

  /** Whether this is a symbol's name. */
  isNamed(index: number, name: Uint8Array): boolean {
    const start = this.#nameOffset(index);
    for (let i = 0; i < name.length; i++) if (this.#strings[start + i] !== name[i]) return false;
    return this.#strings[start + name.length] === 0;
  }

  #nameOffset(index: number): number {
    return this.#entries.u32(index * this.#stride + NAME_OFFSET);
  }

  #isZero(at: number): boolean {
    return this.#entries.u32(at) === 0 && this.#entries.u32(at + 4) === 0;
  }
}
