/**
 * What is said of a relocation that cannot be: which it is, and why.
 */
import { LoadError } from "../errors.ts";
import type { RelocationRule } from "./arch/arch.ts";
import { SymbolKind } from "../os/elf.ts";
import type { InputSection, LinkObject } from "./input.ts";

/** A relocation that nothing here stands for; `value` says what it is. */
export function unsupportedAt(
  { object, name }: InputSection,
  symbol: number,
  place: number,
  problem: string,
  value: string | undefined,
): LoadError {
  return new LoadError("Unsupported", `Cannot link: ${problem}`, {
    path: object.name,
    section: name,
    symbol: symbolName(object, symbol),
    offset: place,
    ...(value === undefined ? {} : { value }),
  });
}

/** A relocation whose value does not do; NaN for one that is unknown. */
export function failedAt(
  { object, name }: InputSection,
  symbol: number,
  place: number,
  problem: string,
  rule: RelocationRule,
  value: number,
): LoadError {
  return new LoadError("RelocationFailed", `Cannot link: ${problem} [${rule.name}]`, {
    path: object.name,
    section: name,
    symbol: symbolName(object, symbol),
    offset: place,
    ...(Number.isNaN(value) ? {} : { value }),
    ...(rule.range === undefined ? {} : { range: rule.range }),
  });
}

/** A symbol's name; a section's own symbol has that of its section. */
export function symbolName(object: LinkObject, symbol: number): string {
  const { symbols, sections } = object.elf;
  if (symbols.kind(symbol) !== SymbolKind.SECTION || !symbols.inSection(symbol)) return symbols.name(symbol);
  return sections[symbols.section(symbol)].name;
}
