/**
 * Scans a file's relocations in one pass before any memory is reserved: finds the
 * imports, counts GOT slots and PLT stubs, and refuses relocations that cannot be
 * applied.
 */

import { LoadError, type LoadErrorData, raise, type Report } from "../../errors/load_error.ts";
import { relocationArch } from "./mod.ts";
import { Use } from "./arch.ts";
import { archName, SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { signedWords } from "../../smf/reader.ts";
import { RELOCATION_WORDS } from "../../smf/reloc.ts";

const { offset: OFFSET, symbol: SYMBOL, type: TYPE, step: STEP } = RELOCATION_WORDS;
const GOT = Use.Got;
const CALLS = Use.Call | Use.CallOfFunction;
/** The value is calculated, from a symbol that may be an import. */
const CALCULATED = Use.Bytes4 | Use.Bytes8;
/** Every bit that may need more than a look at the type. */
const NEEDS = CALCULATED | GOT | CALLS | Use.ThreadLocal | Use.Ifunc | Use.Low;
// Shared, since an empty array costs as much as any other.
const NONE = new Int32Array(0);
const NOTHING_HANDLED = new Uint16Array(0);

/** The resources that a file's relocations need before they can be applied. */
export interface RelocationNeeds {
  /** The indices of the undefined symbols that are referred to, each once, in the order of first use. */
  readonly imports: readonly number[];
  /** The GOT slot of each symbol plus one, 0 for none; empty if no slot is needed. */
  readonly gotSlots: Int32Array;
  readonly gotCount: number;
  /** The relocation that needs each GOT slot first. */
  readonly firstUse: readonly number[];
  /** The PLT stub of each symbol plus one, 0 for none; empty if no stub may be needed. */
  readonly pltStubs: Int32Array;
  readonly pltCount: number;
  /** Whether an address of the image itself is held in 32 bits. */
  readonly isLow: boolean;
  /** The relocations of thread-local variables. */
  readonly threadLocal: readonly number[];
  /** The relocations of ifuncs. */
  readonly ifuncs: readonly number[];
}

/**
 * Scans all relocations once: refuses unknown types and overlapping places,
 * counts GOT slots and PLT stubs, and lists the imports.
 *
 * @param report Called for each relocation that cannot be applied.
 * @throws {LoadError} `RelocationFailed`.
 */
export function scanRelocations(file: SmfFile, report: Report = raise): RelocationNeeds {
  const { relocations, symbols } = file;
  const { widths, uses } = relocationArch(file.header.arch);
  const words = signedWords(relocations.words);
  const imports: number[] = [], firstUse: number[] = [];
  const threadLocal: number[] = [], ifuncs: number[] = [], unknown: number[] = [];
  /** The bits of {@linkcode Use} of each symbol that need no more work. */
  const handled = words.length === 0 ? NOTHING_HANDLED : new Uint16Array(symbols.length);
  let gotSlots = NONE, pltStubs = NONE;
  let pltCount = 0;
  let isLow = false;
  let end = 0;
  let ascending = true;
  for (let at = 0, index = 0; at < words.length; at += STEP, index++) {
    const type = words[at + TYPE] & 0xff;
    const width = widths[type];
    if (width <= 0) {
      if (width < 0) unknown.push(index);
      continue;
    }
    const offset = words[at + OFFSET];
    // Offsets from 2³¹ on get the same closer check as offsets out of order.
    if (offset < end || words[at + OFFSET + 1] !== 0) ascending = false;
    end = offset + width;
    const symbol = words[at + SYMBOL];
    const use = uses[type];
    if ((use & NEEDS & ~handled[symbol]) === 0) continue;

    // The first use of this kind of the symbol, or a relocation that is listed.
    let done = handled[symbol];
    if (done === 0) {
      const isDefined = symbols.isDefined(symbol);
      if (!isDefined) imports.push(symbol);
      done = isDefined ? CALCULATED | CALLS : CALCULATED;
      handled[symbol] = done;
      if ((use & NEEDS & ~done) === 0) continue;
    }
    if ((use & Use.Low) !== 0) {
      isLow ||= symbols.isDefined(symbol);
      done |= Use.Low;
    }
    if ((use & Use.ThreadLocal) !== 0) threadLocal.push(index);
    if ((use & Use.Ifunc) !== 0) ifuncs.push(index);
    let needsSlot = (use & GOT) !== 0;
    const calls = use & CALLS & ~done;
    if (calls !== 0) {
      const isCall = (use & Use.Call) !== 0 || symbols.type(symbol) === SymbolType.Function;
      if (isCall) {
        if (pltStubs.length === 0) pltStubs = new Int32Array(symbols.length);
        pltStubs[symbol] = ++pltCount;
        needsSlot = true;
      }
      done |= isCall ? CALLS : calls;
    }
    if (needsSlot && (done & GOT) === 0) {
      if (gotSlots.length === 0) gotSlots = new Int32Array(symbols.length);
      gotSlots[symbol] = firstUse.push(index);
      done |= GOT;
    }
    handled[symbol] = done;
  }
  for (const index of unknown) report(unknownType(file, index));
  if (!ascending && mayOverlap(file)) refuseOverlaps(file, report);
  return {
    imports,
    gotSlots,
    gotCount: firstUse.length,
    firstUse,
    pltStubs,
    pltCount,
    isLow,
    threadLocal,
    ifuncs,
  };
}

/** Greater than the width of any relocation. */
const WIDTHS = 32;

/**
 * Whether relocations may overlap, which {@linkcode refuseOverlaps} finds out
 * exactly. Sorts numbers that contain offset and width: the engine does that many
 * times faster than with a comparison function.
 */
function mayOverlap({ relocations: { words, length }, header }: SmfFile): boolean {
  const { widths } = relocationArch(header.arch);
  const places = new Float64Array(length);
  let count = 0;
  for (let at = 0; at < words.length; at += STEP) {
    const width = widths[words[at + TYPE] & 0xff];
    if (width <= 0) continue;
    // No image is that large, and the sum below would not be exact.
    if (words[at + OFFSET + 1] !== 0) return true;
    places[count++] = words[at + OFFSET] * WIDTHS + width;
  }
  let end = 0;
  for (const place of places.subarray(0, count).sort()) {
    const width = place % WIDTHS;
    const offset = (place - width) / WIDTHS;
    if (offset < end) return true;
    end = offset + width;
  }
  return false;
}

/** Refuses relocations that patch the same byte, whose result is not defined. */
function refuseOverlaps(file: SmfFile, report: Report): void {
  const { relocations } = file;
  const { widths } = relocationArch(file.header.arch);
  const order = new Uint32Array(relocations.length).map((_, index) => index)
    .filter((index) => widths[relocations.type(index)] > 0)
    .sort((left, right) => relocations.offset(left) - relocations.offset(right));
  let end = 0;
  for (const index of order) {
    const offset = relocations.offset(index);
    if (offset < end) {
      report(
        relocationError(file, index, "Cannot apply relocation: it overlaps another one", {
          hint: "build the file again: its writer has a bug",
        }),
      );
    }
    end = offset + widths[relocations.type(index)];
  }
}

function unknownType(file: SmfFile, index: number): LoadError {
  const type = file.relocations.type(index);
  const arch = archName(file.header.arch);
  return relocationError(file, index, `Cannot apply relocation: type ${type} is unknown on ${arch}`, {
    value: type,
    hint: "its compiler uses a relocation type that this loader does not know: " +
      "another code model or smf link may avoid it",
  });
}

/** The error of a relocation that cannot be applied: names its section, symbol and offset beside other facts. */
export function relocationError(
  file: SmfFile,
  index: number,
  problem: string,
  facts: Pick<LoadErrorData, "value" | "range" | "hint"> = {},
): LoadError {
  const { relocations, symbols } = file;
  return new LoadError("RelocationFailed", problem, {
    section: relocations.sectionName(index),
    symbol: symbols.name(relocations.symbol(index)),
    offset: relocations.offset(index),
    ...facts,
  });
}
