/**
 * The numbers of the TypeInfo section, which writer and reader share (docs/format.md has the tables).
 */
import type { BaseEncoding, TypeRecord } from "./model.ts";

/** The first bytes: "SMFT" and the version. */
export const MAGIC = [0x53, 0x4d, 0x46, 0x54, 1] as const;

/** The kinds of records, by the number in the file; 0 is not used. */
export const KINDS: readonly (TypeRecord["kind"] | undefined)[] = [
  undefined,
  "base",
  "pointer",
  "reference",
  "rvalue-reference",
  "const",
  "volatile",
  "restrict",
  "atomic",
  "typedef",
  "array",
  "struct",
  "union",
  "class",
  "enum",
  "function",
  "member-pointer",
  "unknown",
  "vector",
];

/** The encodings of base types, by the number in the file. */
export const ENCODINGS: readonly BaseEncoding[] = [
  "other",
  "signed",
  "unsigned",
  "float",
  "bool",
  "char",
  "complex",
];

/** Bits of a record's flags: of struct, union and class. */
export const RecordFlag = { NONTRIVIAL: 1, VARIANTS: 2, BASES: 4, BITS: 8 } as const;

/** Bits of a function's flags. */
export const FunctionFlag = { VARIADIC: 1, PROTOTYPED: 2 } as const;
