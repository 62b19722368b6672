/**
 * Compares definitions that a person has written with the types that a module keeps.
 *
 * | the module's type | definitions that agree |
 * |---|---|
 * | an integer, an enumeration, a character, a bool | an integer of its size; of another sign with a remark |
 * | a pointer, an integer of 64 bits | `pointer`, `buffer`, `function` and the integers of 64 bits |
 * | a floating-point number | the one of its size |
 * | a struct | a struct with the same words at the same places, however they are nested |
 * | a type that definitions cannot say | anything of its size, with a remark |
 */
import { declarationOf } from "./declaration.ts";
import { isRecord } from "./kinds.ts";
import { bareType, sizeOf, type Types } from "./layout.ts";
import { isReason, nativeValue } from "./native.ts";
import type { FunctionType } from "./model.ts";
import { type DefinedType, describeDefined, leavesOf, type Word, wordOf } from "./definition_words.ts";

/** A function's definition, as far as types are concerned. */
export interface DefinedFunction {
  /** The types of the parameters. */
  readonly parameters: readonly DefinedType[];
  /** The type of the result. */
  readonly result: DefinedType;
}

/** The differences between a definition and the module's type. */
export interface DefinitionDifferences {
  /** Differences that make calls wrong: `parameter 2 is double, the definition says i32`. */
  readonly errors: readonly string[];
  /** Differences that change how values are read, and what cannot be compared. */
  readonly remarks: readonly string[];
}

/** The largest struct that calls return in registers, in bytes; the caller of others gives a place for them. */
const MOST_RETURNED_BYTES = 16;

/**
 * Compares a function's definition with its type.
 *
 * @param types Types by number.
 * @param id The number of the function's type.
 */
export function compareFunction(
  types: Types,
  id: number,
  definition: DefinedFunction,
): DefinitionDifferences {
  const type = types[bareType(types, id)];
  const found = new Comparison(types);
  if (type?.kind === "function") found.call(type, definition);
  return found;
}

/**
 * Compares the definition of a variable with its type.
 *
 * @param types Types by number.
 * @param id The number of the variable's type.
 * @param defined The type that the definition says; a pointer stands for the address of any variable.
 */
export function compareVariable(types: Types, id: number, defined: DefinedType): DefinitionDifferences {
  const found = new Comparison(types);
  if (defined !== "pointer" && defined !== "buffer" && defined !== "function") found.variable(id, defined);
  return found;
}

class Comparison implements DefinitionDifferences {
  readonly errors: string[] = [];
  readonly remarks: string[] = [];
  readonly #types: Types;

  constructor(types: Types) {
    this.#types = types;
  }

  call(type: FunctionType, { parameters, result }: DefinedFunction): void {
    const count = type.parameters.length;
    const isOpen = type.variadic || (!type.prototyped && count === 0);
    if (parameters.length < count || (parameters.length > count && !isOpen)) {
      const takes = `${type.variadic ? "at least " : ""}${count} ${count === 1 ? "parameter" : "parameters"}`;
      this.errors.push(`it takes ${takes}, the definition says ${parameters.length}`);
    } else if (parameters.length > count) {
      this.remarks.push(
        `it ${type.variadic ? "is variadic" : "does not say its parameters"}: ` +
          `only ${count} of the definition's ${parameters.length} can be compared`,
      );
    }
    for (let index = 0; index < Math.min(count, parameters.length); index++) {
      this.#value(`parameter ${index + 1}`, type.parameters[index].type, parameters[index]);
    }
    this.#result(type.result, result);
  }

  variable(id: number, defined: DefinedType): void {
    const type = this.#types[bareType(this.#types, id)];
    // A part of it, which the size of the symbol bounds, may be what is wanted.
    if (type?.kind === "array" || isRecord(type)) return;
    this.#value("the variable", id, defined);
  }

  #result(id: number, defined: DefinedType): void {
    const bare = bareType(this.#types, id);
    if (this.#types[bare] === undefined) {
      if (defined !== "void") this.#differ("its result", id, defined);
      return;
    }
    if (defined !== "void") return this.#value("its result", id, defined);
    const native = nativeValue(this.#types, id);
    const size = sizeOf(this.#types, id) ?? 0;
    const isIgnorable = isReason(native) ? !isNontrivial(this.#types, bare) : true;
    // The caller says where such a result goes, or takes it from the stack of the floating-point unit.
    if (size > MOST_RETURNED_BYTES || !isIgnorable || isLongDouble(this.#types, bare)) {
      this.#differ("its result", id, defined);
    }
  }

  /** Compares the type of one value; `place` names it in sentences. */
  #value(place: string, id: number, defined: DefinedType): void {
    const native = nativeValue(this.#types, id);
    if (isReason(native)) return this.#unlike(place, id, defined, native.reason);
    const wanted = leavesOf(native);
    const given = leavesOf(defined);
    if (given.length !== wanted.length || given.size !== wanted.size) return this.#differ(place, id, defined);
    let isOther = false;
    for (let index = 0; index < wanted.length; index++) {
      const [one, other] = [wanted.words[index], given.words[index]];
      if (wanted.offsets[index] !== given.offsets[index] || !agree(one, other)) {
        return this.#differ(place, id, defined);
      }
      // A bool has no sign at all; integers as long as a pointer are often written with either.
      if (one.sign !== other.sign && one.size < 8) {
        isOther ||= one.sign === undefined || other.sign === undefined || !this.#isSignless(id);
      }
    }
    const isStruct = typeof defined === "object";
    if (isStruct !== (typeof native === "object")) {
      this.remarks.push(`${place} is ${this.#spell(id)}, the definition says ${describeDefined(defined)}`);
    } else if (isOther) {
      this.remarks.push(
        `${place} is ${this.#spell(id)}, the definition says ${describeDefined(defined)}: ` +
          "values that only one of them has are read as others",
      );
    }
  }

  /** Compares a value of a type that definitions cannot say. */
  #unlike(place: string, id: number, defined: DefinedType, reason: string): void {
    const bare = bareType(this.#types, id);
    if (isNontrivial(this.#types, bare)) {
      // C++ passes the address of a copy.
      const isAddress = typeof defined === "string" && wordOf(defined)?.kind === "integer" &&
        wordOf(defined)?.size === 8 && place !== "its result";
      if (!isAddress) return this.#differ(place, id, defined);
    } else {
      const size = sizeOf(this.#types, id);
      const kind = this.#types[bare]?.kind;
      const isElsewhere = kind === "vector" || isLongDouble(this.#types, bare);
      if (isElsewhere || (size !== undefined && size !== leavesOf(defined).size)) {
        return this.#differ(place, id, defined);
      }
    }
    this.remarks.push(`${place} cannot be compared: it ${reason}`);
  }

  #differ(place: string, id: number, defined: DefinedType): void {
    this.errors.push(`${place} is ${this.#spell(id)}, the definition says ${describeDefined(defined)}`);
  }

  #spell(id: number): string {
    return declarationOf(this.#types, id, "", { parameterNames: false });
  }

  /** Whether C leaves the sign of a type to the compiler, or its values have no sign. */
  #isSignless(id: number): boolean {
    const type = this.#types[bareType(this.#types, id)];
    return type?.kind === "enum" || (type?.kind === "base" && type.encoding === "char");
  }
}

function agree(one: Word, other: Word): boolean {
  return one.kind === other.kind && one.size === other.size;
}

function isNontrivial(types: Types, bare: number): boolean {
  const type = types[bare];
  return isRecord(type) && type.nontrivial;
}

function isLongDouble(types: Types, bare: number): boolean {
  const type = types[bare];
  return type?.kind === "base" && type.encoding === "float" && type.size > 8;
}
