/**
 * Records of checks: what the checks of a module's file have found, and how the
 * file is recognised, as bytes.
 *
 * A record has no code and no address. Everything that is loaded comes from the
 * module's own file; a record only says that these very bytes were checked, and
 * what the pass over their relocations has found. It is made of 32-bit words:
 *
 * | words | contents |
 * |---|---|
 * | 2 | a magic number, the number of all words |
 * | 14 | the key: package, processor and page size; device, inode, size, mtime and ctime of the file |
 * | 4 | the header's `module_hash`, the XXH32 of the rest of the header and of the section table |
 * | 7 | counts of the symbol table, the numbers of symbols and relocations, whether the image must lie low |
 * | rest | five lists, each behind its length: imports, first uses of GOT slots, symbols of PLT stubs, relocations of thread-local variables and of ifuncs |
 * | 2 | the XXH32 of everything before, with the seeds 0 and 1 |
 *
 * A change of up to four bytes in one word always changes both hashes.
 */
import type { RelocationNeeds } from "../../image/relocation/scan.ts";
import type { CheckedTables, SmfFile } from "../../smf/file.ts";
import { xxh32 } from "../../smf/hash.ts";
import { countsOf } from "../../smf/symbol.ts";
import type { FileStamp } from "../file/stamp.ts";
import { HOST_ARCH } from "../runtime/host.ts";
import { VERSION } from "./version.ts";

/** The findings of the checks of a file. */
export interface CheckRecord {
  readonly tables: CheckedTables;
  readonly symbols: number;
  readonly relocations: number;
  readonly isLow: boolean;
  /** Of {@linkcode RelocationNeeds}, as are the others. */
  readonly imports: readonly number[];
  readonly firstUse: readonly number[];
  /** The symbols with a PLT stub, in the order of the stubs. */
  readonly stubs: readonly number[];
  readonly threadLocal: readonly number[];
  readonly ifuncs: readonly number[];
}

/** "SMCK", in the order of the bytes. */
const MAGIC = 0x4b43_4d53;
/** Words before the key, of hashes of the file, of counts, and behind everything. */
const [HEAD, KEY, HASHES, COUNTS, TAIL] = [2, 14, 4, 7, 2];
const LISTS = 5;
/** The least number of words. */
const LEAST = HEAD + KEY + HASHES + COUNTS + LISTS + TAIL;

const versionBytes = new TextEncoder().encode(VERSION);

/** The words by which a file is recognised; undefined if the system does not tell enough. */
export function keyOf(
  { info: { dev, ino, size, mtime, ctime } }: FileStamp,
  pageSize: number,
): Uint32Array | undefined {
  if (ino === null || mtime === null || !ctime) return undefined;
  const facts = new Float64Array([dev, ino, size, mtime.getTime(), ctime.getTime()]);
  return Uint32Array.of(
    xxh32(versionBytes),
    xxh32(versionBytes, 1),
    HOST_ARCH,
    pageSize,
    ...new Uint32Array(facts.buffer),
  );
}

/** The record of a file that was checked; undefined if the file has no hash by which it can be recognised. */
export function recordOf(
  { header, checksum, symbols, relocations }: SmfFile,
  needs: RelocationNeeds,
): CheckRecord | undefined {
  if (checksum === undefined) return undefined;
  const { pltStubs, pltCount, isLow, imports, firstUse, threadLocal, ifuncs } = needs;
  const stubs = new Array<number>(pltCount);
  pltStubs.forEach((stub, symbol) => stub > 0 && (stubs[stub - 1] = symbol));
  return {
    tables: {
      moduleHash: header.moduleHash,
      tableHashes: checksum.tableHashes.slice(0, 2),
      counts: countsOf(symbols),
    },
    symbols: symbols.length,
    relocations: relocations.length,
    isLow,
    imports,
    firstUse,
    stubs,
    threadLocal,
    ifuncs,
  };
}

/** The needs of the relocations of a file whose tables are those of the record; undefined if they cannot be its own. */
export function needsOf(record: CheckRecord, { symbols, relocations }: SmfFile): RelocationNeeds | undefined {
  const { imports, firstUse, stubs, threadLocal, ifuncs, isLow } = record;
  const areBelow = (indices: readonly number[], end: number): boolean =>
    indices.every((index) => index < end);
  const isWhole = record.symbols === symbols.length && record.relocations === relocations.length &&
    areBelow(imports, symbols.length) && areBelow(stubs, symbols.length) &&
    [firstUse, threadLocal, ifuncs].every((indices) => areBelow(indices, relocations.length));
  if (!isWhole) return undefined;
  const gotSlots = new Int32Array(firstUse.length > 0 ? symbols.length : 0);
  firstUse.forEach((relocation, slot) => gotSlots[relocations.symbol(relocation)] = slot + 1);
  const pltStubs = new Int32Array(stubs.length > 0 ? symbols.length : 0);
  stubs.forEach((symbol, stub) => pltStubs[symbol] = stub + 1);
  return {
    imports,
    gotSlots,
    gotCount: firstUse.length,
    firstUse,
    pltStubs,
    pltCount: stubs.length,
    isLow,
    threadLocal,
    ifuncs,
  };
}

/** Writes a record under a key of {@linkcode keyOf}. */
export function encodeRecord(key: Uint32Array, record: CheckRecord): Uint8Array<ArrayBuffer> {
  const { tables: { moduleHash, tableHashes, counts }, isLow } = record;
  const lists = listsOf(record);
  const words = new Uint32Array(LEAST + lists.reduce((sum, list) => sum + list.length, 0));
  words.set([MAGIC, words.length, ...key]);
  words.set([
    Number(moduleHash & 0xffff_ffffn),
    Number(moduleHash >> 32n),
    ...tableHashes,
    counts.globals,
    counts.defined,
    counts.weak,
    counts.ordered,
    record.symbols,
    record.relocations,
    isLow ? 1 : 0,
  ], HEAD + KEY);
  let at = HEAD + KEY + HASHES + COUNTS;
  for (const list of lists) {
    words[at++] = list.length;
    words.set(list, at);
    at += list.length;
  }
  const bytes = new Uint8Array(words.buffer);
  const hashed = bytes.subarray(0, 4 * at);
  words[at] = xxh32(hashed);
  words[at + 1] = xxh32(hashed, 1);
  return bytes;
}

/** Reads a record; undefined if it is damaged, or not under this key. */
export function decodeRecord(bytes: Uint8Array<ArrayBuffer>, key: Uint32Array): CheckRecord | undefined {
  if (bytes.length % 4 !== 0 || bytes.length < 4 * LEAST) return undefined;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const end = words.length - TAIL;
  if (words[0] !== MAGIC || words[1] !== words.length) return undefined;
  if (!key.every((word, index) => word === words[HEAD + index])) return undefined;
  const hashed = bytes.subarray(0, 4 * end);
  if (words[end] !== xxh32(hashed) || words[end + 1] !== xxh32(hashed, 1)) return undefined;
  let at = HEAD + KEY;
  const [low, high, header, sections] = words.subarray(at, at += HASHES);
  const [globals, defined, weak, ordered, symbols, relocations, isLow] = words.subarray(at, at += COUNTS);
  const lists: number[][] = [];
  for (let list = 0; list < LISTS; list++) {
    const length = words[at++];
    if (at + length > end) return undefined;
    lists.push(Array.from(words.subarray(at, at += length)));
  }
  if (at !== end) return undefined;
  const [imports, firstUse, stubs, threadLocal, ifuncs] = lists;
  return {
    tables: {
      moduleHash: BigInt(high) << 32n | BigInt(low),
      tableHashes: [header, sections],
      counts: { globals, defined, weak, ordered },
    },
    symbols,
    relocations,
    isLow: isLow !== 0,
    imports,
    firstUse,
    stubs,
    threadLocal,
    ifuncs,
  };
}

function listsOf({ imports, firstUse, stubs, threadLocal, ifuncs }: CheckRecord): (readonly number[])[] {
  return [imports, firstUse, stubs, threadLocal, ifuncs];
}
