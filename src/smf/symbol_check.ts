/**
 * Checks every symbol in one pass over plain arrays: a module may have 10^5
 * symbols, and the pass usually runs before the engine has compiled it.
 */

import { LoadError, raise, type Report } from "../errors/load_error.ts";
import { Binding, SymbolType } from "./enums.ts";
import { NameScan } from "./hash.ts";
import { type Layout, SYMBOL_FIELDS } from "./layout.ts";
import { MAX_NAME_LENGTH } from "./limits.ts";
import { decodeUtf8 } from "./reader.ts";

/** The offsets of a record's fields in words. Type, binding, visibility and flags share one. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;
const KIND = SYMBOL_FIELDS.sym_type[0] / 4;
const VALUE = SYMBOL_FIELDS.value[0] / 4;
const SIZE = SYMBOL_FIELDS.size[0] / 4;
const TEMPLATE = SYMBOL_FIELDS.template_offset[0] / 4;

const HASH_HINT = "fix the writer: the stored hash must be the 32-bit FNV-1a of the name's UTF-8 bytes";

/** The byte of the visibility in its word. */
const VISIBILITY = 0xff_0000;

/** The high word of 2^53. */
const UNSAFE_HIGH = 0x20_0000;

/** The symbols to check. */
interface Records {
  readonly words: Uint32Array;
  readonly strings: Uint8Array;
  readonly layout: Layout;
  readonly fileOffset: number;
}

/** Counts that the check of all symbols makes on the way. */
export interface SymbolCounts {
  /** The number of Global symbols. */
  readonly globals: number;
  /** The number of Global symbols with a value, size or visibility, which makes them defined. */
  readonly defined: number;
  /** The number of Weak symbols without value, size and visibility. */
  readonly weak: number;
  /**
   * The number of defined Global symbols that come first in the table and ascend by hash, and by the bytes of their
   * names where hashes are equal. No two of them have the same name.
   */
  readonly ordered: number;
}

/**
 * Checks the names, hashes, enumerations and 64-bit values of all symbols.
 *
 * @param words The records.
 * @param strings The names behind them.
 * @param fileOffset The file offset of the records, for errors.
 * @param report Called with the first problem of each symbol.
 */
export function checkSymbols(
  words: Uint32Array,
  strings: Uint8Array,
  layout: Layout,
  fileOffset: number,
  report: Report = raise,
): SymbolCounts {
  const step = layout.symbolSize / 4;
  const lastType = SymbolType.Constant - layout.symbolTypeBase;
  const wide = step > TEMPLATE;
  const scan = new NameScan();
  // Limits the total length of names: they may share bytes, and a small file could have many long ones.
  let allowance = strings.length * 16 + MAX_NAME_LENGTH;
  // The end of the exports that ascend from the start of the table, in words, and the hash of the last one.
  let end = 0, last = -1;
  let globals = 0, defined = 0, weak = 0;
  for (let at = 0; at < words.length; at += step) {
    const start = words[at + NAME_OFFSET];
    const isNameValid = scan.run(strings, start, MAX_NAME_LENGTH) && scan.hash === words[at + NAME_HASH] &&
      (scan.ascii || decodeUtf8(strings.subarray(start, start + scan.length)) !== undefined);
    allowance -= scan.length;
    const kind = words[at + KIND];
    const binding = (kind >>> 8) & 0xff;
    if (
      !isNameValid || allowance < 0 || (kind & 0xff) > lastType || binding > Binding.Weak ||
      words[at + VALUE + 1] >= UNSAFE_HIGH || words[at + SIZE + 1] >= UNSAFE_HIGH ||
      (wide && words[at + TEMPLATE + 1] >= UNSAFE_HIGH)
    ) {
      report(problemOf(at, { words, strings, layout, fileOffset }));
      if (allowance < 0) break;
    }
    if (binding === Binding.Local) continue;
    const bare = (kind & VISIBILITY) === 0 &&
      (words[at + VALUE] | words[at + VALUE + 1] | words[at + SIZE] | words[at + SIZE + 1]) === 0;
    if (binding !== Binding.Global) {
      if (bare) weak++;
      continue;
    }
    globals++;
    if (bare) continue;
    defined++;
    if (at !== end || !isNameValid) continue;
    const hash = words[at + NAME_HASH];
    if (hash > last || (hash === last && isLess(strings, words[at - step + NAME_OFFSET], start))) {
      end += step;
      last = hash;
    }
  }
  return { globals, defined, weak, ordered: end / step };
}

/** Whether the name at `a` is less than the one at `b`, by bytes. Both must end in a NUL. */
function isLess(strings: Uint8Array, a: number, b: number): boolean {
  while (strings[a] === strings[b] && strings[a] > 0) a++, b++;
  return strings[a] < strings[b];
}

/** Finds the problem of the symbol at word `at`, which {@linkcode checkSymbols} has refused. */
function problemOf(at: number, { words, strings, layout, fileOffset }: Records): LoadError {
  const base = layout.symbolTypeBase;
  const index = at / (layout.symbolSize / 4);
  const refuse = (
    reason: string,
    byte: number,
    value: number | bigint,
    range?: readonly [number, number],
    symbol?: string,
    hint?: string,
  ) =>
    new LoadError("InvalidFormat", `Cannot use symbol ${index}: ${reason}`, {
      ...(symbol !== undefined && { symbol }),
      offset: fileOffset + at * 4 + byte,
      value,
      ...(range && { range }),
      ...(hint !== undefined && { hint }),
    });

  const start = words[at + NAME_OFFSET];
  const inName = (reason: string) => refuse(reason, NAME_OFFSET * 4, start, [0, strings.length]);
  if (strings.length === 0) return inName("the string table is empty");
  if (start >= strings.length) return inName("its name is outside the string table");
  const scan = new NameScan();
  if (!scan.run(strings, start, MAX_NAME_LENGTH)) {
    return scan.length > MAX_NAME_LENGTH
      ? inName(`its name is longer than ${MAX_NAME_LENGTH} bytes`)
      : inName("its name has no NUL at its end");
  }
  const name = decodeUtf8(strings.subarray(start, start + scan.length));
  if (name === undefined) return inName("its name is not UTF-8");
  const hash = words[at + NAME_HASH];
  if (hash !== scan.hash) {
    const only = [scan.hash, scan.hash + 1] as const;
    return refuse("its stored hash does not match its name", NAME_HASH * 4, hash, only, name, HASH_HINT);
  }

  const type = words[at + KIND] & 0xff, binding = (words[at + KIND] >>> 8) & 0xff;
  if (type + base > SymbolType.Constant) {
    return refuse("its type does not exist", KIND * 4, type, [0, SymbolType.Constant + 1 - base], name);
  }
  if (binding > Binding.Weak) {
    return refuse("its binding does not exist", KIND * 4 + 1, binding, [0, Binding.Weak + 1], name);
  }
  for (
    const [fieldName, field] of [["value", VALUE], ["size", SIZE], ["template offset", TEMPLATE]] as const
  ) {
    if (field >= layout.symbolSize / 4 || words[at + field + 1] < UNSAFE_HIGH) continue;
    const value = BigInt(words[at + field + 1]) << 32n | BigInt(words[at + field]);
    return refuse(`its ${fieldName} is above 2^53 - 1`, field * 4, value, [0, 2 ** 53], name);
  }
  return inName("too many names share their bytes");
}
