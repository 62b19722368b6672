/**
 * What a file's relocations need, found in one pass before any memory is
 * reserved: which names are imported, how many GOT slots and PLT stubs there
 * must be, and whether they can be applied at all.
 */

import { LoadError, raise, type Report } from "../../errors.ts";
import { relocationArch } from "./mod.ts";
import { Use } from "./arch.ts";
import { archName, SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { signedWords } from "../../smf/reader.ts";
import { RELOCATION_WORDS } from "../../smf/reloc.ts";

const { offset: OFFSET, symbol: SYMBOL, type: TYPE, step: STEP } = RELOCATION_WORDS;
const GOT = Use.Got;
const CALLS = Use.Call | Use.CallOfFunction;
/** That it is known whether a symbol is imported: of all that is calculated. */
const KNOWN = Use.Bytes4 | Use.Bytes8;
/** What a relocation may need beyond its symbol. */
const ASKS = KNOWN | GOT | CALLS | Use.ThreadLocal | Use.Resolver;
// An empty array costs as much as any other.
const NONE = new Int32Array(0);
const NOTHING_SETTLED = new Uint16Array(0);

/** What the relocations of a file need before they can be applied. */
export interface RelocationNeeds {
  /** Indices of the undefined symbols that are referred to, each once, ascending by first use. */
  readonly imports: readonly number[];
  /** For each symbol its GOT slot plus one, 0 for none; empty if no slot is needed. */
  readonly gotSlots: Int32Array;
  readonly gotCount: number;
  /** For each GOT slot the relocation that needed it first. */
  readonly firstUse: readonly number[];
  /** For each symbol its PLT stub plus one, 0 for none; empty if no stub may be needed. */
  readonly pltStubs: Int32Array;
  readonly pltCount: number;
  /** The relocations that ask for thread-local variables. */
  readonly threadLocal: readonly number[];
  /** The relocations whose function must be asked. */
  readonly resolvers: readonly number[];
}

/**
 * Looks through all relocations once: refuses unknown types and overlapping
 * places, counts GOT slots and PLT stubs, and lists the imports.
 *
 * @param report Told about relocations that cannot be applied.
 * @throws {LoadError} `RelocationFailed`.
 */
export function scanRelocations(file: SmfFile, report: Report = raise): RelocationNeeds {
  const { relocations, symbols } = file;
  const { widths, uses } = relocationArch(file.header.arch);
  const words = signedWords(relocations.words);
  const imports: number[] = [], firstUse: number[] = [];
  const threadLocal: number[] = [], resolvers: number[] = [], unknown: number[] = [];
  /** For each symbol the bits of {@linkcode Use} that were dealt with. */
  const settled = words.length === 0 ? NOTHING_SETTLED : new Uint16Array(symbols.length);
  let gotSlots = NONE, pltStubs = NONE;
  let pltCount = 0;
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
    // What is not below 2³¹ is looked at closer, as what is in no order.
    if (offset < end || words[at + OFFSET + 1] !== 0) ascending = false;
    end = offset + width;
    const symbol = words[at + SYMBOL];
    const use = uses[type];
    if ((use & ASKS & ~settled[symbol]) === 0) continue;

    // The first use of its kind of a symbol, or one of those that are listed.
    let done = settled[symbol];
    if (done === 0) {
      const isDefined = symbols.isDefined(symbol);
      if (!isDefined) imports.push(symbol);
      done = isDefined ? KNOWN | CALLS : KNOWN;
      settled[symbol] = done;
      if ((use & ASKS & ~done) === 0) continue;
    }
    if ((use & Use.ThreadLocal) !== 0) threadLocal.push(index);
    if ((use & Use.Resolver) !== 0) resolvers.push(index);
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
    settled[symbol] = done;
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
    threadLocal,
    resolvers,
  };
}

/** More bytes than any relocation patches. */
const WIDTHS = 32;

/**
 * Whether to look closer: sorts numbers, which the engine does many times
 * faster than by a comparison of ours, each an offset with its width below it.
 */
function mayOverlap({ relocations: { words, length }, header }: SmfFile): boolean {
  const { widths } = relocationArch(header.arch);
  const places = new Float64Array(length);
  let count = 0;
  for (let at = 0; at < words.length; at += STEP) {
    const width = widths[words[at + TYPE] & 0xff];
    if (width <= 0) continue;
    // No image reaches there, and the sum below would not be exact.
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

/** Two relocations that patch the same byte have no defined result. */
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
      report(failure(file, index, "Cannot apply relocation: it overlaps another one"));
    }
    end = offset + widths[relocations.type(index)];
  }
}

function unknownType(file: SmfFile, index: number): LoadError {
  const type = file.relocations.type(index);
  const arch = archName(file.header.arch);
  return failure(file, index, `Cannot apply relocation: type ${type} is unknown on ${arch}`, type);
}

/** Says which relocation of which symbol could not be applied. */
export function failure(
  file: SmfFile,
  index: number,
  problem: string,
  value?: bigint | number,
  range?: readonly [bigint, bigint],
): LoadError {
  const { relocations, symbols } = file;
  return new LoadError("RelocationFailed", problem, {
    section: relocations.sectionName(index),
    symbol: symbols.name(relocations.symbol(index)),
    offset: relocations.offset(index),
    ...(value === undefined ? {} : { value }),
    ...(range === undefined ? {} : { range }),
  });
}
