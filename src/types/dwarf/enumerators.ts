/**
 * The values of enumerations. Compilers write the same value in different forms, with a sign or without; the
 * type that holds an enumeration tells which number its bits are.
 */
import type { CollectedTypes } from "../collected.ts";
import { damaged } from "../damaged.ts";
import { type Integer, wrapInteger } from "../integer.ts";
import { At, Tag } from "./constants.ts";
import type { DwarfObject } from "./object.ts";
import type { Entry } from "./unit.ts";

/** The integer type that holds an enumeration. */
interface Holder {
  /** Size in bytes. */
  readonly size: number;
  readonly isSigned: boolean;
}

/** Sizes of integers in bytes. */
const WIDEST = 16;

/** DW_ATE_signed and DW_ATE_signed_char. */
const SIGNED: ReadonlySet<number | undefined> = new Set([0x05, 0x06]);

/** Adds the names and the values of an enumeration's entry to the type that is being written. */
export function writeEnumerators(types: CollectedTypes, object: DwarfObject, entry: Entry): void {
  const values: Integer[] = [];
  object.forChildren(entry, (child) => {
    if (child.tag !== Tag.enumerator) return;
    const value = child.constant(At.constValue) ?? child.block(At.constValue);
    if (value === undefined) throw damaged("the value of an enumerator is not a constant");
    values.push(value);
    types.word(object.nameNumber(child, At.name, types.likelyWord));
  });
  const holder = holderOf(object, entry) ??
    { size: entry.constant(At.byteSize), isSigned: values.some((value) => value < 0) };
  const { size, isSigned } = holder;
  const isKnown = typeof size === "number" && size >= 1 && size <= WIDEST;
  for (const value of values) types.number(isKnown ? wrapInteger(value, 8 * size, isSigned) : value);
}

/** Finds the integer type behind names and qualifiers; undefined if debug information does not say it. */
function holderOf(object: DwarfObject, entry: Entry): Holder | undefined {
  let type = object.reference(entry, At.type);
  for (let steps = 0; steps < MOST_NAMES && type !== undefined; steps++) {
    if (type.tag === Tag.base) {
      const size = type.constant(At.byteSize);
      return typeof size !== "number" ? undefined : { size, isSigned: SIGNED.has(type.value(At.encoding)) };
    }
    type = object.reference(type, At.type);
  }
  return undefined;
}

/** The most names and qualifiers of one type that are followed. */
const MOST_NAMES = 64;
