/**
 * The functions of a module as profilers want them: each place once, with its size.
 */
import { Binding, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";

/** A function of a file. */
export interface CodeFunction {
  readonly name: string;
  /** Offset in the file's image. */
  readonly offset: number;
  /** Size in bytes, at least 1. */
  readonly size: number;
}

/** The functions of a file, ascending; of several names of one place a global one. */
export function codeFunctions({ symbols }: SmfFile): CodeFunction[] {
  const found = new Map<number, number>();
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Function || !symbols.isDefined(index)) continue;
    if (symbols.size(index) === 0) continue;
    const offset = symbols.value(index), other = found.get(offset);
    const isBetter = other === undefined ||
      symbols.binding(other) === Binding.Local && symbols.binding(index) !== Binding.Local;
    if (isBetter) found.set(offset, index);
  }
  return [...found].sort(([a], [b]) => a - b).map(([offset, index]) => ({
    name: symbols.name(index),
    offset,
    size: symbols.size(index),
  }));
}
