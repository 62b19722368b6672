/**
 * The check of every symbol, in one pass that works on plain arrays: a module
 * may have 10^5 symbols, and the pass mostly runs before the engine has
 * compiled anything.
 */

import { LoadError, raise, type Report } from "../errors.ts";
import { Binding, SymbolType } from "./enums.ts";
import { NameScan } from "./hash.ts";
import { type Layout, SYMBOL_FIELDS } from "./layout.ts";
import { MAX_NAME_LENGTH } from "./limits.ts";
import { decodeUtf8 } from "./reader.ts";

/** The fields' places, in words. Type, binding, visibility and flags share one. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;
const KIND = SYMBOL_FIELDS.sym_type[0] / 4;
const VALUE = SYMBOL_FIELDS.value[0] / 4;
const SIZE = SYMBOL_FIELDS.size[0] / 4;
const TEMPLATE = SYMBOL_FIELDS.template_offset[0] / 4;

/** The byte of visibility in its word. */
const VISIBILITY = 0xff_0000;

/** The high half of 2^53. */
const UNSAFE_HIGH = 0x20_0000;

/** The symbols being checked. */
interface Records {
  readonly words: Uint32Array;
  readonly strings: Uint8Array;
  readonly layout: Layout;
  readonly fileOffset: number;
}

/** What the check of all symbols finds out beside. */
export interface SymbolCounts {
  /** How many symbols are Global. */
  readonly globals: number;
  /** How many of these have a value, a size or visibility, so that they are defined whatever the header says. */
  readonly defined: number;
  /** How many Weak symbols have none of these. */
  readonly weak: number;
  /**
   * How many of these stand at the start of the table, ascending by hash, those of equal hash by the bytes of
   * their names: each has another name than all others.
   */
  readonly ordered: number;
}

/**
 * Checks names, hashes and enumerations of all symbols.
 *
 * @param words The records.
 * @param strings The names behind them.
 * @param fileOffset Where the records are in the file, for errors.
 * @param report Told what is wrong with a symbol, one thing for each.
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
  // Names may share bytes, so that few bytes could be walked over very often.
  let allowance = strings.length * 16 + MAX_NAME_LENGTH;
  // The end of the exports that ascend from the start, and the hash of the last of them.
  let end = 0, last = -1;
  let globals = 0, defined = 0, weak = 0;
  for (let at = 0; at < words.length; at += step) {
    const start = words[at + NAME_OFFSET];
    const named = scan.run(strings, start, MAX_NAME_LENGTH) && scan.hash === words[at + NAME_HASH] &&
      (scan.ascii || decodeUtf8(strings.subarray(start, start + scan.length)) !== undefined);
    allowance -= scan.length;
    const kind = words[at + KIND];
    const binding = (kind >>> 8) & 0xff;
    if (
      !named || allowance < 0 || (kind & 0xff) > lastType || binding > Binding.Weak ||
      words[at + VALUE + 1] >= UNSAFE_HIGH || words[at + SIZE + 1] >= UNSAFE_HIGH ||
      (wide && words[at + TEMPLATE + 1] >= UNSAFE_HIGH)
    ) {
      report(explain(at, { words, strings, layout, fileOffset }));
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
    if (at !== end || !named) continue;
    const hash = words[at + NAME_HASH];
    if (hash > last || (hash === last && isLess(strings, words[at - step + NAME_OFFSET], start))) {
      end += step;
      last = hash;
    }
  }
  return { globals, defined, weak, ordered: end / step };
}

/** Whether the name at `a` is less than the one at `b`, by bytes; both have been walked to their NULs. */
function isLess(strings: Uint8Array, a: number, b: number): boolean {
  while (strings[a] === strings[b] && strings[a] > 0) a++, b++;
  return strings[a] < strings[b];
}

/** What is wrong with the symbol at word `at`, which {@linkcode checkSymbols} refused. */
function explain(at: number, { words, strings, layout, fileOffset }: Records): LoadError {
  const base = layout.symbolTypeBase;
  const index = at / (layout.symbolSize / 4);
  const refuse = (
    reason: string,
    byte: number,
    value: number | bigint,
    range?: readonly [number, number],
    symbol?: string,
  ) =>
    new LoadError("InvalidFormat", `Cannot use symbol ${index}: ${reason}`, {
      ...(symbol !== undefined && { symbol }),
      offset: fileOffset + at * 4 + byte,
      value,
      ...(range && { range }),
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
    return refuse("the stored hash is not that of its name", NAME_HASH * 4, hash, only, name);
  }

  const type = words[at + KIND] & 0xff, binding = (words[at + KIND] >>> 8) & 0xff;
  if (type + base > SymbolType.Constant) {
    return refuse("its type does not exist", KIND * 4, type, [0, SymbolType.Constant + 1 - base], name);
  }
  if (binding > Binding.Weak) {
    return refuse("its binding does not exist", KIND * 4 + 1, binding, [0, Binding.Weak + 1], name);
  }
  for (const [what, field] of [["value", VALUE], ["size", SIZE], ["template offset", TEMPLATE]] as const) {
    if (field >= layout.symbolSize / 4 || words[at + field + 1] < UNSAFE_HIGH) continue;
    const value = BigInt(words[at + field + 1]) << 32n | BigInt(words[at + field]);
    return refuse(`its ${what} is above 2^53 - 1`, field * 4, value, [0, 2 ** 53], name);
  }
  return inName("too many names share their bytes");
}
