/**
 * The words in which a module holds the addresses of its own exported
 * functions, and of all functions that a reload switches: GOT slots, constants
 * and variables. The registry changes them to the functions' canonical
 * addresses, those of trampolines, so that the module and its importers see the
 * same ones. Branches stay direct, but those of a hot module that go through slots.
 */

import type { Region } from "../image/arrange.ts";
import { GOT_SLOT_SIZE } from "../image/arrange.ts";
import type { LoadedImage } from "../load/image.ts";
import { startArrays } from "../load/start.ts";
import { placeOfKey } from "./function_keys.ts";
import { forEachAddress, readAddress, writeAddress } from "./image_data.ts";
import { detach, type MemoryAllocator, Protection } from "../os/memory/allocator.ts";
import { RelocationType, SymbolType } from "../smf/enums.ts";

/** Words ready to be changed. */
export interface PreparedAddresses {
  /** The canonical addresses of functions, by the indexes of their symbols: one code may be several functions. */
  readonly canonical: ReadonlyMap<number, number>;
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
  /** The keys of the functions, each once. */
  readonly keys: readonly string[];
  readonly #image: LoadedImage;
  /** The loader enters their functions itself, and checks that they are code of the module. */
  readonly #startArrays: ReturnType<typeof startArrays>;
  /** The words in constants and in the GOT, by offsets in the image. */
  readonly #constants: Words = { places: [], symbols: [] };
  /** The words in variables, by offsets from the start of the data group. */
  readonly #variables: Words = { places: [], symbols: [] };

  constructor(image: LoadedImage) {
    this.#image = image;
    this.#startArrays = startArrays(image.plan);
    this.isCanonical = image.needs !== undefined;
    this.keys = this.isCanonical ? this.#find() : [];
  }

  /**
   * Gets ready to change the words; everything that can fail happens here.
   *
   * @param canonical The canonical addresses of functions, by key.
   * @throws {LoadError} `OutOfMemory` if constants cannot be made writable.
   */
  prepare(
    allocator: MemoryAllocator,
    canonical: ReadonlyMap<string, bigint>,
    search: DataSearch,
  ): PreparedAddresses {
    const image = this.#image, { memory, plan, file } = image, base = Number(memory.address);
    const to = new Map<number, number>(), bySymbol = new Map<number, Switch>();
    for (const [key, trampoline] of canonical) {
      const { index } = placeOfKey(image, key)!;
      const from = base + plan.place(file.symbols.value(index), 0);
      const change = { from, to: Number(trampoline) };
      to.set(change.from, change.to);
      bySymbol.set(index, change);
    }
    // Names of one function are one address in C. In a hot module one of them may become another function.
    if (image.entries === undefined) {
      for (const [index, { from }] of bySymbol) bySymbol.set(index, { from, to: to.get(from)! });
    }
    if (to.size === 0) return { canonical: new Map(), commit() {}, release() {} };
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
      allocator.protect(memory, Protection.READ_WRITE, region.offset, region.length);
      preparing.defer(() => {
        try {
          allocator.protect(memory, Protection.READ_ONLY, region.offset, region.length);
        } catch {
          // They stay writable, never executable.
        }
      });
      const view = open(region);
      places.forEach((at, index) => {
        if (at < region.offset || at + 8 > end) return;
        constants.push({ at: at - region.offset, symbol: symbols[index], view });
      });
    }
    const length = search === "whole" ? plan.data.length : image.initialData?.length ?? 0;
    const data = length === 0 ? undefined : open({ offset: plan.data.offset, length });
    const ownTrampolines = new Map([...to].map(([address, trampoline]) => [trampoline, address]));
    image.exits?.setTrampolines(ownTrampolines);
    const prepared = preparing.move();
    return {
      canonical: new Map(Array.from(bySymbol, ([index, { to }]) => [index, to])),
      commit: () => {
        image.ownTrampolines = ownTrampolines;
        for (const { at, symbol, view } of constants) change(view, at, bySymbol.get(symbol));
        if (data === undefined) return;
        this.#replaceVariables(data, bySymbol);
        if (search === "whole") this.#replaceWritten(data, to);
      },
      release: () => prepared.dispose(),
    };
  }

  /** Finds the functions, and the words that the file says hold their addresses. */
  #find(): string[] {
    const { file, plan } = this.#image, needs = this.#image.needs!;
    const { relocations, symbols } = file;
    const found = new Set<number>();
    const own = new Uint8Array(symbols.length);
    for (let symbol = 0; symbol < own.length; symbol++) {
      if (symbols.type(symbol) === SymbolType.Function && symbols.isExport(symbol)) own[symbol] = 1;
    }
    const entries = this.#image.entries ?? [];
    for (const { symbol } of entries) own[symbol] = 1;
    const add = ({ places, symbols }: Words, at: number, symbol: number): void => {
      places.push(at);
      symbols.push(symbol);
      found.add(symbol);
    };
    for (let slot = 0; slot < needs.firstUse.length; slot++) {
      const symbol = relocations.symbol(needs.firstUse[slot]);
      if (own[symbol] !== 0) add(this.#constants, plan.got + GOT_SLOT_SIZE * slot, symbol);
    }
    const { rodata, data } = plan;
    for (let index = 0; index < relocations.length; index++) {
      if (relocations.type(index) !== RelocationType.Abs64) continue;
      const symbol = relocations.symbol(index);
      if (own[symbol] === 0 || relocations.addendLow(index) !== 0 || relocations.addendHigh(index) !== 0) {
        continue;
      }
      const at = plan.place(relocations.offset(index), 8);
      if (this.#isStartArray(at)) continue;
      if (at >= rodata.offset && at < rodata.offset + rodata.length) add(this.#constants, at, symbol);
      else if (at >= data.offset && at < data.offset + data.length) {
        add(this.#variables, at - data.offset, symbol);
      }
    }
    const keys = new Map(entries.map(({ symbol, key }) => [symbol, key]));
    return [...found].map((symbol) => keys.get(symbol) ?? symbols.name(symbol));
  }

  #isStartArray(at: number): boolean {
    for (const { start, end } of this.#startArrays) if (at >= start && at < end) return true;
    return false;
  }

  /** Changes variables, and the initial data that reloads compare them with. */
  #replaceVariables(data: DataView, bySymbol: ReadonlyMap<number, Switch>): void {
    const initial = viewOf(this.#initialData()), { places, symbols } = this.#variables;
    places.forEach((at, index) => {
      const switched = bySymbol.get(symbols[index]);
      if (at + 8 <= data.byteLength) change(data, at, switched);
      if (at + 8 <= initial.byteLength) change(initial, at, switched);
    });
  }

  /**
   * Changes words that code of the module, or a carry, has written. Words as the file has them are left: one
   * may end a range of addresses where a function happens to begin.
   */
  #replaceWritten(data: DataView, to: ReadonlyMap<number, number>): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const { memory, plan } = this.#image;
    const first = Number(memory.address) + plan.code.offset;
    const initial = this.#initialData();
    forEachAddress(bytes, 0, { first, end: first + plan.code.length }, (word, at) => {
      if (this.#isStartArray(plan.data.offset + at)) return;
      if (at + 8 > initial.length || readAddress(initial, at) !== word) replace(bytes, at, to);
    });
  }

  #initialData(): Uint8Array {
    return this.#image.initialData ?? new Uint8Array();
  }
}

/** The address of a function's code, and that of its trampoline. */
interface Switch {
  readonly from: number;
  readonly to: number;
}

/** Changes a word if it holds the address of the function that it held at first. */
function change(view: DataView, at: number, switched: Switch | undefined): void {
  if (switched === undefined) return;
  if (view.getUint32(at + 4, true) * HALF + view.getUint32(at, true) !== switched.from) return;
  view.setUint32(at, switched.to % HALF, true);
  view.setUint32(at + 4, Math.floor(switched.to / HALF), true);
}

const HALF = 2 ** 32;

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Changes a word if it holds one of the addresses. */
function replace(bytes: Uint8Array, at: number, to: ReadonlyMap<number, number>): void {
  const address = to.get(readAddress(bytes, at));
  if (address !== undefined) writeAddress(bytes, at, address);
}
