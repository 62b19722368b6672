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
 * Addresses are pairs of unsigned 32-bit halves, added with their carry: exact
 * modulo 2⁶⁴, and no BigInt in the loop.
 */

import type { LoadError } from "./errors.ts";
import { GOT_SLOT_SIZE, type ImagePlan, PLT_STUB_SIZE } from "./image.ts";
import { Patch, type RelocationArch, Use } from "./relocation/arch.ts";
import { relocationArch } from "./relocation/arches.ts";
import { failure, type RelocationNeeds } from "./scan.ts";
import { RelocationType, relocationTypeName, SymbolType } from "./smf/enums.ts";
import type { SmfFile } from "./smf/file.ts";

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
 * @throws {LoadError} `RelocationFailed`, with the relocation's section, symbol,
 * offset, value and allowed range.
 */
export function relocate(
  image: Uint8Array,
  file: SmfFile,
  plan: ImagePlan,
  needs: RelocationNeeds,
  addresses: SymbolAddresses,
): void {
  new Relocator(image, file, plan, needs, addresses).run();
}

/** What AArch64 calls a page, whatever the host's are. */
const PAGE = 4096;

/** Sums addresses in halves; one for each module that is linked. */
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
  /** The 64-bit sum, in halves: low unsigned, high signed. */
  #low = 0;
  #high = 0;

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
    this.#baseHigh = Number(base >> 32n) | 0;
    this.#importWords = new Uint32Array(imports.buffer, imports.byteOffset, 2 * imports.length);
    this.#importOf = new Int32Array(imports.length === 0 ? 0 : file.symbols.length).fill(-1);
    needs.imports.forEach((symbol, position) => this.#importOf[symbol] = position);
  }

  run(): void {
    this.#fillSlots();
    const { relocations } = this.#file;
    for (let index = 0; index < relocations.length; index++) {
      const type = relocations.type(index);
      if (type === RelocationType.None || (this.#arch.uses[type] & Use.ThreadLocal) !== 0) continue;
      this.#apply(index, type);
    }
  }

  #apply(index: number, type: number): void {
    const { relocations } = this.#file;
    const width = this.#arch.widths[type];
    const place = this.#plan.place(relocations.offset(index), width);
    if (place < 0) {
      throw failure(
        this.#file,
        index,
        `Cannot apply relocation: its ${width} bytes are not inside the image`,
      );
    }
    this.#calculate(index, type, place);
    let patch = this.#patch(place, type);
    if (patch === Patch.OutOfRange && this.#goByStub(index, type, place)) patch = this.#patch(place, type);
    if (patch !== Patch.Done) throw this.#refused(index, type, place, patch);
  }

  /** Sum := what the type's formula says. */
  #calculate(index: number, type: number, place: number): void {
    const symbol = this.#file.relocations.symbol(index);
    const use = this.#arch.uses[type];
    if ((use & Use.Got) !== 0) this.#setG(symbol);
    else this.#setS(index, symbol);
    this.#addA(index);
    if ((use & Use.Page) !== 0) this.#subtractPages(place);
    else if ((use & Use.Relative) !== 0) this.#subtractP(place);
  }

  #patch(place: number, type: number): Patch {
    return this.#arch.patch(this.#bytes, place, type, this.#low, this.#high);
  }

  /** Sum := base + offset, of an offset in the range. */
  #setInRange(offset: number): void {
    const sum = this.#baseLow + offset;
    this.#low = sum >>> 0;
    this.#high = (this.#baseHigh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
  }

  /** Sum := S. */
  #setS(index: number, symbol: number): void {
    const position = this.#importOf.length === 0 ? -1 : this.#importOf[symbol];
    if (position >= 0) {
      this.#low = this.#importWords[2 * position];
      this.#high = this.#importWords[2 * position + 1] | 0;
      return;
    }
    const place = this.#plan.place(this.#file.symbols.value(symbol), 0);
    if (place < 0) {
      throw failure(this.#file, index, "Cannot apply relocation: its symbol has no address in the image");
    }
    this.#setInRange(place);
  }

  /** Sum := G. */
  #setG(symbol: number): void {
    this.#setInRange(this.#plan.got + GOT_SLOT_SIZE * (this.#needs.gotSlots[symbol] - 1));
  }

  /** Sum := sum + A. */
  #addA(index: number): void {
    const { relocations } = this.#file;
    const sum = this.#low + relocations.addendLow(index);
    this.#low = sum >>> 0;
    this.#high = (this.#high + relocations.addendHigh(index) + (sum > 0xffff_ffff ? 1 : 0)) | 0;
  }

  /** Sum := sum − P. */
  #subtractP(place: number): void {
    const low = this.#low;
    const high = this.#high;
    this.#setInRange(place);
    const difference = low - this.#low;
    this.#high = (high - this.#high - (difference < 0 ? 1 : 0)) | 0;
    this.#low = difference >>> 0;
  }

  /** Sum := Page(sum) − Page(P). */
  #subtractPages(place: number): void {
    this.#low = (this.#low & -PAGE) >>> 0;
    // The range begins at a page.
    this.#subtractP(place - place % PAGE);
  }

  /** Sum := L + A − P, if there is a stub and it is a call that goes there. */
  #goByStub(index: number, type: number, place: number): boolean {
    const { relocations, symbols } = this.#file;
    const symbol = relocations.symbol(index);
    const stub = this.#needs.pltStubs.length === 0 ? 0 : this.#needs.pltStubs[symbol];
    if (stub === 0) return false;
    const use = this.#arch.uses[type];
    const { callAddend } = this.#arch;
    // Another relocation may have asked for the stub.
    const isCall = (use & Use.Call) !== 0 ||
      ((use & Use.CallOfFunction) !== 0 && symbols.type(symbol) === SymbolType.Function);
    if (
      !isCall || relocations.addendHigh(index) !== callAddend >> 31 ||
      (relocations.addendLow(index) | 0) !== callAddend
    ) {
      return false;
    }
    this.#setInRange(this.#plan.plt + PLT_STUB_SIZE * (stub - 1));
    this.#addA(index);
    this.#subtractP(place);
    return true;
  }

  #fillSlots(): void {
    const { gotSlots, pltStubs, firstUse } = this.#needs;
    for (let symbol = 0; symbol < gotSlots.length; symbol++) {
      if (gotSlots[symbol] === 0) continue;
      this.#setS(firstUse[gotSlots[symbol] - 1], symbol);
      const place = this.#plan.got + GOT_SLOT_SIZE * (gotSlots[symbol] - 1);
      this.#bytes.setUint32(place, this.#low, true);
      this.#bytes.setInt32(place + 4, this.#high, true);
    }
    for (let symbol = 0; symbol < pltStubs.length; symbol++) {
      if (pltStubs[symbol] === 0) continue;
      const slot = this.#plan.got + GOT_SLOT_SIZE * (gotSlots[symbol] - 1);
      const stub = this.#plan.plt + PLT_STUB_SIZE * (pltStubs[symbol] - 1);
      this.#arch.writeStub(this.#bytes, stub, slot, PLT_STUB_SIZE);
    }
  }

  #refused(index: number, type: number, place: number, patch: Patch): LoadError {
    // A stub may have taken the sum's place.
    this.#calculate(index, type, place);
    const value = (BigInt(this.#high) << 32n) | BigInt(this.#low);
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
