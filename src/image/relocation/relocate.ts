/**
 * Relocates an image: pure bytes in, pure bytes out.
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
 * The formulas of each processor are in its file. L replaces S where S is
 * imported and out of reach.
 *
 * `loop.ts` calculates them. This file handles the rare cases: stubs, parts of
 * instructions, and errors.
 */

import { GOT_SLOT_SIZE, PLT_STUB_SIZE } from "../arrange.ts";
import { attempt, type LoadError, raise, type Report } from "../../errors/load_error.ts";
import type { ImagePlan } from "../plan.ts";
import { Patch, type RelocationArch, Use } from "./arch.ts";
import { relocationArch } from "./mod.ts";
import { applyRelocations, carry, highHalf, lowHalf, type RelocationWork, Stop } from "./loop.ts";
import { relocationError, type RelocationNeeds } from "./scan.ts";
import { relocationTypeName, SymbolType } from "../../smf/enums.ts";
import { stepForMissing } from "../../os/missing_names.ts";
import type { SmfFile } from "../../smf/file.ts";
import { signedWords } from "../../smf/reader.ts";
import { SYMBOL_WORDS } from "../../smf/symbol.ts";

const { value: VALUE } = SYMBOL_WORDS;
const NONE = new Int32Array(0);

/** The addresses of a module and of its imports. */
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
 * @param report Called for each relocation that cannot be applied.
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

/**
 * Returns a function that applies some relocations and fills some GOT slots again, with other addresses of their
 * symbols than those in the image. It throws `RelocationFailed` if code cannot reach one of them; those before it
 * are applied then.
 *
 * @param symbols The symbols and their addresses, in the same order; all relocations and slots are of these.
 */
export function relocatorTo(
  image: Uint8Array,
  file: SmfFile,
  plan: ImagePlan,
  needs: RelocationNeeds,
  base: bigint,
  symbols: { readonly symbols: readonly number[]; readonly addresses: BigUint64Array<ArrayBuffer> },
): (some: { readonly relocations: readonly number[]; readonly slots: readonly number[] }) => void {
  const relocator = new Relocator(image, file, plan, { ...needs, imports: symbols.symbols }, {
    base,
    imports: symbols.addresses,
  });
  return ({ relocations, slots }) => relocator.runSome(relocations, slots);
}

/** Applies the relocations of one module. */
class Relocator {
  readonly #file: SmfFile;
  readonly #plan: ImagePlan;
  readonly #needs: RelocationNeeds;
  readonly #arch: RelocationArch;
  readonly #bytes: DataView;
  readonly #work: RelocationWork;
  /** The range's address. */
  readonly #base: bigint;

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
    this.#base = base;
    this.#bytes = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const importOf = imports.length === 0 ? NONE : new Int32Array(file.symbols.length);
    for (let position = 0; position < imports.length; position++) {
      importOf[needs.imports[position]] = position + 1;
    }
    this.#work = {
      bytes: this.#bytes,
      uses: this.#arch.uses,
      relocations: signedWords(file.relocations.words),
      symbols: signedWords(file.symbols.words),
      symbolStep: file.symbols.step,
      pageTable: plan.pageTable,
      baseLow: lowHalf(base),
      baseHigh: highHalf(base),
      imports: distances(imports, base),
      importOf,
      got: plan.got,
      gotSlots: needs.gotSlots,
      stop: Stop.Value,
      place: 0,
      low: 0,
      high: 0,
    };
  }

  run(): void {
    this.#fillSlots();
    this.#apply(0, this.#file.relocations.length);
  }

  runSome(indices: readonly number[], slots: readonly number[]): void {
    for (const slot of slots) this.#fillSlots(slot, slot + 1);
    for (let at = 0; at < indices.length;) {
      const first = indices[at];
      let end = first;
      while (indices[at] === end) at++, end++;
      this.#apply(first, end);
    }
  }

  /** Applies the relocations from `first` up to but not including `end`. */
  #apply(first: number, end: number): void {
    const work = this.#work;
    let index = applyRelocations(work, first, end);
    for (; index < end; index = applyRelocations(work, index + 1, end)) {
      if (work.stop === Stop.Place) throw this.#isOutside(index);
      if (work.stop === Stop.Symbol) throw this.#hasNoAddress(index);
      this.#applyRare(index);
    }
  }

  /** Like {@linkcode Relocator.run}, but reports what cannot be applied and continues. */
  tryAll(report: Report): void {
    attempt(report, () => this.#fillSlots());
    const { relocations } = this.#file;
    for (let index = 0; index < relocations.length; index++) {
      attempt(report, () => this.#apply(index, index + 1));
    }
  }

  /** Patches a part of an instruction, or goes through a PLT stub if the symbol is out of reach. */
  #applyRare(index: number): void {
    const { place, low, high } = this.#work;
    const arch = this.#arch, bytes = this.#bytes;
    const type = this.#file.relocations.type(index);
    const use = arch.uses[type];
    const isInstruction = (use & Use.Instruction) !== 0;
    let result = isInstruction ? arch.patchInstruction(bytes, place, type, low, high) : Patch.OutOfRange;
    const stub = result === Patch.OutOfRange ? this.#stubFor(index, use) : 0;
    if (stub > 0) {
      const distance = this.#plan.plt + PLT_STUB_SIZE * (stub - 1) + arch.callAddend - place;
      if (isInstruction) result = arch.patchInstruction(bytes, place, type, distance, distance >> 31);
      else {
        // Always fits: no range is that large.
        bytes.setInt32(place, distance, true);
        result = Patch.Done;
      }
    }
    if (result !== Patch.Done) throw this.#refused(index, type, place, result, low, high);
  }

  #isOutside(index: number): LoadError {
    const width = this.#arch.widths[this.#file.relocations.type(index)];
    return relocationError(
      this.#file,
      index,
      `Cannot apply relocation: its ${width} bytes are not inside the image`,
    );
  }

  #hasNoAddress(index: number): LoadError {
    return relocationError(
      this.#file,
      index,
      "Cannot apply relocation: its symbol has no address in the image",
    );
  }

  /** The PLT stub, plus one, that a relocation may go through: only a call may; 0 if there is none. */
  #stubFor(index: number, use: number): number {
    const { relocations, symbols } = this.#file;
    const symbol = relocations.symbol(index);
    const stub = this.#needs.pltStubs.length === 0 ? 0 : this.#needs.pltStubs[symbol];
    if (stub === 0) return 0;
    const { callAddend } = this.#arch;
    // The stub may exist for another relocation of the symbol only.
    const isCall = (use & Use.Call) !== 0 ||
      ((use & Use.CallOfFunction) !== 0 && symbols.type(symbol) === SymbolType.Function);
    const isPlain = relocations.addendHigh(index) === callAddend >> 31 &&
      (relocations.addendLow(index) | 0) === callAddend;
    return isCall && isPlain ? stub : 0;
  }

  /** Fills the GOT slots from `first` up to but not including `end` with S, and writes the stubs that jump through them. */
  #fillSlots(first = 0, end = this.#needs.firstUse.length): void {
    const { pltStubs, firstUse } = this.#needs;
    const { relocations } = this.#file;
    const { bytes, symbols, pageTable, imports, importOf } = this.#work;
    const isImporting = importOf.length > 0;
    const got = this.#plan.got | 0, plt = this.#plan.plt | 0, step = this.#work.symbolStep | 0;
    const baseLow = this.#work.baseLow | 0, baseHigh = this.#work.baseHigh | 0;
    for (let slot = first; slot < end; slot++) {
      const index = firstUse[slot];
      const symbol = relocations.symbol(index);
      const position = isImporting ? importOf[symbol] - 1 : -1;
      let distance = 0, distanceHigh = 0;
      if (position >= 0) {
        distance = imports[2 * position];
        distanceHigh = imports[2 * position + 1];
      } else {
        const field = symbol * step + VALUE;
        distance = pageTable.place(symbols[field], symbols[field + 1]);
        if (distance < 0) throw this.#hasNoAddress(index);
      }
      const low = (distance + baseLow) | 0;
      const place = got + GOT_SLOT_SIZE * slot;
      bytes.setInt32(place, low, true);
      bytes.setInt32(place + 4, (distanceHigh + baseHigh + carry(distance, baseLow, low)) | 0, true);
      const stub = pltStubs.length === 0 ? 0 : pltStubs[symbol];
      if (stub > 0) this.#arch.writeStub(bytes, plt + PLT_STUB_SIZE * (stub - 1), place, PLT_STUB_SIZE);
    }
  }

  #outOfReach(symbol: number): OutOfReach {
    const { imports, importOf } = this.#work;
    const position = importOf.length === 0 ? -1 : importOf[symbol] - 1;
    const name = this.#file.symbols.name(symbol);
    if (position < 0) {
      return {
        problem: "the value does not fit",
        hint: "compile with -fPIC; if it is compiled so, its symbol is more than 2 GiB away",
      };
    }
    const distance = (BigInt(imports[2 * position + 1]) << 32n) | BigInt(imports[2 * position] >>> 0);
    if (BigInt.asUintN(64, distance + this.#base) === 0n) {
      return {
        problem: "nobody defines its symbol, and the address 0 is out of the code's reach",
        hint: `compile with -fPIC, so that '${name}' may be missing; or: ${stepForMissing([name])}`,
      };
    }
    return {
      problem: "the value does not fit: its symbol is in another module or library, out of the code's reach",
      hint: `compile with -fPIC, or link the object or archive that defines '${name}' too`,
    };
  }

  #refused(index: number, type: number, place: number, result: Patch, low: number, high: number): LoadError {
    const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
    const cannot = `Cannot apply relocation ${relocationTypeName(type, this.#file.header.arch)}`;
    switch (result) {
      case Patch.Misaligned:
        return relocationError(
          this.#file,
          index,
          `${cannot}: the value is not a multiple of the instruction's unit`,
          { value },
        );
      case Patch.WrongInstruction:
        return relocationError(
          this.#file,
          index,
          `${cannot}: the bytes are not an instruction that takes it`,
          place % 4 === 0 ? { value: this.#bytes.getUint32(place, true) } : {},
        );
      default: {
        const { problem, hint } = this.#outOfReach(this.#file.relocations.symbol(index));
        return relocationError(this.#file, index, `${cannot}: ${problem}`, {
          value,
          range: this.#arch.range(type),
          hint,
        });
      }
    }
  }
}

/** Why a value does not fit, and the next step, by what its symbol is. */
interface OutOfReach {
  readonly problem: string;
  readonly hint: string;
}

/** The distances from `base` to each address, in halves, low half first. */
function distances(addresses: BigUint64Array<ArrayBuffer>, base: bigint): Int32Array {
  if (addresses.length === 0) return NONE;
  const words = new Int32Array(addresses.slice().buffer);
  const low = lowHalf(-base), high = highHalf(-base);
  for (let at = 0; at < words.length; at += 2) {
    const sum = (words[at] + low) | 0;
    words[at + 1] += high + carry(words[at], low, sum);
    words[at] = sum;
  }
  return words;
}
