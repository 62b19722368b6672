/**
 * Finds the address of a symbol once the layout is done.
 */
import { SymbolKind } from "../os/elf.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import type { LinkerSymbol } from "./linker_symbols.ts";
import type { Marker } from "./gc.ts";
import { State } from "./globals.ts";
import { type Homes, NO_HOME } from "./homes.ts";
import type { InputSection, LinkObject, OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import type { Resolution } from "./resolve.ts";

/** The outcome of a lookup. */
export const Found = {
  /** The symbol is in this module, at `output` and `offset`. */
  DEFINED: 0,
  /** The symbol is the constant `value`. */
  ABSOLUTE: 1,
  /** The symbol is undefined here. */
  IMPORT: 2,
  /** The symbol is in a section that was dropped, so nothing may refer to it. */
  DROPPED: 3,
} as const;

/** Looks symbols up. The result is in its fields, so that a million lookups make no garbage. */
export class Locator {
  found: number = Found.IMPORT;
  output: OutputSection;
  /** Offset in `output`. */
  offset = 0;
  /** The value of an absolute symbol. */
  value = 0;
  /** Whether `offset` contains the addend already. */
  addendUsed = false;
  /** The number of the home that the symbol is in; {@linkcode NO_HOME} if it is in none. */
  home = NO_HOME;
  readonly #resolution: Resolution;
  readonly #layout: Layout;
  readonly #marker: Marker;
  readonly #homes: Homes | undefined;
  readonly #byName: ReadonlyMap<string, OutputSection>;

  /** @param homes The homes of a reloadable module. */
  constructor(resolution: Resolution, layout: Layout, marker: Marker, homes?: Homes) {
    this.#resolution = resolution;
    this.#layout = layout;
    this.#marker = marker;
    this.#homes = homes;
    this.output = layout.outputs[0];
    this.#byName = new Map(layout.outputs.map((output) => [output.name, output]));
  }

  /** Finds a global name. */
  global(id: number): void {
    const { globals, objects } = this.#resolution;
    this.addendUsed = false;
    const alias = globals.aliases.get(id);
    if (alias !== undefined) {
      this.global(alias.target);
      if (this.found === Found.DEFINED) this.offset += alias.offset;
      else this.value += alias.offset;
      return;
    }
    const state = globals.state(id);
    if (state === State.COMMON) {
      const common = this.#layout.commons.get(id);
      if (common === undefined) this.found = Found.DROPPED;
      else this.#set(common.output, common.offset, this.#homes?.ofCommon(id));
    } else if (state > State.COMMON || state === State.WEAK) {
      this.#definition(objects[globals.object(id)], globals.symbol(id));
    } else {
      this.#undefined(id);
    }
  }

  /**
   * Finds a symbol by its index in an object.
   *
   * @param addend Selects the piece, if the symbol is that of a merged section.
   */
  symbol(object: LinkObject, symbol: number, addend: number): void {
    const id = object.globalOf(symbol);
    if (id !== -1) return this.global(id);
    this.addendUsed = false;
    const section = object.sectionOf(symbol);
    if (
      section?.merge !== undefined && !section.live && object.elf.symbols.kind(symbol) === SymbolKind.SECTION
    ) {
      this.addendUsed = true;
      this.inSection(section, object.elf.symbols.value(symbol) + addend);
    } else {
      this.#definition(object, symbol);
    }
  }

  /** Returns the size of a symbol by its index in an object, once it was found to be defined. */
  size(object: LinkObject, symbol: number): number {
    const { globals, objects } = this.#resolution;
    let id = object.globalOf(symbol);
    if (id === -1 || !globals.isDefined(id)) return object.elf.symbols.size(symbol);
    id = globals.aliases.get(id)?.target ?? id;
    const common = globals.state(id) === State.COMMON ? globals.commons.get(id)?.size : undefined;
    return common ?? objects[globals.object(id)].elf.symbols.size(globals.symbol(id));
  }

  /** Finds an offset in an input section. */
  inSection(section: InputSection, offset: number): void {
    const { output, merge } = section;
    if (output === undefined) {
      this.found = Found.DROPPED;
    } else if (merge !== undefined && !section.live) {
      const piece = merge.find(offset);
      if (piece === -1 || merge.live[piece] === 0) this.found = Found.DROPPED;
      else this.#set(output, merge.offsets[piece] + offset - merge.starts[piece]);
    } else {
      this.#set(output, section.offset + offset, section.home);
    }
  }

  #definition(object: LinkObject, symbol: number): void {
    const { symbols } = object.elf;
    if (symbol === 0) {
      // The reserved first symbol: its value is 0 (gABI, "Symbol Table").
      this.found = Found.ABSOLUTE;
      this.value = 0;
      return;
    }
    if (symbols.place(symbol) === SymbolPlace.ABSOLUTE) {
      this.found = Found.ABSOLUTE;
      this.value = symbols.value(symbol);
      return;
    }
    const section = object.sectionOf(symbol);
    if (section === undefined) {
      this.found = Found.DROPPED;
    } else if (symbols.kind(symbol) === SymbolKind.GNU_IFUNC) {
      const stub = this.#layout.ifuncs.stub(object, symbol);
      if (stub === undefined) this.found = Found.DROPPED;
      else this.#set(stub.output, stub.offset);
    } else {
      this.inSection(section, symbols.value(symbol));
    }
  }

  #undefined(id: number): void {
    const symbol = this.#marker.linkerSymbols.get(id);
    const { globals } = this.#resolution;
    if (symbol !== undefined) {
      const output = symbol.all === true ? this.#outermost(symbol) : this.#byName.get(symbol.section);
      if (output === undefined) this.found = Found.DROPPED;
      else this.#set(output, symbol.end ? output.contentSize : 0);
    } else if (globals.isHidden(id) && globals.state(id) === State.WEAK_UNDEFINED) {
      // No other module may define a hidden name, so a weak one stays 0.
      this.found = Found.ABSOLUTE;
      this.value = 0;
    } else {
      this.found = Found.IMPORT;
    }
  }

  /** Returns the first or the last section of the type that a symbol bounds. */
  #outermost({ make, end }: LinkerSymbol): OutputSection | undefined {
    const { outputs } = this.#layout;
    const isOfType = ({ type }: OutputSection): boolean => type === make!.type;
    return end ? outputs.findLast(isOfType) : outputs.find(isOfType);
  }

  #set(output: OutputSection, offset: number, home = NO_HOME): void {
    this.found = Found.DEFINED;
    this.home = home;
    this.output = output;
    this.offset = offset;
  }
}
