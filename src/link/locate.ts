/**
 * Where a symbol ended up.
 */
import { SectionIndex, SymbolKind } from "../os/elf.ts";
import type { LinkerSymbol } from "./linker_symbols.ts";
import type { Marker } from "./gc.ts";
import { State } from "./globals.ts";
import type { InputSection, LinkObject } from "./input.ts";
import type { OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import type { Resolution } from "./resolve.ts";

/** What a symbol is after the layout. */
export const Found = {
  /** In this module: `output`, `offset`. */
  PLACE: 0,
  /** A constant: `value`. */
  ABSOLUTE: 1,
  /** Nobody defines it here. */
  IMPORT: 2,
  /** In a section that was dropped, so that nothing may refer to it. */
  DROPPED: 3,
} as const;

/** Looks symbols up. The answer is in its fields, so that a million questions make no garbage. */
export class Locator {
  found: number = Found.IMPORT;
  output: OutputSection;
  /** Offset in `output`. */
  offset = 0;
  /** Of an absolute symbol. */
  value = 0;
  /** True when the addend given is part of `offset` already. */
  addendUsed = false;
  readonly #resolution: Resolution;
  readonly #layout: Layout;
  readonly #marker: Marker;
  readonly #byName: ReadonlyMap<string, OutputSection>;

  constructor(resolution: Resolution, layout: Layout, marker: Marker) {
    this.#resolution = resolution;
    this.#layout = layout;
    this.#marker = marker;
    this.output = layout.outputs[0];
    this.#byName = new Map(layout.outputs.map((output) => [output.name, output]));
  }

  /** Finds a global name. */
  global(id: number): void {
    const { globals, objects } = this.#resolution;
    this.addendUsed = false;
    const state = globals.state(id);
    if (state === State.COMMON) {
      const place = this.#layout.commons.get(id);
      if (place === undefined) this.found = Found.DROPPED;
      else this.#set(place.output, place.offset);
    } else if (state > State.COMMON || state === State.WEAK) {
      this.#definition(objects[globals.object(id)], globals.symbol(id));
    } else {
      this.#undefined(id);
    }
  }

  /** Finds a symbol by its index in an object; of a merged section's own symbol the addend says which piece. */
  symbol(object: LinkObject, symbol: number, addend: number): void {
    const id = object.globalOf(symbol);
    if (id !== -1) return this.global(id);
    this.addendUsed = false;
    const section = object.sectionOf(symbol);
    if (
      section?.merge !== undefined && !section.live && object.elf.symbols.kind(symbol) === SymbolKind.SECTION
    ) {
      this.addendUsed = true;
      this.place(section, object.elf.symbols.value(symbol) + addend);
    } else {
      this.#definition(object, symbol);
    }
  }

  /** Finds an offset in an input section. */
  place(section: InputSection, offset: number): void {
    const { output, merge } = section;
    if (output === undefined) {
      this.found = Found.DROPPED;
    } else if (merge !== undefined && !section.live) {
      const piece = merge.find(offset);
      if (piece === -1 || merge.live[piece] === 0) this.found = Found.DROPPED;
      else this.#set(output, merge.places[piece] + offset - merge.starts[piece]);
    } else {
      this.#set(output, section.offset + offset);
    }
  }

  #definition(object: LinkObject, symbol: number): void {
    const { symbols } = object.elf;
    if (symbols.section(symbol) === SectionIndex.ABS) {
      this.found = Found.ABSOLUTE;
      this.value = symbols.value(symbol);
      return;
    }
    const section = object.sectionOf(symbol);
    if (section === undefined) {
      this.found = Found.DROPPED;
    } else if (symbols.kind(symbol) === SymbolKind.GNU_IFUNC) {
      const stub = this.#layout.chosen.stub(object, symbol);
      if (stub === undefined) this.found = Found.DROPPED;
      else this.#set(stub.output, stub.offset);
    } else {
      this.place(section, symbols.value(symbol));
    }
  }

  #undefined(id: number): void {
    const bound = this.#marker.bounds.get(id);
    const { globals } = this.#resolution;
    if (bound !== undefined) {
      const output = bound.all === true ? this.#edge(bound) : this.#byName.get(bound.section);
      if (output === undefined) this.found = Found.DROPPED;
      else this.#set(output, bound.end ? output.contentSize : 0);
    } else if (globals.isHidden(id) && globals.state(id) === State.WEAK_UNDEFINED) {
      // Nobody outside may answer a hidden name, so a weak one is 0 for good.
      this.found = Found.ABSOLUTE;
      this.value = 0;
    } else {
      this.found = Found.IMPORT;
    }
  }

  /** The first, or the last, section of the type that a name bounds. */
  #edge({ make, end }: LinkerSymbol): OutputSection | undefined {
    const { outputs } = this.#layout;
    const isOfType = ({ type }: OutputSection): boolean => type === make!.type;
    return end ? outputs.findLast(isOfType) : outputs.find(isOfType);
  }

  #set(output: OutputSection, offset: number): void {
    this.found = Found.PLACE;
    this.output = output;
    this.offset = offset;
  }
}
