/**
 * The relocation formulas: pure bytes in, pure bytes out.
 *
 * In the letters of the psABIs:
 *
 * ```text
 * S  the address of the symbol
 * A  the addend, signed 64 bits
 * P  the address of the place that is patched
 * G  the address of a GOT slot that holds S
 * L  the address of a PLT stub that jumps to S
 *
 * Page(x)  x without its low 12 bits
 * ```
 *
 * The formulas of each processor stand in its file in `relocation/`. L stands
 * for S where S is imported and out of reach.
 *
 * Addresses are pairs of 32-bit halves. A sum of low halves is exact as a
 * number; what it has above 32 bits, or below zero, goes to the high half. So
 * the result is exact modulo 2⁶⁴, and there is no BigInt in the loop.
 */

import { GOT_SLOT_SIZE, type PlacedGroup, PLT_STUB_SIZE } from "./arrangement.ts";
import { attempt, type LoadError, raise, type Report } from "./errors.ts";
import { type ImagePlan, NO_GROUP } from "./image.ts";
import { Patch, type RelocationArch, Use } from "./relocation/arch.ts";
import { relocationArch } from "./relocation/arches.ts";
import { failure, type RelocationNeeds } from "./scan.ts";
import { relocationTypeName, SymbolType } from "./smf/enums.ts";
import type { SmfFile } from "./smf/file.ts";
import { RELOCATION_WORDS } from "./smf/reloc.ts";
import { SYMBOL_WORDS } from "./smf/symbol.ts";

/** Where a module and its imports are. */
export interface SymbolAddresses {
  /** The range's address. */
  readonly base: bigint;
  /** The addresses of the symbols in {@linkcode RelocationNeeds.imports}, in that order. */
  readonly imports: BigUint64Array<ArrayBuffer>;
}

/**
 * Fills GOT and PLT and applies every relocation of `file` to `image`, the
 * bytes of the whole range.
 *
 * @param report Told about relocations that cannot be applied.
 * @throws {LoadError} `RelocationFailed`, with the relocation's section, symbol,
 * offset, value and allowed range.
 */
export function relocate(
  image: Uint8Array,
  file: SmfFile,
  plan: ImagePlan,
  needs: RelocationNeeds,
  addresses: SymbolAddresses,
  report: Report = raise,
): void {
  const relocator = new Relocator(image, file, plan, needs, addresses);
  if (report === raise) relocator.run();
  else relocator.tryAll(report);
}

/** What AArch64 calls a page, whatever the host's are. */
const PAGE = 4096;

const { offset: OFFSET, symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;
const { value: VALUE } = SYMBOL_WORDS;
const TWO_32 = 0x1_0000_0000;

/** Applies the relocations of one module that is linked. */
class Relocator {
  readonly #file: SmfFile;
  readonly #plan: ImagePlan;
  readonly #needs: RelocationNeeds;
  readonly #arch: RelocationArch;
  readonly #bytes: DataView;
  readonly #baseLow: number;
  readonly #baseHigh: number;
  /** The imports' addresses, low half first. */
  readonly #importWords: Uint32Array;
  /** For each symbol its place among the imports, or -1; empty if nothing is imported. */
  readonly #importOf: Int32Array;

  constructor(
    image: Uint8Array,
    file: SmfFile,
    plan: ImagePlan,
    needs: RelocationNeeds,
    { base, imports }: SymbolAddresses,
  ) {
    this.#file = file;
    this.#plan = plan;
    this.#needs = needs;
    this.#arch = relocationArch(file.header.arch);
    this.#bytes = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.#baseLow = Number(base & 0xffff_ffffn);
    this.#baseHigh = Number(base >> 32n);
    this.#importWords = new Uint32Array(imports.buffer, imports.byteOffset, 2 * imports.length);
    this.#importOf = new Int32Array(imports.length === 0 ? 0 : file.symbols.length).fill(-1);
    needs.imports.forEach((symbol, position) => this.#importOf[symbol] = position);
  }

  run(): void {
    this.#fillSlots();
    this.#apply(0, this.#file.relocations.length);
  }

  /** Applies the relocations from `first` up to but not including `end`. */
  #apply(first: number, end: number): void {
    const arch = this.#arch, bytes = this.#bytes, importWords = this.#importWords, importOf = this.#importOf;
    const baseLow = this.#baseLow, baseHigh = this.#baseHigh, gotStart = this.#plan.got;
    const { widths, uses } = arch;
    const { gotSlots } = this.#needs;
    const { words } = this.#file.relocations;
    const { words: symbolWords, step: symbolStep } = this.#file.symbols;
    // Neighbours mostly lie in one group, and what they refer to in another.
    let from = NO_GROUP, to = NO_GROUP;
    for (let index = first; index < end; index++) {
      const at = index * STEP;
      const type = words[at + TYPE] & 0xff;
      const width = widths[type];
      const use = uses[type];
      if (width === 0 || (use & Use.ThreadLocal) !== 0) continue;
      // No image reaches beyond 32 bits.
      const offset = words[at + OFFSET];
      if (words[at + OFFSET + 1] !== 0 || offset < from.start || offset + width > from.end) {
        from = this.#groupOf(index, width);
      }
      const place = offset + from.delta;

      const symbol = words[at + SYMBOL];
      let low = words[at + ADDEND];
      let high = words[at + ADDEND + 1] | 0;
      if ((use & Use.Got) !== 0) {
        low += baseLow + gotStart + GOT_SLOT_SIZE * (gotSlots[symbol] - 1);
        high += baseHigh;
      } else if (importOf.length > 0 && importOf[symbol] >= 0) {
        const position = 2 * importOf[symbol];
        low += importWords[position];
        high += importWords[position + 1];
      } else {
        const field = symbol * symbolStep + VALUE;
        const value = symbolWords[field];
        if (symbolWords[field + 1] === 0 && value >= to.start && value < to.end) {
          low += baseLow + value + to.delta;
        } else {
          low += baseLow + this.#offsetOf(index, symbol);
          to = this.#plan.groupOf(value) ?? NO_GROUP;
        }
        high += baseHigh;
      }
      if ((use & Use.Page) !== 0) {
        // The range begins at a page.
        low -= (low & (PAGE - 1)) + baseLow + place - place % PAGE;
        high -= baseHigh;
      } else if ((use & Use.Relative) !== 0) {
        low -= baseLow + place;
        high -= baseHigh;
      }
      high = (high + Math.floor(low / TWO_32)) | 0;
      low >>>= 0;
      const patch = arch.patch(bytes, place, type, low, high);
      if (patch !== Patch.Done) this.#applyOtherwise(index, type, place, patch, low, high);
    }
  }

  /** As {@linkcode Relocator.run}, past what cannot be applied. */
  tryAll(report: Report): void {
    attempt(report, () => this.#fillSlots());
    const { relocations } = this.#file;
    for (let index = 0; index < relocations.length; index++) {
      // Unknown types were found by the scan.
      if (this.#arch.widths[relocations.type(index)] < 0) continue;
      attempt(report, () => this.#apply(index, index + 1));
    }
  }

  /** Goes by a PLT stub where the symbol is out of reach, if it can. */
  #applyOtherwise(
    index: number,
    type: number,
    place: number,
    patch: Patch,
    low: number,
    high: number,
  ): void {
    const stub = patch === Patch.OutOfRange ? this.#stubFor(index, this.#arch.uses[type]) : 0;
    if (stub > 0) {
      const distance = this.#plan.plt + PLT_STUB_SIZE * (stub - 1) + this.#arch.callAddend - place;
      patch = this.#arch.patch(this.#bytes, place, type, distance >>> 0, distance < 0 ? -1 : 0);
    }
    if (patch !== Patch.Done) throw this.#refused(index, type, place, patch, low, high);
  }

  /** The group that has all bytes that a relocation patches. */
  #groupOf(index: number, width: number): PlacedGroup {
    const offset = this.#file.relocations.offset(index);
    const group = this.#plan.groupOf(offset);
    if (group !== undefined && offset + width <= group.end) return group;
    throw failure(
      this.#file,
      index,
      `Cannot apply relocation: its ${width} bytes are not inside the image`,
    );
  }

  /** Where a symbol of the file's own is in the range. */
  #offsetOf(index: number, symbol: number): number {
    const offset = this.#plan.place(this.#file.symbols.value(symbol), 0);
    if (offset < 0) {
      throw failure(this.#file, index, "Cannot apply relocation: its symbol has no address in the image");
    }
    return offset;
  }

  /** The PLT stub plus one by which a relocation may go: of a call, if there is one; else 0. */
  #stubFor(index: number, use: number): number {
    const { relocations, symbols } = this.#file;
    const symbol = relocations.symbol(index);
    const stub = this.#needs.pltStubs.length === 0 ? 0 : this.#needs.pltStubs[symbol];
    if (stub === 0) return 0;
    const { callAddend } = this.#arch;
    // Another relocation may have asked for the stub.
    const isCall = (use & Use.Call) !== 0 ||
      ((use & Use.CallOfFunction) !== 0 && symbols.type(symbol) === SymbolType.Function);
    const isPlain = relocations.addendHigh(index) === callAddend >> 31 &&
      (relocations.addendLow(index) | 0) === callAddend;
    return isCall && isPlain ? stub : 0;
  }

  #fillSlots(): void {
    const { gotSlots, pltStubs, firstUse } = this.#needs;
    for (let symbol = 0; symbol < gotSlots.length; symbol++) {
      if (gotSlots[symbol] === 0) continue;
      const place = this.#plan.got + GOT_SLOT_SIZE * (gotSlots[symbol] - 1);
      this.#fillSlot(place, symbol, firstUse[gotSlots[symbol] - 1]);
    }
    for (let symbol = 0; symbol < pltStubs.length; symbol++) {
      if (pltStubs[symbol] === 0) continue;
      const slot = this.#plan.got + GOT_SLOT_SIZE * (gotSlots[symbol] - 1);
      const stub = this.#plan.plt + PLT_STUB_SIZE * (pltStubs[symbol] - 1);
      this.#arch.writeStub(this.#bytes, stub, slot, PLT_STUB_SIZE);
    }
  }

  /** Writes S where the range has a GOT slot. */
  #fillSlot(place: number, symbol: number, firstUse: number): void {
    const position = this.#importOf.length === 0 ? -1 : this.#importOf[symbol];
    let low: number, high: number;
    if (position >= 0) {
      low = this.#importWords[2 * position];
      high = this.#importWords[2 * position + 1];
    } else {
      low = this.#baseLow + this.#offsetOf(firstUse, symbol);
      high = this.#baseHigh + Math.floor(low / TWO_32);
    }
    this.#bytes.setUint32(place, low, true);
    this.#bytes.setUint32(place + 4, high, true);
  }

  #refused(index: number, type: number, place: number, patch: Patch, low: number, high: number): LoadError {
    const value = (BigInt(high) << 32n) | BigInt(low);
    const what = `Cannot apply relocation ${relocationTypeName(type, this.#file.header.arch)}`;
    switch (patch) {
      case Patch.Misaligned:
        return failure(
          this.#file,
          index,
          `${what}: the value is no multiple of what the instruction counts in`,
          value,
        );
      case Patch.WrongInstruction:
        return failure(
          this.#file,
          index,
          `${what}: there is no instruction that takes it`,
          place % 4 === 0 ? this.#bytes.getUint32(place, true) : undefined,
        );
      default: {
        const problem = `${what}: the value does not fit; compile with -fPIC`;
        return failure(this.#file, index, problem, value, this.#arch.range(type));
      }
    }
  }
}
