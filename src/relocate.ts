/**
 * The relocation formulas: pure bytes in, pure bytes out.
 *
 * In the letters of the psABI (System V x86-64, table 4.9):
 *
 * ```text
 * S  the address of the symbol
 * A  the addend, signed 64 bits
 * P  the address of the place that is patched
 * G  the address of a GOT slot that holds S
 * L  the address of a PLT stub that jumps to S
 *
 * value  name           width  formula             may be
 * 0      None           0      nothing
 * 1      Abs64          8      S + A               any
 * 2      Pc32           4      S + A − P, or L     [−2³¹, 2³¹)
 * 3      Plt32          4      S + A − P, or L     [−2³¹, 2³¹)
 * 4      GotPcRel       4      G + A − P           [−2³¹, 2³¹)
 * 5      Abs32          4      S + A               [0, 2³²)
 * 32     Pc64           8      S + A − P           any
 * 33     Abs32Signed    4      S + A               [−2³¹, 2³¹)
 * ```
 *
 * L stands for S where S is imported and out of reach. Plt32 is a call by its
 * nature; Pc32 may be a data access, for which a stub would be silently wrong,
 * so it gets one only if the symbol is a function.
 *
 * Addresses are pairs of unsigned 32-bit halves, added with their carry: exact
 * modulo 2⁶⁴, and no BigInt in the loop.
 */

import type { LoadError } from "./errors.ts";
import { GOT_SLOT_SIZE, type ImagePlan, PLT_STUB_SIZE } from "./image.ts";
import { failure, type RelocationNeeds, WIDTHS } from "./scan.ts";
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

/** What a PLT stub can stand for: the distance from the end of a call, which its addend says. */
const CALL_ADDEND = -4;

/** Sums addresses in halves; one for each module that is linked. */
class Relocator {
  readonly #file: SmfFile;
  readonly #plan: ImagePlan;
  readonly #needs: RelocationNeeds;
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
      if (type !== RelocationType.None) this.#apply(index, type);
    }
  }

  #apply(index: number, type: number): void {
    const { relocations } = this.#file;
    const width = WIDTHS[type];
    const place = this.#plan.place(relocations.offset(index), width);
    if (place < 0) {
      throw failure(
        this.#file,
        index,
        `Cannot apply relocation: its ${width} bytes are not inside the image`,
      );
    }
    const symbol = relocations.symbol(index);
    if (type === RelocationType.GotPcRel) this.#setG(symbol);
    else this.#setS(index, symbol);
    this.#addA(index);
    switch (type) {
      case RelocationType.Abs32:
        if (this.#high !== 0) throw this.#outOfRange(index, 0n, 0x1_0000_0000n);
        break;
      case RelocationType.Abs32Signed:
        if (!this.#fitsSigned()) throw this.#outOfRange(index);
        break;
      case RelocationType.Pc32:
      case RelocationType.Plt32:
        this.#subtractP(place);
        if (!this.#fitsSigned() && !this.#reachByStub(index, symbol, place)) throw this.#outOfRange(index);
        break;
      case RelocationType.GotPcRel:
        this.#subtractP(place);
        if (!this.#fitsSigned()) throw this.#outOfRange(index);
        break;
      case RelocationType.Pc64:
        this.#subtractP(place);
        break;
    }
    this.#bytes.setUint32(place, this.#low, true);
    if (width === 8) this.#bytes.setInt32(place + 4, this.#high, true);
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

  /** Whether the sum is in [−2³¹, 2³¹). */
  #fitsSigned(): boolean {
    return this.#high === (this.#low | 0) >> 31;
  }

  /** Sum := L + A − P, if there is a stub and it is a call that goes there. */
  #reachByStub(index: number, symbol: number, place: number): boolean {
    const stub = this.#needs.pltStubs.length === 0 ? 0 : this.#needs.pltStubs[symbol];
    const { relocations, symbols } = this.#file;
    // A Plt32 elsewhere may have asked for the stub.
    const isCall = relocations.type(index) === RelocationType.Plt32 ||
      symbols.type(symbol) === SymbolType.Function;
    if (
      stub === 0 || !isCall || relocations.addendHigh(index) !== -1 ||
      (relocations.addendLow(index) | 0) !== CALL_ADDEND
    ) {
      return false;
    }
    this.#setInRange(this.#plan.plt + PLT_STUB_SIZE * (stub - 1));
    this.#addA(index);
    this.#subtractP(place);
    return this.#fitsSigned();
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
      writeStub(this.#bytes, this.#plan.plt + PLT_STUB_SIZE * (pltStubs[symbol] - 1), slot);
    }
  }

  #outOfRange(index: number, first = -0x8000_0000n, limit = 0x8000_0000n): LoadError {
    const type = relocationTypeName(this.#file.relocations.type(index), this.#file.header.arch);
    const value = (BigInt(this.#high) << 32n) | BigInt(this.#low);
    return failure(
      this.#file,
      index,
      `Cannot apply relocation ${type}: the value does not fit; compile with -fPIC`,
      value,
      [first, limit],
    );
  }
}

/**
 * A PLT stub, padded with traps:
 *
 * ```text
 * ff 25 disp32    jmp *[rip + disp32]    the GOT slot
 * cc …            int3
 * ```
 */
function writeStub(bytes: DataView, place: number, slot: number): void {
  const length = 6;
  bytes.setUint16(place, 0x25ff, true);
  bytes.setInt32(place + 2, slot - (place + length), true);
  for (let index = length; index < PLT_STUB_SIZE; index++) bytes.setUint8(place + index, 0xcc);
}
