/**
 * Compares the symbol tables of two files by everything that tells what their symbols are.
 */

import { equalBytes } from "./equal.ts";
import { signedWords } from "./reader.ts";
import { SYMBOL_WORDS, type SymbolTable } from "./symbol.ts";

const { nameOffset: NAME_OFFSET, nameHash: NAME_HASH, kind: KIND, typeId: TYPE_ID, version: VERSION } =
  SYMBOL_WORDS;

/** Whether two tables have the same names, kinds, types and versions in the same order; values and sizes may differ. */
export function haveSameNames(left: SymbolTable, right: SymbolTable): boolean {
  const { step, length } = left;
  if (length !== right.length || step !== right.step || left.typeBase !== right.typeBase) return false;
  // Signed, because V8 makes an object of a number from 2^31 on until it has compiled this.
  const mine = signedWords(left.words), theirs = signedWords(right.words);
  for (let at = 0; at < mine.length; at += step) {
    const isSame = mine[at + NAME_HASH] === theirs[at + NAME_HASH] &&
      mine[at + NAME_OFFSET] === theirs[at + NAME_OFFSET] && mine[at + KIND] === theirs[at + KIND] &&
      mine[at + TYPE_ID] === theirs[at + TYPE_ID] && mine[at + VERSION] === theirs[at + VERSION];
    if (!isSame) return false;
  }
  // Hashes of 32 bits do not prove that names are the same.
  if (!equalBytes(left.strings, right.strings)) return false;
  if (left.isAllDefined && right.isAllDefined) return true;
  for (let index = 0; index < length; index++) {
    if (left.isDefined(index) !== right.isDefined(index)) return false;
  }
  return true;
}
