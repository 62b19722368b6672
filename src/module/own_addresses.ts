/**
 * The words in which a module holds the addresses of its own exported
 * functions, and of all functions that a reload switches: GOT slots, constants
 * and variables. The registry changes them to the functions' canonical
 * addresses, those of trampolines, so that the module and its importers see the
 * same ones. Branches stay direct; those of a hot module that go through slots have {@linkcode CallSlots}.
 */

import { GOT_SLOT_SIZE, isInside, type Region } from "../image/arrange.ts";
import type { LoadedImage } from "../load/image.ts";
import { OwnTrampolines } from "../load/own_trampolines.ts";
import { startArrays } from "../load/start.ts";
import { isCallSlot } from "./call_slots.ts";
import { SwitchedFunctions } from "./function_keys.ts";
import { forEachAddressIn, offsetOf, readWord, writeWord } from "./image_data.ts";
import { openConstants } from "./open_constants.ts";
import { detach, type MemoryAllocator } from "../os/memory/allocator.ts";
import { RelocationType } from "../smf/enums.ts";

/** Words ready to be changed. */
export interface PreparedAddresses {
  /** The canonical addresses of functions, by the indexes of their symbols; 0 for others. One code may be several functions. */
  readonly canonical: Float64Array;
  /** Changes them. Cannot fail. */
  commit(): void;
  /** Protects constants again. */
  release(): void;
}

/** Which variables are changed: those that the file names, or all that hold an address by now. */
export type DataSearch = "initial" | "whole";

/** Words of a region that hold addresses, and the symbols of the functions. */
interface Words {
  readonly places: number[];
  readonly symbols: number[];
}

/** The words of one image that hold addresses of its functions. */
export class OwnAddresses {
  /** Whether the module is to see canonical addresses at all. */
  readonly isCanonical: boolean;
  /** The functions whose addresses the words hold at first, each once. */
  readonly symbols: readonly number[];
  readonly #functions: SwitchedFunctions;
  readonly #image: LoadedImage;
  /** The address of the image. */
  readonly #base: number;
  /** Finds the address of a function's code. */
  readonly #codeOf: (symbol: number) => number;
  /** The loader enters their functions itself, and checks that they are code of the module. */
  readonly #startArrays: ReturnType<typeof startArrays>;
  /** The words in constants and in the GOT, by offsets in the image. */
  readonly #constants: Words = { places: [], symbols: [] };
  /** The words in variables, by offsets from the start of the data group. */
  readonly #variables: Words = { places: [], symbols: [] };

  constructor(image: LoadedImage) {
    this.#image = image;
    this.#base = Number(image.memory.address);
    this.#codeOf = codeIn(image);
    this.#startArrays = startArrays(image.plan);
    this.isCanonical = image.needs !== undefined;
    this.#functions = new SwitchedFunctions(image);
    this.symbols = this.isCanonical ? this.#find() : [];
  }

  /** The key of one of the functions. */
  key(symbol: number): string {
    return this.#functions.key(symbol);
  }

  /**
   * Gets ready to change the words; everything that can fail happens here.
   *
   * @param canonical The canonical addresses of functions, by the indexes of their symbols; 0 for others.
   * @throws {LoadError} `OutOfMemory` if constants cannot be made writable.
   */
  prepare(
    allocator: MemoryAllocator,
    canonical: Float64Array,
    search: DataSearch,
  ): PreparedAddresses {
    const image = this.#image, { memory, plan } = image;
    // Names of one function are one address in C. In a hot module one of them may become another function.
    const bySymbol = image.entries === undefined ? this.#withoutNames(canonical) : canonical;
    const ownTrampolines = new OwnTrampolines(bySymbol, this.#codeOf);
    if (ownTrampolines.isEmpty) return { canonical: bySymbol, commit() {}, release() {} };
    using preparing = new DisposableStack();
    const open = ({ offset, length }: Region): DataView => {
      const { buffer, byteOffset } = preparing.adopt(allocator.view(memory, offset, length), detach);
      return new DataView(buffer, byteOffset, length);
    };
    const constants: { readonly at: number; readonly symbol: number; readonly view: DataView }[] = [];
    const regions = plan.gotRegion === plan.rodata ? [plan.rodata] : [plan.rodata, plan.gotRegion];
    for (const region of regions) {
      const { places, symbols } = this.#constants, end = region.offset + region.length;
      if (!places.some((at) => at >= region.offset && at + 8 <= end)) continue;
      preparing.use(openConstants(allocator, memory, region));
      const view = open(region);
      places.forEach((at, index) => {
        if (at < region.offset || at + 8 > end) return;
        constants.push({ at: at - region.offset, symbol: symbols[index], view });
      });
    }
    const length = search === "whole" ? plan.data.length : image.initialData?.length ?? 0;
    const data = length === 0 ? undefined : open({ offset: plan.data.offset, length });
    image.exits?.setTrampolines(ownTrampolines);
    const prepared = preparing.move();
    return {
      canonical: bySymbol,
      commit: () => {
        image.ownTrampolines = ownTrampolines;
        for (const { at, symbol, view } of constants) this.#change(view, at, symbol, bySymbol);
        if (data === undefined) return;
        this.#replaceVariables(data, bySymbol);
        if (search === "whole") this.#replaceWritten(data, bySymbol);
      },
      release: () => prepared.dispose(),
    };
  }

  /** Finds the functions, and the words that the file says hold their addresses. */
  #find(): number[] {
    const { file, plan } = this.#image, needs = this.#image.needs!;
    const { relocations } = file;
    const found = new Set<number>(), own = this.#functions;
    const add = ({ places, symbols }: Words, at: number, symbol: number): void => {
      places.push(at);
      symbols.push(symbol);
      found.add(symbol);
    };
    for (let slot = 0; slot < needs.firstUse.length; slot++) {
      const symbol = relocations.symbol(needs.firstUse[slot]);
      if (own.has(symbol)) add(this.#constants, plan.got + GOT_SLOT_SIZE * slot, symbol);
    }
    const { rodata, data } = plan;
    for (let index = 0; index < relocations.length; index++) {
      if (relocations.type(index) !== RelocationType.Abs64) continue;
      // Calls lead to the version's own code as long as it is the current one.
      if (isCallSlot(this.#image, relocations.offset(index))) continue;
      const symbol = relocations.symbol(index);
      if (!own.has(symbol) || relocations.addendLow(index) !== 0 || relocations.addendHigh(index) !== 0) {
        continue;
      }
      const at = plan.place(relocations.offset(index), 8);
      if (this.#isStartArray(at)) continue;
      if (isInside(rodata, at)) add(this.#constants, at, symbol);
      else if (isInside(data, at)) add(this.#variables, at - data.offset, symbol);
    }
    return [...found];
  }

  #isStartArray(at: number): boolean {
    for (const { start, end } of this.#startArrays) if (at >= start && at < end) return true;
    return false;
  }

  /** Changes variables, and the initial data that reloads compare them with. */
  #replaceVariables(data: DataView, bySymbol: Float64Array): void {
    const initial = viewOf(this.#initialData()), { places, symbols } = this.#variables;
    places.forEach((at, index) => {
      const symbol = symbols[index];
      if (at + 8 <= data.byteLength) this.#change(data, at, symbol, bySymbol);
      if (at + 8 <= initial.byteLength) this.#change(initial, at, symbol, bySymbol);
    });
  }

  /** Changes a word if it holds the address of the function that it held at first. */
  #change(view: DataView, at: number, symbol: number, bySymbol: Float64Array): void {
    const trampoline = bySymbol[symbol];
    if (trampoline > 0 && readWord(view, at) === this.#codeOf(symbol)) {
      writeWord(view, at, trampoline);
    }
  }

  /**
   * Changes words that code of the module, or a carry, has written. Words as the file has them are left: one
   * may end a range of addresses where a function happens to begin.
   */
  #replaceWritten(data: DataView, bySymbol: Float64Array): void {
    // Hardly any variable has such a word.
    let to: ReadonlyMap<number, number> | undefined;
    const { plan } = this.#image;
    const first = this.#base + plan.code.offset;
    const initial = viewOf(this.#initialData());
    forEachAddressIn(data, 0, data.byteLength, { first, end: first + plan.code.length }, (word, at) => {
      if (this.#isStartArray(plan.data.offset + at)) return;
      if (at + 8 <= initial.byteLength && readWord(initial, at) === word) return;
      const address = (to ??= this.#byCode(bySymbol)).get(word);
      if (address !== undefined) writeWord(data, at, address);
    });
  }

  /** The trampolines by the addresses of the functions' code: of several names of one, that of the last. */
  #byCode(bySymbol: Float64Array): Map<number, number> {
    const to = new Map<number, number>();
    for (let symbol = 0; symbol < bySymbol.length; symbol++) {
      if (bySymbol[symbol] > 0) to.set(this.#codeOf(symbol), bySymbol[symbol]);
    }
    return to;
  }

  /** The same addresses, with one for all names of a function: that of the last. */
  #withoutNames(canonical: Float64Array): Float64Array {
    const to = this.#byCode(canonical);
    return canonical.map((trampoline, symbol) => trampoline > 0 ? to.get(this.#codeOf(symbol))! : 0);
  }

  #initialData(): Uint8Array {
    return this.#image.initialData ?? new Uint8Array();
  }
}

/** Returns what finds the addresses of functions' code; it keeps nothing of the image but the tables of its file. */
function codeIn({ memory: { address }, file, plan }: LoadedImage): (symbol: number) => number {
  const base = Number(address);
  return (symbol) => base + offsetOf({ file, plan }, symbol);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
