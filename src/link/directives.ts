/**
 * The requests that an object makes of the linker besides its sections and symbols.
 */

/** A name that stands for another one, unless something defines it. */
export interface NameAlias {
  readonly name: string;
  readonly target: string;
}

/** The requests of an object. */
export interface Directives {
  /** The names that it wants exported. */
  readonly exports: readonly string[];
  /** Static libraries that it wants linked, by the names that its compiler wrote. */
  readonly libraries: readonly string[];
  /** Libraries of the host that have its imports. */
  readonly hostLibraries: readonly string[];
  /** Names to treat as undefined, and to keep. */
  readonly required: readonly string[];
  /** Names that archives are searched for although the references to them are weak. */
  readonly sought: readonly string[];
  readonly aliases: readonly NameAlias[];
  /** Facts that must be the same in all objects that tell them. */
  readonly marks: readonly { readonly key: string; readonly value: string }[];
}

/** The requests of an object that makes none. */
export const NO_DIRECTIVES: Directives = {
  exports: [],
  libraries: [],
  hostLibraries: [],
  required: [],
  sought: [],
  aliases: [],
  marks: [],
};
