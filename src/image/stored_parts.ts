/**
 * Structs that LLVM takes apart: it stores the fields of a static struct by themselves where nobody takes its address,
 * and leaves out those that nobody reads. Each is a variable of its own then, `tally.sum`.
 *
 * Where one version stores the fields and the other the whole, nothing is followed. A whole has fields of which
 * nobody has the value: the compiler dropped what was stored in them, or never stored it. Fields could be taken from a
 * whole, but new code may have dropped others, which the way back would need.
 */

import { type PlannedFile, variablesOf } from "./compatibility.ts";
import type { NameGroups } from "./name_groups.ts";
import { wholeNames } from "./symbol_names.ts";
import { SymbolType } from "../smf/enums.ts";

const KEEP_WHOLE = "take its address, or declare it volatile, in both versions";
const TAKEN_APART =
  `which the old version stores as a whole, and the compiler now takes apart: ${KEEP_WHOLE}`;
const WAS_APART =
  `in the old version the compiler took it apart, and there are values of some fields only: ${KEEP_WHOLE}`;

/** How one version stores its variables. */
export class StoredParts {
  readonly #version: PlannedFile;
  readonly #names: NameGroups;
  /** The names of which its variables may be fields. */
  #wholes: ReadonlySet<string> | undefined;

  constructor(version: PlannedFile, names: NameGroups) {
    this.#version = version;
    this.#names = names;
  }

  /** Says how the version stores a variable of a later one that it has under another name; undefined if it has none. */
  difference(name: string): string | undefined {
    const { symbols } = this.#version.file;
    const whole = wholeNames(name).find((each) =>
      this.#names.group(each).some((index) => symbols.type(index) === SymbolType.Data)
    );
    if (whole !== undefined) return `it is a field of '${whole}', ${TAKEN_APART}`;
    this.#wholes ??= new Set(
      Array.from(variablesOf(this.#version), (index) => wholeNames(symbols.name(index))).flat(),
    );
    return this.#wholes.has(name) ? WAS_APART : undefined;
  }
}
