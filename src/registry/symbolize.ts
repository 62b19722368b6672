/**
 * Says what is at an address: module, version, function, and the place in the source.
 */
import { attempt, ignore } from "../errors/load_error.ts";
import type { SourceLocator } from "../errors/native_stack.ts";
import { readCompanion, readDebugFile } from "../load/file/debug.ts";
import type { LoadedImage } from "../load/loader.ts";
import { companionSections } from "../observe/companion.ts";
import { sourceMapOf } from "../observe/source_map.ts";
import { SymbolPlaces } from "../observe/symbol_places.ts";
import { hasDebug } from "../smf/kept_debug.ts";
import type { SourceFrame, SourceMap } from "../types/dwarf/source_map.ts";
import type { Catalog, ImageFacts } from "./catalog.ts";

/** The function, and its place in the source, at an address of a loaded module. */
export interface SymbolizedAddress {
  /** The module's path as it was asked for, or the name that was given for bytes. */
  readonly module: string;
  /** The version, which counts from 1. */
  readonly version: number;
  /** The function whose code is there, as linkers see its name; undefined for data, and if it has no name. */
  readonly function: string | undefined;
  /** The variable that is there; undefined for code, and if it has no name. */
  readonly variable: string | undefined;
  /** The distance in bytes from the start of the function or variable; undefined if there is none. */
  readonly offset: number | undefined;
  /** The file of the source, as its compiler knew it; undefined without debug information. */
  readonly file: string | undefined;
  /** The line, which counts from 1; undefined without debug information, and for code that belongs to no line. */
  readonly line: number | undefined;
  /** The column, which counts from 1. */
  readonly column: number | undefined;
  /**
   * The functions at the address, innermost first: each but the last is inlined in the next, and the place of the
   * next is that of the call. Empty without debug information.
   */
  readonly frames: readonly SourceFrame[];
  /** Whether the address is that of a trampoline, which leads to the function. */
  readonly isTrampoline: boolean;
}

/** Finds what is at addresses. What it reads of a version goes with the version. */
class Symbolizer {
  readonly #catalog: Catalog;
  readonly #symbols = new WeakMap<LoadedImage, SymbolPlaces>();
  readonly #sources = new WeakMap<LoadedImage, SourceMap | null>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Returns what is at an address; undefined if no module is. */
  find(address: bigint): SymbolizedAddress | undefined {
    const found = this.#inImages(address);
    if (found !== undefined) return found;
    for (const { exports } of this.#catalog.entries()) {
      const trampoline = exports.trampolineAt(address);
      if (trampoline === undefined) continue;
      const target = this.#inImages(trampoline.target);
      if (target !== undefined) return { ...target, isTrampoline: true };
    }
    return undefined;
  }

  #inImages(address: bigint): SymbolizedAddress | undefined {
    for (const [, image] of this.#catalog.images()) {
      const { address: start, size } = image.memory;
      if (address < start || address >= start + BigInt(size)) continue;
      const facts = this.#catalog.factsOf(image);
      if (facts !== undefined) return this.#describe(image, facts, Number(address - start));
    }
    return undefined;
  }

  #describe(image: LoadedImage, facts: ImageFacts, place: number): SymbolizedAddress {
    const nothing = { function: undefined, variable: undefined, offset: undefined };
    const at = { module: facts.path, version: facts.number, isTrampoline: false };
    const group = image.plan.groups.find(({ start, end, delta }) =>
      place >= start + delta && place < end + delta
    );
    if (group === undefined) {
      return { ...at, ...nothing, file: undefined, line: undefined, column: undefined, frames: [] };
    }
    const offset = place - group.delta;
    // The initial contents of a thread-local variable are nobody's variable.
    const symbol = image.plan.isThreadLocal(offset) ? undefined : this.#symbolsOf(image).find(offset);
    const frames = group.isCode ? this.#sourceOf(image, facts)?.find(offset) ?? [] : [];
    const { file, line, column } = frames.at(0) ?? {};
    const named = symbol === undefined ? { ...nothing, function: frames.at(-1)?.function } : {
      function: symbol.isFunction ? symbol.name : undefined,
      variable: symbol.isFunction ? undefined : symbol.name,
      offset: symbol.offset,
    };
    return { ...at, ...named, file, line, column, frames };
  }

  #symbolsOf(image: LoadedImage): SymbolPlaces {
    let symbols = this.#symbols.get(image);
    if (symbols === undefined) this.#symbols.set(image, symbols = new SymbolPlaces(image.file));
    return symbols;
  }

  #sourceOf(image: LoadedImage, facts: ImageFacts): SourceMap | undefined {
    let source = this.#sources.get(image);
    if (source === undefined) this.#sources.set(image, source = readSource(image, facts) ?? null);
    return source ?? undefined;
  }
}

const symbolizers = new WeakMap<Catalog, Symbolizer>();

/** Says what is at an address; undefined if no module of a catalog is there. */
export function symbolize(catalog: Catalog, address: bigint): SymbolizedAddress | undefined {
  let symbolizer = symbolizers.get(catalog);
  if (symbolizer === undefined) symbolizers.set(catalog, symbolizer = new Symbolizer(catalog));
  return symbolizer.find(address);
}

/**
 * Finds the source of addresses in a catalog's modules; what it reads for one goes with the module.
 *
 * The catalog is held weakly: the engine keeps callbacks, which have the result, until somebody closes them.
 */
export function locatorOf(catalog: Catalog): SourceLocator {
  const held = new WeakRef(catalog);
  return (address) => {
    const catalog = held.deref();
    return catalog && symbolize(catalog, address)?.frames;
  };
}

/** Reads the debug information of a version; undefined if it has none that can be read. */
function readSource(image: LoadedImage, { file }: ImageFacts): SourceMap | undefined {
  if (!hasDebug(image.file)) return undefined;
  return attempt(ignore, () => {
    const debug = image.debug?.read() ?? (file === undefined ? undefined : readDebugFile(file, image.file));
    const { link } = debug ?? {};
    if (link === undefined) return debug === undefined ? undefined : sourceMapOf(debug.sections);
    const companion = file === undefined ? undefined : readCompanion(file, link);
    return companion === undefined ? undefined : sourceMapOf(companionSections(companion));
  });
}
