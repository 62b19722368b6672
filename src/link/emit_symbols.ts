/**
 * Writes the symbols of a module, and notes them for its companion file.
 */
import { Binding, SymbolType } from "../smf/enums.ts";
import type { SymbolRecords } from "../smf/table_writer.ts";
import type { CompanionSymbol } from "./debug_companion.ts";
import { type PlacedSymbol, symbolType } from "./file_symbols.ts";
import type { LinkObject } from "./input.ts";

/** The visibility of definitions. */
const DEFINED = 1;

/** Adds definitions to the symbol table of a module. */
export class ModuleSymbols {
  /** The symbols for the companion file; empty if there is none. */
  readonly companion: CompanionSymbol[] = [];
  readonly #records: SymbolRecords;
  readonly #hasCompanion: boolean;
  /** The indexes of local symbols by address, to reuse them as GOT symbols. */
  readonly #localIndex: Map<number, number> = new Map();

  constructor(records: SymbolRecords, hasCompanion: boolean) {
    this.#records = records;
    this.#hasCompanion = hasCompanion;
  }

  /** Enters a name into the table of names; returns its number there. */
  enter(name: string): number {
    return this.#records.names.add(name);
  }

  /** Enters the name of an object's symbol. */
  enterOf({ elf: { file, symbols } }: LinkObject, symbol: number): number {
    const start = symbols.nameStart(symbol);
    const number = this.#records.names.addAscii(file.bytes, start, symbols.nameEnd(symbol));
    return number === -1 ? this.enter(symbols.name(symbol)) : number;
  }

  /** Notes an export for the companion file. */
  noteExport(name: string, type: number, { address, size }: PlacedSymbol): void {
    if (this.#hasCompanion) this.companion.push({ name, type, address, size, isExported: true });
  }

  /** Adds an export; returns its index. */
  addExport(name: string, type: number, flags: number, address: number, size: number): number {
    return this.#records.define(this.enter(name), type, Binding.Global, DEFINED, flags, address, size);
  }

  /** Adds a symbol that is not exported, by the number of its name; returns its index. */
  addLocal(name: number, placed: PlacedSymbol): number {
    const { address, size } = placed, type = symbolType(placed);
    if (this.#hasCompanion) {
      this.companion.push({ name: this.#records.names.text(name), type, address, size, isExported: false });
    }
    const index = this.#records.define(name, type, Binding.Local, DEFINED, 0, address, size);
    if (!this.#localIndex.has(address)) this.#localIndex.set(address, index);
    return index;
  }

  /** Returns the first local symbol at a place, or adds one of this name without size. */
  localAt(name: string, { output, address }: Omit<PlacedSymbol, "size">): number {
    return this.#localIndex.get(address) ?? this.addLocal(this.enter(name), { output, address, size: 0 });
  }

  /** Adds a thread-local variable, which has no address of its own. */
  addThreadLocal(name: string, { address, size }: PlacedSymbol): void {
    if (size === 0) return;
    this.#records.define(this.enter(name), SymbolType.Data, Binding.Local, DEFINED, 0, address, size);
  }
}
