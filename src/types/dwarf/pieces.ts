/**
 * Variables that a compiler has taken apart: LLVM makes a variable of its own of each field of a static struct whose
 * address nobody takes, and DW_OP_piece (DWARF 5, section 2.6.1.2) says where each part is.
 */
import { At, Tag } from "./constants.ts";
import type { DwarfObject } from "./object.ts";
import { originOf } from "./translate.ts";
import type { Entry } from "./unit.ts";

/** A part of a variable that is stored by itself. */
export interface VariablePart {
  readonly address: number;
  /** The part as the source writes it behind the variable's name, `.sum` or `[1].sum`; undefined if it is no field. */
  readonly path: string | undefined;
  /** The entry of the part's type, if it has a path. */
  readonly type: Entry | undefined;
}

/** A struct in a struct, and so on: deeper ones are damaged. */
const MOST_DEPTH = 64;

/** The parts of a variable; none if it is stored as a whole, or nowhere. */
export function partsOf(object: DwarfObject, entry: Entry): VariablePart[] {
  const pieces = object.pieces(entry);
  if (pieces.length === 0) return [];
  const typed = entry.has(At.type) ? entry : originOf(object, entry);
  const type = object.reference(typed, At.type);
  return pieces.map(({ address, offset, size }) => {
    const found = type && partAt(object, type, offset, size);
    return { address, path: found?.path, type: found?.type };
  });
}

/** Finds the outermost part of a type at an offset that has a size. */
function partAt(
  object: DwarfObject,
  whole: Entry,
  start: number,
  size: number,
): { readonly path: string; readonly type: Entry } | undefined {
  let type = whole, offset = start, path = "";
  for (let depth = 0; depth < MOST_DEPTH; depth++) {
    const plain = plainType(object, type);
    if (plain === undefined) return undefined;
    if (path !== "" && offset === 0 && sizeOf(object, plain) === size) return { path, type };
    const next = plain.tag === Tag.array ? elementAt(object, plain, offset) : fieldAt(object, plain, offset);
    if (next === undefined) return undefined;
    ({ type, offset } = next);
    path += next.path;
  }
  return undefined;
}

/** A step into a type. */
interface Step {
  readonly path: string;
  readonly type: Entry;
  /** The offset in that type. */
  readonly offset: number;
}

function fieldAt(object: DwarfObject, record: Entry, offset: number): Step | undefined {
  if (record.tag !== Tag.structure && record.tag !== Tag.class) return undefined;
  let found: Step | undefined;
  object.forChildren(record, (child) => {
    if (child.tag !== Tag.member && child.tag !== Tag.inheritance) return;
    const start = child.constant(At.memberLocation), type = object.reference(child, At.type);
    if (typeof start !== "number" || type === undefined || child.has(At.bitSize)) return;
    const size = sizeOf(object, type);
    if (size === undefined || offset < start || offset >= start + size) return;
    const name = child.tag === Tag.member ? object.name(child) : "";
    found = { path: name === "" ? "" : `.${name}`, type, offset: offset - start };
  });
  return found;
}

/** Takes arrays of one dimension. */
function elementAt(object: DwarfObject, array: Entry, offset: number): Step | undefined {
  const type = object.reference(array, At.type);
  const size = type && sizeOf(object, type);
  if (type === undefined || !size || countOf(object, array) === undefined) return undefined;
  const index = Math.floor(offset / size);
  return { path: `[${index}]`, type, offset: offset - index * size };
}

/** The type behind typedefs and qualifiers. */
function plainType(object: DwarfObject, given: Entry): Entry | undefined {
  let type: Entry | undefined = given;
  for (let depth = 0; depth < MOST_DEPTH && type !== undefined; depth++) {
    if (!TRANSPARENT.has(type.tag)) return type;
    type = object.reference(type, At.type);
  }
  return undefined;
}

const TRANSPARENT: ReadonlySet<number> = new Set([
  Tag.typedef,
  Tag.const,
  Tag.volatile,
  Tag.restrict,
  Tag.atomic,
]);

/** The size of a type in bytes. */
function sizeOf(object: DwarfObject, given: Entry, depth = 0): number | undefined {
  const type = plainType(object, given);
  if (type === undefined || depth > MOST_DEPTH) return undefined;
  const size = type.constant(At.byteSize);
  if (size !== undefined) return Number(size);
  if (type.tag === Tag.pointer) return 8;
  if (type.tag !== Tag.array) return undefined;
  const of = object.reference(type, At.type), count = countOf(object, type);
  const element = of && sizeOf(object, of, depth + 1);
  return element === undefined || count === undefined ? undefined : element * count;
}

/** The number of elements of an array of one dimension. */
function countOf(object: DwarfObject, array: Entry): number | undefined {
  const counts: (number | undefined)[] = [];
  object.forChildren(array, (child) => {
    if (child.tag !== Tag.subrange) return;
    const isCount = child.has(At.count), value = child.constant(isCount ? At.count : At.upperBound);
    counts.push(typeof value === "number" ? value + (isCount ? 0 : 1) : undefined);
  });
  return counts.length === 1 ? counts[0] : undefined;
}
