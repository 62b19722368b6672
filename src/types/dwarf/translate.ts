/**
 * Turns entries into types. What an entry refers to gets its number at once and the rest
 * later, so that types may refer to each other in circles.
 */
import type { CollectedTypes } from "../collected.ts";
import type { BaseEncoding, RecordType } from "../model.ts";
import {
  ENCODING_NUMBERS,
  functionFlags,
  Mark,
  writeBase,
  writeBits,
  writeField,
  writeType,
} from "../spelling.ts";
import { damaged } from "../damaged.ts";
import type { Integer } from "../integer.ts";
import { At, Form, Tag } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import { writeEnumerators } from "./enumerators.ts";
import { copiesNeedCode } from "./trivial.ts";
import type { EntryNumbers } from "./entry_numbers.ts";
import type { DwarfObject } from "./object.ts";
import type { Entry } from "./unit.ts";

/** More than any module needs; beyond that, debug information is damaged or made to cost time. */
export const MOST_TYPES = 1_000_000;

/** DW_ATE_*. */
const ENCODINGS: Readonly<Record<number, BaseEncoding>> = {
  0x02: "bool",
  0x03: "complex",
  0x04: "float",
  0x05: "signed",
  0x06: "signed",
  0x07: "unsigned",
  0x08: "unsigned",
  0x10: "char",
};

/** A type that refers to another one only, by tag. */
const DERIVED = new Map(
  [
    [Tag.pointer, "pointer"],
    [Tag.reference, "reference"],
    [Tag.rvalueReference, "rvalue-reference"],
    [Tag.const, "const"],
    [Tag.volatile, "volatile"],
    [Tag.restrict, "restrict"],
    [Tag.atomic, "atomic"],
  ] as const,
) as ReadonlyMap<number, "pointer">;

/** Translates the entries of one object into a list that all objects share. */
export class Translator {
  readonly #object: DwarfObject;
  readonly #types: CollectedTypes;
  readonly #numbers: EntryNumbers;
  readonly #waiting: { readonly entry: Entry; readonly number: number }[] = [];

  constructor(object: DwarfObject, types: CollectedTypes, numbers: EntryNumbers) {
    this.#object = object;
    this.#types = types;
    this.#numbers = numbers;
    numbers.clear();
  }

  /** Returns the number of an entry's type, and translates all that it reaches. */
  typeOf(entry: Entry): number {
    const number = this.#numberOf(entry);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#translate(next.entry, next.number);
    }
    return number;
  }

  /** Returns the number of the type that an attribute names, which is 0, `void`, if there is none. */
  variableType(entry: Entry): number {
    const type = this.#object.reference(entry, At.type);
    return type === undefined ? 0 : this.typeOf(type);
  }

  #numberOf(given: Entry): number {
    // A stub in place of a type that is in a unit of its own.
    const entry = given.has(At.signature) ? this.#object.reference(given, At.signature)! : given;
    const place = entry.unit.origin + entry.start;
    let number = this.#numbers.get(place);
    if (number === 0) {
      number = this.#reserve();
      this.#numbers.add(place, number);
      this.#waiting.push({ entry, number });
    }
    return number;
  }

  #reserve(): number {
    if (this.#types.length > MOST_TYPES) throw damaged(`there are more than ${MOST_TYPES} types`);
    return this.#types.reserve();
  }

  #target(entry: Entry, attribute: number = At.type): number {
    const near = entry.nearReference(attribute);
    const known = near === 0 ? 0 : this.#numbers.get(entry.unit.origin + near);
    // Most types that are mentioned have their number already.
    if (known !== 0) return known;
    const target = this.#object.reference(entry, attribute);
    return target === undefined ? 0 : this.#numberOf(target);
  }

  #translate(entry: Entry, number: number): void {
    const types = this.#types;
    const derived = DERIVED.get(entry.tag);
    if (derived !== undefined) {
      types.begin(derived);
      types.reference(this.#target(entry));
      return types.end(number);
    }
    switch (entry.tag) {
      case Tag.base:
        types.begin("base");
        types.word(this.#object.nameNumber(entry));
        types.number(this.#size(entry) ?? 0);
        types.word(ENCODING_NUMBERS[ENCODINGS[entry.value(At.encoding) ?? 0] ?? "other"]);
        return types.end(number);
      case Tag.typedef:
        types.begin("typedef");
        types.word(this.#object.fullName(entry));
        types.reference(this.#target(entry));
        return types.end(number);
      case Tag.structure:
        return this.#record("struct", entry, number);
      case Tag.class:
        return this.#record("class", entry, number);
      case Tag.union:
        return this.#record("union", entry, number);
      case Tag.enumeration:
        return this.#enum(entry, number);
      case Tag.array:
        return this.#array(entry, number);
      case Tag.subroutine:
      case Tag.subprogram:
        return this.#function(entry, number);
      case Tag.memberPointer: {
        const [to, of] = [this.#target(entry), this.#target(entry, At.containingType)];
        return writeType(types, number, { kind: "member-pointer", to, of });
      }
      default:
        types.begin("unknown");
        types.word(this.#object.nameNumber(entry));
        return types.end(number);
    }
  }

  #size(entry: Entry): number | undefined {
    const size = entry.constant(At.byteSize);
    return size === undefined ? undefined : bounded(size, "a size is not between 0 and 2^47");
  }

  #record(kind: RecordType["kind"], entry: Entry, number: number): void {
    const types = this.#types;
    const nontrivial = copiesNeedCode(this.#object, entry);
    types.begin(kind);
    types.word(this.#object.fullName(entry));
    types.number(entry.has(At.declaration) ? undefined : this.#size(entry));
    if (nontrivial) types.word(Mark.NONTRIVIAL);
    let variants = false;
    this.#object.forChildren(entry, (child) => {
      switch (child.tag) {
        case Tag.member:
          if (!child.has(At.external) && !child.has(At.declaration)) this.#field(child);
          break;
        case Tag.inheritance: {
          const isVirtual = (child.value(At.virtuality) ?? 0) !== 0;
          writeBase(types, this.#target(child), isVirtual ? undefined : this.#offset(child));
          break;
        }
        case Tag.variantPart:
          variants = true;
      }
    });
    if (variants) types.word(Mark.VARIANTS);
    types.end(number);
  }

  /** Reads DW_AT_data_member_location, which is 0 for members of a union. */
  #offset(child: Entry): number {
    const form = child.form(At.memberLocation);
    if (form === undefined) return 0;
    const value = child.constant(At.memberLocation);
    if (value !== undefined) return checked(value);
    if (form !== Form.exprloc && form !== Form.block1) throw damaged("the offset of a field is computed");
    const cursor = new Cursor(child.unit.cursor.bytes, child.value(At.memberLocation));
    if (form === Form.block1) cursor.u8();
    else cursor.uleb();
    if (cursor.u8() !== OP_PLUS_UCONST) throw damaged("the offset of a field is computed");
    return checked(cursor.exactUleb());
  }

  /** Reads a field: DWARF 4 may count bit-fields from the highest bit of a unit of storage. */
  #field(child: Entry): void {
    const name = this.#object.nameNumber(child, At.name, this.#types.likelyWord);
    const type = this.#target(child);
    const offset = this.#offset(child);
    const bits = child.constant(At.bitSize);
    if (bits === undefined) return writeField(this.#types, name, type, offset);
    const count = checked(bits);
    const [dataBits, fromHigh] = [child.constant(At.dataBitOffset), child.constant(At.bitOffset)];
    const storage = checked(child.constant(At.byteSize) ?? 4);
    // Where a bit-field crosses units of storage, the distance from the highest bit is negative.
    const first = checked(
      dataBits ?? offset * 8 + (fromHigh === undefined ? 0 : storage * 8 - Number(fromHigh) - count),
    );
    writeField(this.#types, name, type, Math.floor(first / 8));
    writeBits(this.#types, first % 8, count);
  }

  #enum(entry: Entry, number: number): void {
    const types = this.#types;
    types.begin("enum");
    types.word(this.#object.fullName(entry));
    types.number(entry.has(At.declaration) ? undefined : this.#size(entry));
    writeEnumerators(types, this.#object, entry);
    types.reference(this.#target(entry));
    types.end(number);
  }

  /** Makes an array of arrays of several dimensions. */
  #array(entry: Entry, number: number): void {
    const counts: (number | undefined)[] = [];
    this.#object.forChildren(entry, (child) => {
      if (child.tag === Tag.subrange) counts.push(this.#count(child));
    });
    if (counts.length > MOST_DIMENSIONS) {
      throw damaged(`an array has more than ${MOST_DIMENSIONS} dimensions`);
    }
    let of = this.#target(entry);
    for (const count of counts.slice(1).reverse()) {
      const inner = this.#reserve();
      writeType(this.#types, inner, { kind: "array", of, count });
      of = inner;
    }
    writeType(this.#types, number, {
      kind: entry.has(At.gnuVector) ? "vector" : "array",
      of,
      count: counts[0],
    });
  }

  #count(range: Entry): number | undefined {
    const attribute = range.has(At.count) ? At.count : At.upperBound;
    const value = range.constant(attribute);
    // A length that only the running program knows is an expression or a reference, not a constant.
    if (typeof value !== "number") return undefined;
    const count = attribute === At.count ? value : value + 1;
    // gcc says -1 for an array without elements, and the largest number where it does not know.
    return count >= 0 && count <= LARGEST ? count : undefined;
  }

  #function(entry: Entry, number: number): void {
    const origin = this.#origin(entry);
    const types = this.#types;
    let count = 0;
    let variadic = false;
    types.begin("function");
    types.reference(this.#target(entry.has(At.type) ? entry : origin));
    this.#object.forChildren(entry, (child) => {
      if (child.tag === Tag.unspecifiedParameters) variadic = true;
      if (child.tag !== Tag.parameter) return;
      count++;
      const declared = this.#origin(child);
      types.word(
        this.#object.nameNumber(child, At.name, types.likelyWord) || this.#object.nameNumber(declared),
      );
      types.reference(this.#target(child.has(At.type) ? child : declared));
    });
    // C++ and Rust have no functions without a prototype, and say nothing of it.
    const prototyped = entry.has(At.prototyped) || origin.has(At.prototyped) || count > 0 || !entry.unit.isC;
    types.word(functionFlags(variadic && prototyped, prototyped));
    types.end(number);
  }

  #origin(entry: Entry): Entry {
    return originOf(this.#object, entry);
  }
}

const OP_PLUS_UCONST = 0x23;
/** The largest size and offset in bytes, number of elements and of bits. */
const LARGEST = 2 ** 47;
const MOST_DIMENSIONS = 256;

/** Follows DW_AT_abstract_origin and DW_AT_specification to the entry with name and type. */
export function originOf(object: DwarfObject, entry: Entry): Entry {
  let found = entry;
  for (let steps = 0; steps < 8; steps++) {
    const attribute = found.has(At.abstractOrigin) ? At.abstractOrigin : At.specification;
    const next = object.reference(found, attribute);
    if (next === undefined) return found;
    found = next;
  }
  throw damaged("an entry's origin is itself");
}

/** Checks an offset or a number of bits. */
function checked(value: Integer): number {
  return bounded(value, "an offset is not between 0 and 2^47");
}

/** Returns a number that is not too large for sizes to be exact. */
function bounded(value: Integer, problem: string): number {
  const number = Number(value);
  if (number < 0 || number > LARGEST) throw damaged(problem);
  return number;
}
