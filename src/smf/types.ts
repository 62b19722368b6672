/**
 * The types of a module's exports and variables: a section of the type `TypeInfo` with the name `.types`.
 * Sections of that type with other names are other tools'.
 */

import { LoadError } from "../errors/load_error.ts";
import { declarationOf } from "../types/declaration.ts";
import { type DecodedTypes, decodeTables, type KnownTypes } from "../types/decode.ts";
import { layoutHashes } from "../types/layout_hash.ts";
import type { TypeRecord } from "../types/model.ts";
import { readContents } from "./contents.ts";
import { SectionType } from "./enums.ts";
import { MAX_TYPES_SIZE } from "./limits.ts";
import type { Reading } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";
import type { SmfSymbol } from "./symbol.ts";

/** The name of the section. */
export const TYPES_SECTION = ".types";

/** The types of a module as they were decoded. */
export let decodedOf: (types: ModuleTypes) => DecodedTypes;

/** The types that a module keeps of its exports and writable variables. */
export class ModuleTypes {
  static {
    decodedOf = (types) => types.#decoded;
  }

  /**
   * The types by number. The first is undefined, because 0 is `void`; a type stands behind those that it
   * contains.
   */
  readonly types: readonly (TypeRecord | undefined)[];
  readonly #decoded: DecodedTypes;
  #hashes: readonly string[] | undefined;

  /** Wraps the types that a section holds. */
  constructor(decoded: DecodedTypes) {
    this.types = decoded.types;
    this.#decoded = decoded;
  }

  /** Returns the number of the type of the function or variable at an offset in the image. */
  at(address: number): number | undefined {
    return this.#decoded.typed.at(address);
  }

  /** Returns the number of the type of a symbol that the module defines; undefined if that is not known. */
  of(symbol: Pick<SmfSymbol, "value" | "visibility">): number | undefined {
    // The writer of types is this package's, which gives all symbols that it defines this visibility.
    return symbol.visibility === 0 ? undefined : this.at(symbol.value);
  }

  /**
   * Returns the hash of a type's layout: equal for types whose values have the same bytes, under the
   * same names of fields, whatever pointers in them point to.
   *
   * @param type The number of a type.
   * @returns 16 hexadecimal digits; undefined if there is no such type.
   */
  layoutHash(type: number): string | undefined {
    this.#hashes ??= layoutHashes(this.types);
    return this.#hashes[type];
  }

  /**
   * Writes the declaration of a name in C, such as `int add(int a, int b)`.
   *
   * @param name The name; the empty text gives the type alone.
   * @param type The number of its type.
   * @param options `parameterNames`: whether names of parameters are written. Default: true.
   */
  declaration(name: string, type: number, options: { readonly parameterNames?: boolean } = {}): string {
    return declarationOf(this.types, type, name, { parameterNames: options.parameterNames ?? true });
  }
}

/**
 * Reads the types; undefined if the file has none.
 *
 * @param known Types that may be the same.
 * @throws {LoadError} `InvalidFormat` if the section holds something else.
 */
export function* readTypes(
  sections: readonly SmfSection[],
  known?: KnownTypes,
): Reading<ModuleTypes | undefined> {
  const found = sections.filter(({ type, name }) => type === SectionType.TypeInfo && name === TYPES_SECTION);
  if (found.length === 0) return undefined;
  const [section] = found;
  const at = { section: sectionLabel(section), offset: section.offset };
  if (found.length > 1) {
    throw new LoadError("InvalidFormat", "Cannot read types: there are two sections of them", at);
  }
  const length = contentLength(section);
  if (length > MAX_TYPES_SIZE) {
    throw new LoadError("InvalidFormat", "Cannot read types: the section is too large", {
      ...at,
      value: length,
      range: [0, MAX_TYPES_SIZE + 1],
    });
  }
  const bytes = new Uint8Array(length);
  yield* readContents(section, bytes, undefined);
  try {
    return new ModuleTypes(decodeTables(bytes, known));
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    // Offsets in compressed bytes lead nowhere in the file.
    const offset = section.offset + (section.compressed ? 0 : error.data.offset ?? 0);
    throw new LoadError("InvalidFormat", error.message.replace(/ \(.*\)$/, ""), {
      section: at.section,
      offset,
    });
  }
}
