/**
 * Writes the records of symbols and relocations one by one. Modules have hundreds of thousands of them, so that none
 * becomes an object.
 */
import { Binding } from "./enums.ts";
import { type Layout, RELOCATION_FIELDS, RELOCATION_SIZE, SYMBOL_FIELDS } from "./layout.ts";
import { StringTable } from "./string_table.ts";
import { checkUnsigned, type Fields, setUint64, writeField } from "./write_record.ts";

/** Records of one size, in a buffer that grows. */
class Records {
  length = 0;
  readonly #size: number;
  #bytes: Uint8Array = new Uint8Array(0);
  protected view: DataView = new DataView(this.#bytes.buffer);

  constructor(size: number) {
    this.#size = size;
  }

  /** The records that there are. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length * this.#size);
  }

  /** Makes room for so many more records. */
  reserve(count: number): void {
    const needed = (this.length + count) * this.#size;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 16 * this.#size));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  /** Returns the offset of a new record, which is zeroed. */
  protected next(): number {
    if ((this.length + 1) * this.#size > this.#bytes.length) this.reserve(this.length + 1);
    return this.length++ * this.#size;
  }
}

const [NAME_OFFSET] = SYMBOL_FIELDS.name_offset, [NAME_HASH] = SYMBOL_FIELDS.name_hash;
const [TYPE] = SYMBOL_FIELDS.sym_type, [BINDING] = SYMBOL_FIELDS.binding;
const [VISIBILITY] = SYMBOL_FIELDS.visibility, [FLAGS] = SYMBOL_FIELDS.flags;
const [VALUE] = SYMBOL_FIELDS.value, [SIZE] = SYMBOL_FIELDS.size;

const { template_param_count: _, template_offset: __, ...NARROW_SYMBOL_FIELDS } = SYMBOL_FIELDS;

/** Fields of symbols that few writers use. */
export interface RareFields {
  readonly typeId: number;
  readonly version: number;
  readonly templateParamCount: number;
  readonly templateOffset: number;
}

/** The symbols of a file that is being written. */
export class SymbolRecords extends Records {
  readonly names: StringTable = new StringTable();
  /** The numbers of the names that the file exports. */
  readonly #exports: Set<number> = new Set();
  /** The rare fields of symbols that have some, by index. */
  readonly #rare: Map<number, RareFields> = new Map();
  readonly #layout: Layout;

  constructor(layout: Layout) {
    super(layout.symbolSize);
    this.#layout = layout;
  }

  /** The number of exported names. */
  get exportedCount(): number {
    return this.#exports.size;
  }

  /**
   * Adds a definition.
   *
   * @param name Its number in `names`.
   * @returns its index; -1 for an export whose name another export has.
   */
  define(
    name: number,
    type: number,
    binding: number,
    visibility: number,
    flags: number,
    value: number,
    size: number,
  ): number {
    const { name: layout, symbolTypeBase } = this.#layout;
    if (type < symbolTypeBase) {
      throw new TypeError(`Cannot write a symbol of type ${type}: layout '${layout}' has no type None`);
    }
    if (binding === Binding.Global) {
      if (this.#exports.has(name)) return -1;
      this.#exports.add(name);
    }
    return this.#add(name, type, binding, visibility, flags, value, size);
  }

  /** Adds an import; returns its index. */
  import(name: number, type: number, binding: number, flags: number): number {
    return this.#add(name, type, binding, 0, flags, 0, 0);
  }

  #add(
    name: number,
    type: number,
    binding: number,
    visibility: number,
    flags: number,
    value: number,
    size: number,
  ): number {
    const at = this.next(), { view } = this;
    view.setUint32(at + NAME_OFFSET, this.names.offset(name), true);
    view.setUint32(at + NAME_HASH, this.names.hash(name), true);
    view.setUint8(at + TYPE, type - this.#layout.symbolTypeBase);
    view.setUint8(at + BINDING, binding);
    view.setUint8(at + VISIBILITY, visibility);
    view.setUint8(at + FLAGS, flags);
    setUint64(view, at + VALUE, value);
    setUint64(view, at + SIZE, size);
    return this.length - 1;
  }

  /** Gives a symbol rare fields; {@linkcode SymbolRecords.writeRare} writes them. */
  setRare(index: number, fields: RareFields): void {
    const { typeId, version, templateParamCount, templateOffset } = fields;
    if (typeId !== 0 || version !== 0 || templateParamCount !== 0 || templateOffset !== 0) {
      this.#rare.set(index, fields);
    }
  }

  /** @throws {TypeError} for a rare field that is not 0 and that the layout has no place for. */
  writeRare(): void {
    const fields: Fields = this.#layout.symbolSize === 40 ? NARROW_SYMBOL_FIELDS : SYMBOL_FIELDS;
    for (const [index, rare] of this.#rare) {
      const at = index * this.#layout.symbolSize;
      writeField(this.view, at, "type_id", fields.type_id, rare.typeId);
      writeField(this.view, at, "version", fields.version, rare.version);
      writeField(this.view, at, "template_param_count", fields.template_param_count, rare.templateParamCount);
      writeField(this.view, at, "template_offset", fields.template_offset, rare.templateOffset);
    }
  }
}

const [PLACE] = RELOCATION_FIELDS.offset, [SYMBOL] = RELOCATION_FIELDS.symbol_index;
const [KIND] = RELOCATION_FIELDS.reloc_type, [ADDEND] = RELOCATION_FIELDS.addend;

/** The relocations of a file that is being written. */
export class RelocationRecords extends Records {
  constructor() {
    super(RELOCATION_SIZE);
  }

  add(offset: number, symbol: number, type: number, addend: number | bigint): void {
    checkUnsigned("the relocation's offset", offset, 53);
    const at = this.next(), { view } = this;
    setUint64(view, at + PLACE, offset);
    view.setUint32(at + SYMBOL, symbol, true);
    view.setUint8(at + KIND, type);
    // The one signed field of the format.
    if (typeof addend === "bigint") view.setBigInt64(at + ADDEND, addend, true);
    else if ((addend | 0) === addend) {
      view.setInt32(at + ADDEND, addend, true);
      view.setInt32(at + ADDEND + 4, addend >> 31, true);
    } else {
      view.setInt32(at + ADDEND, addend % 2 ** 32, true);
      view.setInt32(at + ADDEND + 4, Math.floor(addend / 2 ** 32), true);
    }
  }
}
