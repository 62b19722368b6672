/**
 * x86-64: the relocation types of COFF objects that have no counterpart in the psABI ("PE Format", "x64 Processors").
 * Their numbers begin behind those of the psABI.
 */
import { type Refusal, type RelocationRule, UINT32, writeUint32 } from "./arch.ts";

/** Added to the number of a COFF type. */
export const COFF_TYPES = 0x100;

/** IMAGE_REL_AMD64_* that the linker applies. */
export const COFF_RULES: readonly (readonly [number, RelocationRule])[] = [
  [COFF_TYPES + 3, {
    name: "IMAGE_REL_AMD64_ADDR32NB",
    use: "image",
    width: 4,
    smf: undefined,
    write: writeUint32,
    range: UINT32,
  }],
];

/** IMAGE_REL_AMD64_* that are refused. */
export const COFF_REFUSALS: readonly (readonly [types: readonly number[], refusal: Refusal])[] = [
  [[COFF_TYPES + 10], {
    problem: "a module has no numbers of sections (IMAGE_REL_AMD64_SECTION)",
    hint: "keep such references to sections of debug information",
  }],
  [[COFF_TYPES + 11, COFF_TYPES + 12], {
    problem: "an offset in a section is known for thread-local variables only (IMAGE_REL_AMD64_SECREL)",
    hint: "declare the variable as thread-local in every source that uses it",
  }],
  [[COFF_TYPES + 13, COFF_TYPES + 14, COFF_TYPES + 15, COFF_TYPES + 16], {
    problem: "the type belongs to code for the Common Language Runtime",
    hint: "compile without /clr",
  }],
];
